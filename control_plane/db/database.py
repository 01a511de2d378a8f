"""The connection pool, and the one place where driver errors become ours."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString, TypeAlias, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from control_plane.db.patience import waiting
from control_plane.db.queries import queries

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]
Row: TypeAlias = dict[str, Any]
Result = TypeVar("Result")

# Long enough for the largest statement we make (an audit's snapshot), short enough to notice a database that hangs.
STATEMENT_TIMEOUT_MS = 60_000
# A row lock is held for one statement: waiting longer means that something is stuck, and others wait behind it.
LOCK_TIMEOUT_MS = 2_000
# No transaction of ours waits for anything but its next statement: whoever does has hung or lost its host, and holds locks.
IDLE_IN_TRANSACTION_MS = 60_000
# What nobody waits for any more is to end on the server too: it looks so often whether the caller has hung up.
CONNECTION_CHECK_MS = 1_000
# What a URL may say otherwise. A server that hangs takes connections and never greets; one whose host is gone is noticed
# within a minute, also by who waits without a limit.
CONNECTING = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# After that the pool gives a place up, and the next who wants one tries at once: it would wait for minutes between its
# tries, with the database long back.
RECONNECT_S = 5.0

# "Cached plan must not change result type", among others, and "prepared statement does not exist".
_OUTDATED = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)


class DatabaseUnreachable(Exception):
    """The database did not answer, takes no writes, or ended the connection: whether the statement took effect is unknown."""


class DatabaseReadOnly(DatabaseUnreachable):
    """The database answers and takes no writes, as a standby after a failover."""


class RowLocked(DatabaseUnreachable):
    """Somebody has locked a row for longer than was waited: the statement took no effect."""


class Database:
    """A pool of autocommit connections to the ledger; use as `async with Database.open(...)`."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._queries = queries()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, max_size: int, timeout_s: float) -> AsyncIterator["Database"]:
        """Opens the pool without waiting for the database: health tells whether it is there."""
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=timeout_s,
            reconnect_timeout=RECONNECT_S,
            open=False,
            kwargs={
                **{name: value for name, value in CONNECTING.items() if name not in conninfo_to_dict(url)},
                "autocommit": True,
                "row_factory": dict_row,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC"
                f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}"
                f" -c client_connection_check_interval={CONNECTION_CHECK_MS}",
            },
        )
        await pool.open(wait=False)
        try:
            yield cls(pool)
        finally:
            await pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, autocommit, for as long as one likes: not for requests. Raises `DatabaseUnreachable`."""
        async with self._connection(self._pool.timeout) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction: committed at the end, rolled back by an exception. Nothing but statements in it.

        Raises `DatabaseUnreachable`, also if all of it takes longer than the caller's patience.
        """
        async with self._patient_connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _patient_connection(self) -> AsyncIterator[Connection]:
        """A connection that is hung up where whoever uses it has waited long enough: every statement on it then fails.

        It is not cancelled: psycopg would ask the server to cancel, and wait for that as well. The pool drops what is broken.
        """
        loop = asyncio.get_running_loop()
        with waiting() as give_up_at:
            began = loop.time()
            async with self._connection(min(self._pool.timeout, give_up_at - began)) as connection:
                timer = loop.call_at(give_up_at, _hang_up, connection)
                try:
                    yield connection
                except psycopg.Error as exc:
                    if loop.time() < give_up_at:
                        raise
                    raise DatabaseUnreachable(f"no answer within {give_up_at - began:.1f} s") from exc
                finally:
                    timer.cancel()

    @asynccontextmanager
    async def _connection(self, timeout_s: float) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection(timeout_s) as connection:
                try:
                    yield connection
                except psycopg.errors.ReadOnlySqlTransaction:
                    await connection.close()  # after a failover, the next one may lead to who takes writes now
                    raise
        except _OUTDATED as exc:
            if not _is_outdated(exc):
                raise
            raise DatabaseUnreachable(str(exc)) from exc  # changed twice within a moment
        except psycopg.errors.ReadOnlySqlTransaction as exc:
            raise DatabaseReadOnly(str(exc)) from exc
        except psycopg.errors.LockNotAvailable as exc:
            raise RowLocked(str(exc)) from exc
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.errors.IdleInTransactionSessionTimeout,
            PoolTimeout,
            PoolClosed,
            TooManyRequests,
        ) as exc:
            raise DatabaseUnreachable(str(exc)) from exc

    def statement(self, name: str) -> LiteralString:
        """The named statement's text."""
        return self._queries[name]

    async def rows(self, name: str, params: Mapping[str, object], *, on: Connection | None = None) -> Sequence[Row]:
        """All rows of a named statement, on `on` (a transaction under way) or a connection of its own."""
        if on is None:
            return await self._alone(lambda connection: self._rows(name, params, connection))
        return await self._rows(name, params, on, prepare=False)

    async def together(
        self, *statements: tuple[str, Mapping[str, object]], lock_wait_ms: int = LOCK_TIMEOUT_MS
    ) -> Sequence[Sequence[Row]]:
        """The rows of each of these named statements, sent together and run one after the other in one transaction.

        Each waits for a locked row for `lock_wait_ms` at most, then `RowLocked` is raised and nothing has taken effect.
        A statement sees what was committed when it began, not when it got a lock that it waited for: what a later one reads
        under the locks of an earlier one is the truth until the commit.
        """

        async def run(connection: Connection) -> Sequence[Sequence[Row]]:
            async with connection.pipeline(), connection.transaction():
                if lock_wait_ms != LOCK_TIMEOUT_MS:
                    await connection.execute(self._queries["lock_wait"], {"lock_timeout": f"{lock_wait_ms}ms"})
                cursors = [
                    await connection.cursor(binary=True).execute(self._queries[name], params)
                    for name, params in statements
                ]
            return [await cursor.fetchall() if cursor.description else [] for cursor in cursors]

        return await self._alone(run)

    async def row(self, name: str, params: Mapping[str, object], *, on: Connection | None = None) -> Row | None:
        """The first row of a named statement, or None."""
        rows = await self.rows(name, params, on=on)
        return rows[0] if rows else None

    async def execute(self, name: str, params: Mapping[str, object], *, on: Connection | None = None) -> int:
        """Runs a named statement that answers no rows; how many it touched."""
        if on is None:
            return await self._alone(lambda connection: self._execute(name, params, connection))
        return await self._execute(name, params, on, prepare=False)

    async def ping(self) -> None:
        """Returns if the database answers and takes writes. Raises `DatabaseReadOnly`, `DatabaseUnreachable`."""
        async with self._patient_connection() as connection:
            (row,) = await self._rows("ping", {}, connection)
            if row["read_only"]:  # as if a write had been tried: the connection is given up
                raise psycopg.errors.ReadOnlySqlTransaction("the database takes no writes")

    async def _alone(self, run: Callable[[Connection], Awaitable[Result]]) -> Result:
        """`run`, which is one statement or one transaction, on a connection of its own.

        Once more where the schema has changed since its statements were prepared: nothing has taken effect then. On a caller's
        connection that cannot be done, so nothing is prepared there.
        """
        async with self._patient_connection() as connection:
            try:
                return await run(connection)
            except _OUTDATED as exc:
                if not _is_outdated(exc):
                    raise
                await connection.rollback()
                await connection.execute("deallocate all")  # which makes psycopg forget its names too
                return await run(connection)

    async def _rows(
        self, name: str, params: Mapping[str, object], on: Connection, *, prepare: bool | None = None
    ) -> Sequence[Row]:
        async with on.cursor(binary=True) as cursor:  # binary: times and digests need no parsing
            await cursor.execute(self._queries[name], params, prepare=prepare)
            return await cursor.fetchall()

    async def _execute(
        self, name: str, params: Mapping[str, object], on: Connection, *, prepare: bool | None = None
    ) -> int:
        return (await on.execute(self._queries[name], params, prepare=prepare)).rowcount


def _is_outdated(exc: psycopg.Error) -> bool:
    """Whether the server refused a prepared statement for its age. Its messages are in any language, its functions are not."""
    return (
        isinstance(exc, psycopg.errors.InvalidSqlStatementName) or exc.diag.source_function == "RevalidateCachedQuery"
    )


def _hang_up(connection: Connection) -> None:
    """Ends the connection under whoever waits for its answer. Only shut down, not closed: its number is still watched."""
    with suppress(psycopg.OperationalError, OSError), socket.socket(fileno=os.dup(connection.fileno())) as again:
        again.shutdown(socket.SHUT_RDWR)
