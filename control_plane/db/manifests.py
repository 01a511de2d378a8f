"""The store of what a manifest is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.db.database import Database
from control_plane.db.rows import ranges_of
from control_plane.domain.ranges import Range


@dataclass(frozen=True, slots=True)
class ManifestContent:
    """A complete recording; `chunks` is a JSON array of arrays (seq, segment, size, SHA-256, start and duration in ms), None
    where there are too many.
    """

    id: UUID
    chunk_count: int
    total_bytes: int
    created_at: datetime
    completed_at: datetime
    lost: Sequence[Range]
    chunks: str | None


class ManifestStore:
    """Complete recordings and whether their manifest lies in the bucket."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def without(self, *, limit: int) -> Sequence[UUID]:
        """Complete recordings without a manifest, in no order: one that fails again and again must not hold up others."""
        return [row["id"] for row in await self._database.rows("manifests_wanted", {"limit": limit})]

    async def waiting(self) -> int:
        """How many complete recordings have no manifest."""
        row = await self._database.row("manifests_waiting", {})
        assert row is not None, "a count answers one row"
        waiting: int = row["waiting"]
        return waiting

    async def content(self, recording_id: UUID, *, listed: int) -> ManifestContent | None:
        """What a manifest tells, or None if the recording is not complete (any more). At most `listed` chunks are named."""
        row = await self._database.row("manifest_content", {"id": recording_id, "listed": listed})
        if row is None:
            return None
        return ManifestContent(
            id=row["id"],
            chunk_count=row["chunk_count"],
            total_bytes=row["total_bytes"],
            created_at=row["created_at"],
            completed_at=row["completed_at"],
            lost=ranges_of(row["lost"]),
            chunks=row["chunks"],
        )

    async def written(self, recording_id: UUID) -> None:
        """Remembers that the manifest lies in the bucket."""
        await self._database.execute("manifest_written", {"id": recording_id})
