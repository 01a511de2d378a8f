"""Everything that a database must have before anybody works on it: the ledger's schema, and the queue's."""

from collections.abc import Sequence

from psycopg import OperationalError

from control_plane.db import migrations
from control_plane.db.database import DatabaseUnreachable
from control_plane.jobs import schema


def migrate(database_url: str) -> Sequence[str]:
    """Brings both up to date and answers what was applied, for people. Blocking. Safe to run from several places at once.

    Raises `MigrationError`, `QueueSchemaError`, `DatabaseUnreachable`.
    """
    applied = [f"{migration.number:04d} {migration.name}" for migration in migrations.migrate(database_url)]
    try:
        return [*applied, *(f"queue: {name}" for name in schema.bring_up_to_date(database_url))]
    except OperationalError as exc:
        raise DatabaseUnreachable(str(exc)) from exc
