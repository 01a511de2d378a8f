"""Forward-only migrations: `sql/migrations/NNNN_name.sql`, each in one transaction, never edited once landed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from control_plane.db.database import DatabaseUnreachable
from control_plane.db.queries import sql_dir

# Any number will do, as long as nothing else in this database uses it: replicas that start together migrate one by one.
_ADVISORY_LOCK = 5_729_141_003

_TABLE: LiteralString = """
create table if not exists schema_migrations (
    number integer primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now())
"""


class MigrationError(Exception):
    """The schema cannot be brought up to date; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name, its text."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Digest of the text: tells an edited migration from the one that was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: Path | None = None) -> Sequence[Migration]:
    """All migrations in order. Raises MigrationError where numbers are not 1, 2, 3 …"""
    found = [
        Migration(int(path.name[:4]), path.stem[5:], path.read_text())
        for path in sorted((folder or sql_dir() / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"migrations are not numbered 1 to {len(found)}: a file is missing or named twice")
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """A database's schema beside this code: still to apply; applied by a newer version; edited since they were applied."""

    pending: Sequence[Migration]
    unknown: Sequence[int]
    edited: Sequence[Migration]


def compare(known: Sequence[Migration], applied: Mapping[int, str]) -> Comparison:
    """`applied`: the digest of each applied migration's text, by number."""
    return Comparison(
        pending=[migration for migration in known if migration.number not in applied],
        unknown=sorted(applied.keys() - {migration.number for migration in known}),
        edited=[m for m in known if applied.get(m.number, m.sha256) != m.sha256],
    )


def migrate(database_url: str) -> Sequence[Migration]:
    """Applies what is not yet applied and answers that. Blocking. Safe to run from several places at once.

    Raises MigrationError where an applied migration was edited since, where the database is newer than this code, and where
    a migration did not get its locks in time: nothing of it stays, and those before it are applied.
    """
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
            connection.execute("select pg_advisory_lock(%s)", [_ADVISORY_LOCK])
            return _apply(connection, migrations())
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as exc:
        raise MigrationError(
            f"the schema is as it was before, since others kept its tables too long ({str(exc).strip()}): repeat the "
            "command when less is going on, or end sessions that stay idle in a transaction"
        ) from exc
    except psycopg.OperationalError as exc:
        raise DatabaseUnreachable(str(exc)) from exc


def _apply(connection: psycopg.Connection, known: Sequence[Migration]) -> Sequence[Migration]:
    connection.execute(_TABLE)
    applied = dict[int, str](connection.execute("select number, sha256 from schema_migrations").fetchall())
    found = compare(known, applied)
    _refuse_strangers(found)
    for migration in found.pending:
        with connection.transaction():
            connection.execute(migration.text.encode())
            connection.execute(
                "insert into schema_migrations (number, name, sha256) values (%s, %s, %s)",
                [migration.number, migration.name, migration.sha256],
            )
        connection.execute("reset all")
    return found.pending


def _refuse_strangers(found: Comparison) -> None:
    if found.unknown:
        raise MigrationError(
            f"the database has migration {found.unknown[-1]:04d}, which this version does not know: run the newer version of "
            "Safereel"
        )
    if found.edited:
        raise MigrationError(
            f"migration {found.edited[0].number:04d} was edited after it was applied here: restore the file, and put the change "
            "into a new migration"
        )
