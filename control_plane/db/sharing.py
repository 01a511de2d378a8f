"""The store of links: who may see a recording without an account."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.db.database import Connection, Database
from control_plane.db.rows import ranges_of, recording_of
from control_plane.domain.downloads import MadeFile
from control_plane.domain.models import Recording, ShareLink
from control_plane.domain.ranges import Range


@dataclass(frozen=True, slots=True)
class ShareFigures:
    """How long a complete recording lasts (None: no recorder has said), and which chunks the bucket does not hold."""

    duration_ms: int | None
    gaps: Sequence[Range]


class LockedLink:
    """A recording's link while nobody else decides on it."""

    def __init__(self, database: Database, connection: Connection, recording_id: UUID) -> None:
        self._database = database
        self._connection = connection
        self._id = recording_id

    async def judge(self, owner: str, expires_at: datetime | None) -> tuple[Recording | None, bool]:
        """The owner's recording, and whether that time has passed."""
        params = {"id": self._id, "owner": owner, "expires_at": expires_at}
        row = await self._database.row("share_judge", params, on=self._connection)
        return (None, False) if row is None else (recording_of(row), row["is_past"])

    async def any(self) -> Recording | None:
        """The recording, whosever it is, unless it is deleted."""
        row = await self._database.row("share_any", {"id": self._id}, on=self._connection)
        return None if row is None else recording_of(row)

    async def set(self, link: ShareLink) -> Recording | None:
        """Remembers what the bucket has of it; None where the recording was deleted meanwhile."""
        params = {"id": self._id, "share_id": link.share_id, "shared": link.shared, "expires_at": link.expires_at}
        row = await self._database.row("share_set", params, on=self._connection)
        return None if row is None else recording_of(row)


class ShareStore:
    """What `recordings` tell of links."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def locked(self, recording_id: UUID) -> AsyncIterator[LockedLink]:
        """One at a time, in a transaction that is committed at the end."""
        async with self._database.transaction() as connection:
            await self._database.rows("share_lock", {"id": recording_id}, on=connection)
            yield LockedLink(self._database, connection, recording_id)

    async def view(self, share_id: str) -> Recording | None:
        """The recording that the link leads to, where it works now, by the database's clock."""
        row = await self._database.row("share_view", {"share_id": share_id})
        return None if row is None else recording_of(row)

    async def figures(self, recording_id: UUID, chunk_count: int) -> ShareFigures:
        """Of a complete recording with so many chunks."""
        row = await self._database.row("share_figures", {"id": recording_id, "chunk_count": chunk_count})
        assert row is not None, "an aggregate without grouping answers one row"
        return ShareFigures(row["duration_ms"], ranges_of(row["gaps"]))

    async def file(self, recording_id: UUID) -> MadeFile | None:
        """The whole recording as one file, where its owner had one made that is still there."""
        row = await self._database.row("share_file", {"id": recording_id})
        return None if row is None else MadeFile(row["object_key"], row["file_name"], row["content_type"], row["size"])
