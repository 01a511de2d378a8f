"""The store of deletions: the commit that begins one, and all that its purge reads and writes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.db.database import Connection, Database, Row
from control_plane.db.rows import recording_of
from control_plane.domain.models import DeleteCause, DeletionsUnderWay, DeletionUnderWay, Recording, RetentionRules


@dataclass(frozen=True, slots=True)
class DuePurge:
    """A recording whose bucket prefixes are to be emptied; `may_end`: no URL that was given out can bring anything back."""

    id: UUID
    failures: int
    may_end: bool


class LockedForDeletion:
    """A recording whose owner's counters and own row are locked: nothing is granted, acked or counted meanwhile."""

    def __init__(self, database: Database, connection: Connection, recording: Recording) -> None:
        self._database = database
        self._connection = connection
        self.recording = recording

    async def begin(
        self, cause: DeleteCause, *, grant_ttl: timedelta, late_put: timedelta, own_writes: timedelta
    ) -> Recording:
        """Makes it `deleting`: quota freed, tickets withdrawn, the purge due at once.

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

    def locked(self, owner: str, recording_id: UUID) -> AbstractAsyncContextManager[LockedForDeletion | None]:
        """The owner's recording, in any state, inside a transaction that is committed at the end."""
        return self._locked("deletion_lock", {"id": recording_id, "owner": owner})

    def locked_if_due(
        self, owner: str, recording_id: UUID, rules: RetentionRules
    ) -> AbstractAsyncContextManager[LockedForDeletion | None]:
        """The same, only where the recording is too old by these rules at this moment."""
        params = {"id": recording_id, "owner": owner, "complete": rules.complete, "expired": rules.expired}
        return self._locked("retention_lock", params)

    @asynccontextmanager
    async def _locked(self, statement: str, params: Mapping[str, object]) -> AsyncIterator[LockedForDeletion | None]:
        async with self._database.transaction() as connection:
            await self._database.rows("owners_lock", {"owners": [params["owner"]]}, on=connection)
            row = await self._database.row(statement, params, on=connection)
            yield None if row is None else LockedForDeletion(self._database, connection, recording_of(row))

    async def claim_purge(self, *, lease: timedelta) -> DuePurge | None:
        """The recording whose purge is longest due, if any; nobody else is given it for `lease`."""
        row = await self._database.row("purge_claim", {"lease": lease})
        if row is None:
            return None
        return DuePurge(row["id"], row["purge_failures"], row["claimed_at"] >= row["purge_until"])

    async def seen(self, recording_id: UUID, *, removed: int, more: bool, again: timedelta) -> None:
        """Notes a look at the bucket without failure; the next is due at once (`more`), else after `again` or at the end."""
        params = {"id": recording_id, "removed": removed, "more": more, "again": again}
        await self._database.execute("purge_seen", params)

    async def failed(self, recording_id: UUID, *, removed: int, cause: str, wait: timedelta) -> None:
        """Counts a failure; the next try is due after `wait`."""
        params = {"id": recording_id, "removed": removed, "cause": cause, "wait": wait}
        await self._database.execute("purge_failed", params)

    async def forget_tickets(self, recording_id: UUID, *, limit: int) -> int:
        """Removes so many of its tickets, with what recorders said of them; how many there were."""
        return await self._database.execute("purge_tickets", {"id": recording_id, "limit": limit})

    async def forget_chunks(self, recording_id: UUID, *, limit: int) -> int:
        """Removes so many of its chunks, with their sightings; how many there were. Tickets must be gone."""
        return await self._database.execute("purge_chunks", {"id": recording_id, "limit": limit})

    async def forget_holdings(self, recording_id: UUID) -> None:
        """Removes what recorders said they hold of it."""
        await self._database.execute("purge_holdings", {"id": recording_id})

    async def packed(self, recording_id: UUID) -> Sequence[UUID]:
        """Downloads in which it was packed together with others."""
        return [row["download_id"] for row in await self._database.rows("purge_packed", {"id": recording_id})]

    async def finish(self, recording_id: UUID) -> bool:
        """Makes it `deleted`, for ever; False where it was already."""
        return await self._database.execute("purge_finish", {"id": recording_id}) == 1

    async def deleted_among(self, recording_ids: Sequence[UUID]) -> Sequence[UUID]:
        """Which of these are `deleted`: for ever, so that nothing of them can be wanted."""
        rows = await self._database.rows("deleted_among", {"recording_ids": list(recording_ids)})
        return [row["id"] for row in rows]

    async def under_way(self, *, limit: int) -> DeletionsUnderWay:
        """Deletions that are not finished, those that fail first."""
        rows = await self._database.rows("deletions_page", {"limit": limit})
        first = rows[0] if rows else {"under_way": 0, "failing": 0}
        return DeletionsUnderWay(first["under_way"], first["failing"], [_under_way_of(row) for row in rows])

    async def removed_remains(self, recording_id: UUID, removed: int) -> None:
        """Counts objects that turned up after the recording was `deleted`, and were removed."""
        await self._database.execute("purge_remains", {"id": recording_id, "removed": removed})


def _under_way_of(row: Row) -> DeletionUnderWay:
    return DeletionUnderWay(
        recording_id=row["id"],
        owner=row["owner"],
        cause=DeleteCause(row["delete_cause"]),
        requested_at=row["deleting_at"],
        failures=row["purge_failures"],
        failure=row["purge_error"],
        next_look_at=row["purge_after"],
        looked_for_until=row["purge_until"],
        removed_objects=row["purged_objects"],
    )
