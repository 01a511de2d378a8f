"""The store of deletions: the commit that begins one, and all that its purge reads and writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.database import Connection, Database
from control_plane.db.rows import recording_of
from control_plane.domain.models import DeleteCause, Recording


class LockedForDeletion:
    """A recording whose owner's counters and own row are locked: nothing is granted, acked or counted meanwhile."""

    def __init__(self, database: Database, connection: Connection, recording: Recording, locked_at: datetime) -> None:
        self._database = database
        self._connection = connection
        self.recording = recording
        self.locked_at = locked_at

    async def begin(
        self, cause: DeleteCause, *, grant_ttl: timedelta, late_put: timedelta, own_writes: timedelta
    ) -> Recording:
        """Makes it `deleting`: quota freed, tickets withdrawn, sightings forgotten, the purge due at once.

        It is purged until `late_put` after the last URL has expired, and at least for `own_writes` from now.
        """
        row = await self._database.row(
            "deletion_begin",
            {
                "id": self.recording.id,
                "owner": self.recording.owner,
                "cause": cause,
                "grant_ttl": grant_ttl,
                "late_put": late_put,
                "own_writes": own_writes,
            },
            on=self._connection,
        )
        assert row is not None, "the row is locked: it cannot have gone"
        return recording_of(row)


class DeletionStore:
    """Rows of `recordings` that are being deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def locked(self, owner: str, recording_id: UUID) -> AsyncIterator[LockedForDeletion | None]:
        """The owner's recording, in any state, inside a transaction that is committed at the end."""
        async with self._database.transaction() as connection:
            await self._database.rows("deletion_lock_owner", {"owner": owner}, on=connection)
            row = await self._database.row("deletion_lock", {"id": recording_id, "owner": owner}, on=connection)
            if row is None:
                yield None
            else:
                yield LockedForDeletion(self._database, connection, recording_of(row), row["locked_at"])
