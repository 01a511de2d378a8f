"""A look at the database server itself, for `safereel doctor`: one connection, no pool, nothing written."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from control_plane.db.database import Connection, DatabaseUnreachable, Row
from control_plane.db.migrations import migrations
from control_plane.db.queries import queries

# A server that takes longer to accept a connection is not there for us; libpq counts in whole seconds.
CONNECT_S = 5
# Every statement here takes milliseconds.
STATEMENT_TIMEOUT_MS = 10_000
NO_ADDRESS = "this is not the address of a database"
_CREATED = re.compile(r"^create table (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server says of itself. Limits of connections are -1 where there is none."""

    version_num: int
    version: str
    clock: datetime
    in_recovery: bool
    read_only: bool
    max_connections: int
    reserved_connections: int
    role_limit: int
    database_limit: int
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str


def where(url: str) -> str:
    """Host, port and name of a database, without user and password; empty if `url` does not tell them apart."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return ""
    port = str(given.get("port") or "5432")
    # More than digits and commas (several hosts) is a password with a slash in it, and the rest of it would be the name.
    if not port.replace(",", "").isdecimal():
        return ""
    return f"{given.get('host') or 'localhost'}:{port}/{given.get('dbname') or ''}"


class Inspection:
    """An open connection; every method raises `DatabaseUnreachable` where the server does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["Inspection"]:
        """Connects, and closes at the end. Raises `DatabaseUnreachable`, in the words of libpq or the server."""
        if not where(url):  # libpq would quote it, with its password
            raise DatabaseUnreachable(NO_ADDRESS)
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
        try:
            async with asyncio.timeout(2 * CONNECT_S):  # a server that accepts and is silent, beyond libpq's own limit
                connection = await psycopg.AsyncConnection.connect(
                    url, autocommit=True, row_factory=dict_row, options=options, connect_timeout=CONNECT_S
                )
            async with connection:
                yield cls(connection)
        except (psycopg.Error, TimeoutError) as exc:
            raise DatabaseUnreachable(str(exc) or type(exc).__name__) from exc

    async def facts(self) -> ServerFacts:
        """Version, clock, role and limits."""
        return ServerFacts(**await self._row("server_facts"))

    async def clock(self) -> datetime:
        """The server's clock now. The cheapest statement that reads it: also what a round trip is measured with."""
        found: datetime = (await self._row("server_clock"))["clock"]
        return found

    async def applied(self) -> Mapping[int, str] | None:
        """Number and digest of the migrations that were applied; None where there never was one."""
        if not (await self._row("has_migrations_table"))["found"]:
            return None
        return {row["number"]: row["sha256"] for row in await self._rows("applied_migrations")}

    async def queue_applied(self) -> Sequence[str] | None:
        """Names of the migrations that the queue's own schema has; None where there is none, empty where it may not be read."""
        found = await self._rows("has_queue")
        if not found:
            return None
        if not found[0]["readable"]:
            return []
        return [row["name"] for row in await self._rows("applied_queue_migrations")]

    async def why_no_temp_tables(self) -> str:
        """Empty if a temporary table can be made; else what the server said."""
        try:
            async with self._connection.transaction():
                await self._connection.execute(queries()["try_temp_table"])
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as exc:
            return str(exc)
        return ""

    async def tables_withheld(self) -> Sequence[str]:
        """Tables of the ledger that this role may not read and write."""
        text = "".join(migration.text for migration in migrations())
        tables = [name for name in _CREATED.findall(text) if name != "deployment"]  # nobody writes to that one
        return [row["name"] for row in await self._rows("tables_withheld", {"tables": tables})]

    async def deployment(self) -> tuple[UUID, bool]:
        """This deployment's id, and whether no chunk was ever acked. Needs the schema."""
        found: UUID = (await self._row("deployment_id"))["id"]
        return found, (await self._row("ledger_is_empty"))["empty"]

    async def _row(self, name: str) -> Row:
        return (await self._rows(name))[0]

    async def _rows(self, name: str, params: Mapping[str, object] | None = None) -> Sequence[Row]:
        return await (await self._connection.execute(queries()[name], params)).fetchall()
