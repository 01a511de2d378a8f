"""The store of recordings. Every statement is scoped by owner."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.database import Connection, Database, Row
from control_plane.db.rebuilding import described_columns
from control_plane.db.rows import ranges_of, recording_of
from control_plane.domain.keys import shard_of
from control_plane.domain.models import NewRecording, Progress, Recording, Totals
from control_plane.domain.rebuilding import Described


@dataclass(frozen=True, slots=True)
class Sums:
    """What completion is checked against: over all chunks that were ever acked."""

    progress: Progress
    last_seq: int
    known_bytes: int


@dataclass(frozen=True, slots=True)
class BesideChunks:
    """What should lie in the bucket beside a recording's chunks and its description: manifest and `share.json`."""

    recording_id: UUID
    manifested: bool
    share_told: bool


class LockedRecording:
    """A recording whose row is locked: nothing is granted, acked or ticketed for it meanwhile."""

    def __init__(self, database: Database, connection: Connection, recording: Recording) -> None:
        self._database = database
        self._connection = connection
        self.recording = recording

    async def sums(self) -> Sums:
        """Progress and totals under the lock."""
        return await _sums(self._database, self.recording.id, on=self._connection)

    async def finalise(self, *, chunk_count: int, total_bytes: int) -> Recording:
        """Makes it `complete`, for ever with these totals."""
        row = await self._database.row(
            "recording_finalise",
            {"id": self.recording.id, "chunk_count": chunk_count, "total_bytes": total_bytes},
            on=self._connection,
        )
        assert row is not None, "the row is locked: it cannot have gone"
        return recording_of(row)


class RecordingStore:
    """Rows of `recordings`."""

    def __init__(self, database: Database, *, idle: timedelta) -> None:
        """`idle`: how long a recording stays open without any sign of its recorder."""
        self._database = database
        self._idle = idle

    async def described(self, first_shard: int, last_shard: int, *, settle: timedelta) -> Sequence[BesideChunks]:
        """Recordings of these shards that the bucket describes since longer than `settle`, and what else it has of them."""
        params = {"first_shard": first_shard, "last_shard": last_shard, "settle": settle}
        rows = await self._database.rows("recordings_described", params)
        return [BesideChunks(row["id"], row["manifested"], row["share_told"]) for row in rows]

    async def alive(self, recording_ids: Sequence[UUID]) -> Sequence[Recording]:
        """Those of these that were not deleted."""
        rows = await self._database.rows("recordings_of", {"recording_ids": list(recording_ids)})
        return [recording_of(row) for row in rows]

    async def forget_manifests(self, recording_ids: Sequence[UUID]) -> None:
        """The bucket has no manifest of these (any more): they are written again."""
        if recording_ids:
            await self._database.execute("manifests_forget", {"recording_ids": list(recording_ids)})

    async def start(self, new: NewRecording, share_id: str) -> Recording | None:
        """The row made, or None where the id was taken (by whomever)."""
        row = await self._database.row(
            "recording_start",
            {
                "id": new.id,
                "owner": new.owner,
                "recorder_id": new.recorder_id,
                "source": new.source,
                "mime_type": new.mime_type,
                "title": new.title,
                "expected_bytes": new.expected_bytes,
                "share_id": share_id,
                "shard": shard_of(new.id),
                "idle": self._idle,
            },
        )
        return None if row is None else recording_of(row)

    async def revive(self, owner: str, recording_id: UUID) -> Recording | None:
        """The recording, open again; None if it was not `expired`."""
        params = {"id": recording_id, "owner": owner, "idle": self._idle}
        row = await self._database.row("recording_revive", params)
        return None if row is None else recording_of(row)

    async def get(self, owner: str, recording_id: UUID) -> Recording | None:
        """The owner's recording, or None: another owner's is as absent as one that never was."""
        row = await self._database.row("recording_get", {"id": recording_id, "owner": owner})
        return None if row is None else recording_of(row)

    @asynccontextmanager
    async def locked(self, owner: str, recording_id: UUID) -> AsyncIterator[LockedRecording | None]:
        """The owner's recording inside a transaction that holds its row; committed at the end."""
        async with self._database.transaction() as connection:
            row = await self._database.row("recording_lock", {"id": recording_id, "owner": owner}, on=connection)
            yield None if row is None else LockedRecording(self._database, connection, recording_of(row))

    async def mark_described(self, recording_id: UUID) -> None:
        """Remembers that `recording.json` lies in the bucket."""
        await self._database.execute("recording_described", {"id": recording_id})

    async def take_description(self, found: Described) -> None:
        """The bucket had its description before this ledger had the row: it holds."""
        await self._database.row("recording_take_description", described_columns(found))

    async def progress(self, recording_id: UUID) -> Progress:
        """How far the chunks of a recording (that `get` has shown to be the owner's) have come."""
        return (await _sums(self._database, recording_id)).progress

    async def page(
        self, owner: str, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[tuple[Recording, Totals]]:
        """The owner's recordings older than `before`, newest first."""
        rows = await self._database.rows(
            "recordings_page",
            {
                "owner": owner,
                "before_created_at": before and before[0],
                "before_id": before and before[1],
                "limit": limit,
            },
        )
        return [(recording_of(row), _totals_of(row)) for row in rows]


async def _sums(database: Database, recording_id: UUID, *, on: Connection | None = None) -> Sums:
    row = await database.row("recording_progress", {"id": recording_id}, on=on)
    assert row is not None, "an aggregate without grouping answers one row"
    progress = Progress(
        received=ranges_of(row["received"]),
        confirmed=ranges_of(row["confirmed"]),
        missing=ranges_of(row["missing"]),
        lost=ranges_of(row["lost"]),
        received_chunks=row["received_chunks"],
        received_bytes=row["received_bytes"],
        confirmed_bytes=row["confirmed_bytes"],
        open_tickets=row["open_tickets"],
        duration_ms=row["duration_ms"],
    )
    return Sums(progress=progress, last_seq=row["last_seq"], known_bytes=row["known_bytes"])


def _totals_of(row: Row) -> Totals:
    return Totals(
        received_chunks=row["received_chunks"],
        received_bytes=row["received_bytes"],
        confirmed_chunks=row["confirmed_chunks"],
        confirmed_bytes=row["confirmed_bytes"],
        missing_chunks=row["missing_chunks"],
        lost_chunks=row["lost_chunks"],
        duration_ms=row["duration_ms"],
    )
