"""Everything that a database must have before anybody works on it: the ledger's schema, and the queue's."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import OperationalError

from control_plane.db import migrations
from control_plane.db.database import DatabaseUnreachable
from control_plane.jobs import schema


@dataclass(frozen=True, slots=True)
class Applied:
    """What was applied just now: our migrations, by number and name, and how many of the queue's library."""

    migrations: Sequence[str]
    of_queue: int


def migrate(database_url: str) -> Applied:
    """Brings both up to date. Blocking. Safe to run from several places at once.

    Raises `MigrationError`, `QueueSchemaError`, `DatabaseUnreachable`.
    """
    ours = [f"{migration.number:04d} {migration.name}" for migration in migrations.migrate(database_url)]
    try:
        return Applied(ours, len(schema.bring_up_to_date(database_url)))
    except OperationalError as exc:
        raise DatabaseUnreachable(str(exc)) from exc
