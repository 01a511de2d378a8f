"""procrastinate's tables, in a schema of their own, brought up to date with the version that is installed.

A new database gets the whole schema at once; one from before gets the migrations that ship with procrastinate and were not
applied yet, in their order. Which were, is written down in `safereel_applied` beside its tables.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import LiteralString, TypeAlias

import psycopg
from procrastinate.schema import SchemaManager

# Any number will do, as long as nothing else in this database uses it: processes that start together do this one by one.
_ADVISORY_LOCK = 5_729_141_004
# Longer than any of its statements on the small tables that these are.
_STATEMENT_TIMEOUT_MS = 60_000
# Workers hold these tables for moments.
_LOCK_TIMEOUT_MS = 5_000

_Rows: TypeAlias = psycopg.Connection[tuple[str]]

_HAS_SCHEMA: LiteralString = "select nspname from pg_namespace where nspname = 'procrastinate'"
_TABLE: LiteralString = """
create table if not exists procrastinate.safereel_applied (
    name text primary key, applied_at timestamptz not null default now())
"""


class QueueSchemaError(Exception):
    """The queue's tables cannot be brought up to date; the message says what to do."""


def shipped() -> Sequence[str]:
    """Names of the migrations of the installed procrastinate, in order."""
    return sorted(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def bring_up_to_date(database_url: str) -> Sequence[str]:
    """Applies what is missing and answers the names of it. Blocking. Safe to run from several places at once.

    Raises QueueSchemaError where the database is newer than this version, does not let us make a schema, or its tables were
    kept by others for too long; nothing of a migration stays then. Raises `psycopg.OperationalError`.
    """
    options = (
        f"-c search_path=procrastinate -c statement_timeout={_STATEMENT_TIMEOUT_MS} -c client_min_messages=warning"
    )
    options += f" -c lock_timeout={_LOCK_TIMEOUT_MS}"
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10, options=options) as connection:
            # The statement timeout is not for waiting here: whoever has the lock applies a whole schema.
            connection.execute("set statement_timeout = 0; set lock_timeout = 0")
            connection.execute("select pg_advisory_lock(%s)", [_ADVISORY_LOCK])
            connection.execute("reset statement_timeout; reset lock_timeout")
            return _apply(connection)
    except psycopg.errors.InsufficientPrivilege as exc:
        raise QueueSchemaError(
            f"the queue needs a schema “procrastinate” of its own ({str(exc).strip()}): as owner of the database, "
            "`create schema procrastinate authorization …` with the user of DATABASE_URL"
        ) from exc
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as exc:
        raise QueueSchemaError(
            f"the queue's tables are as they were before, since others kept them too long ({str(exc).strip()}): stop the "
            "workers and repeat the command"
        ) from exc


def lacking(applied: Sequence[str]) -> Sequence[str]:
    """Which of the shipped migrations are not among those applied."""
    return [name for name in shipped() if name not in set(applied)]


def unknown(applied: Sequence[str]) -> Sequence[str]:
    """Which of those applied do not ship with the installed version."""
    return sorted(set(applied) - set(shipped()))


def _apply(connection: _Rows) -> Sequence[str]:
    with connection.transaction():
        if connection.execute(_HAS_SCHEMA).fetchone() is None:
            connection.execute("create schema procrastinate")
        connection.execute(_TABLE)
    applied = [name for (name,) in connection.execute("select name from safereel_applied").fetchall()]
    if strangers := unknown(applied):
        raise QueueSchemaError(
            f"the queue has procrastinate's migration {strangers[-1]}, which this version does not know: run the newer version "
            "of Safereel"
        )
    if not applied:
        return _whole(connection)
    for name in lacking(applied):
        with connection.transaction():
            connection.execute((Path(SchemaManager.get_migrations_path()) / name).read_bytes())
            _note(connection, [name])
    return lacking(applied)


def _whole(connection: _Rows) -> Sequence[str]:
    with connection.transaction():
        connection.execute(SchemaManager.get_schema().encode())
        _note(connection, shipped())
    return shipped()


def _note(connection: _Rows, names: Sequence[str]) -> None:
    connection.execute("insert into safereel_applied (name) select unnest(%s::text[])", [list(names)])
