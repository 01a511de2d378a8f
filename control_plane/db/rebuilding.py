"""The store of what is taken up from the bucket: recordings, chunks and completions that the ledger does not know."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from control_plane.db.database import Database
from control_plane.domain.keys import shard_of
from control_plane.domain.models import Chunk, ChunkState, RecordingState
from control_plane.domain.ranges import Range
from control_plane.domain.rebuilding import Described, ManifestChunk, Manifested

# Each may need a ticket and an event: under a second, for which the owner's row is locked.
ABSENT_TOGETHER = 2_000

Taken = frozenset[tuple[UUID, int]]


class RebuildStore:
    """Inserts what is not there; never changes what the ledger knows better."""

    def __init__(self, database: Database, *, idle: timedelta) -> None:
        """`idle`: how long a recording that was taken up stays open without any sign of its recorder."""
        self._database = database
        self._idle = idle

    async def become(self, deployment_id: UUID) -> bool:
        """Gives an empty ledger this id, the bucket's; False where the ledger is not empty."""
        return await self._database.row("deployment_become", {"id": deployment_id}) is not None

    async def could_become(self) -> bool:
        """Whether the ledger is empty, so that `become` would take effect now."""
        row = await self._database.row("deployment_is_nobodys", {})
        return row is not None and bool(row["empty"])

    async def states(self, recording_ids: Collection[UUID]) -> Mapping[UUID, RecordingState]:
        """The states of those that the ledger knows."""
        rows = await self._database.rows("recordings_states", {"recording_ids": list(recording_ids)})
        return {row["id"]: RecordingState(row["state"]) for row in rows}

    async def take_up_recording(self, found: Described) -> bool:
        """Whether it was taken up; False where its id, or its share id, is known already."""
        params = {**described_columns(found), "shard": shard_of(found.id), "idle": self._idle}
        return await self._database.row("recording_take_up", params) is not None or (
            await self._database.row("recording_take_description", described_columns(found)) is not None
        )

    async def told(self, recording_ids: Collection[UUID]) -> Collection[UUID]:
        """Those of these that this ledger has described, or deleted. A recorder may have begun others that the bucket knows."""
        rows = await self._database.rows("recordings_told", {"recording_ids": list(recording_ids)})
        return frozenset(row["id"] for row in rows)

    async def take_up_chunks(self, proven: Sequence[tuple[Chunk, str]]) -> Taken:
        """Acks these, each with the ETag seen, where number and recording allow; answers which were taken up."""
        recording_ids = [chunk.recording_id for chunk, _ in proven]
        _, rows = await self._database.together(
            ("owners_of_lock", {"recording_ids": recording_ids}),
            (
                "chunks_take_up",
                {
                    "recording_ids": recording_ids,
                    **_columns([chunk for chunk, _ in proven]),
                    "etags": [etag for _, etag in proven],
                },
            ),
        )
        return frozenset((row["recording_id"], row["seq"]) for row in rows)

    async def complete(self, manifest: Manifested) -> int | None:
        """Makes the recording complete again. How many of its chunks are missing; None where it was complete, or is deleted.

        Chunks get the times that it tells and the ledger does not know.

        Chunks first, in pages: whoever is cut off goes on with an open recording, of which some chunks are asked for already.
        """
        locked = ("owners_of_lock", {"recording_ids": [manifest.id]})
        missing, chunks, ends = 0, manifest.chunks or (), [last for _, last in manifest.lost]
        for first in range(0, len(chunks), ABSENT_TOGETHER):
            page = chunks[first : first + ABSENT_TOGETHER]
            lost = [_within(chunk.seq, manifest.lost, ends) for chunk in page]
            states = [ChunkState.LOST.value if gone else ChunkState.MISSING.value for gone in lost]
            told = {"id": manifest.id, **_columns(page), **_times(page)}
            # Before the absent ones are written: they bring their times with them.
            _, _, rows = await self._database.together(
                locked, ("chunks_take_times", told), ("chunks_absent", {**told, "states": states})
            )
            missing += rows[0]["missing"]
        completed = {
            "id": manifest.id,
            "chunk_count": manifest.chunk_count,
            "total_bytes": manifest.total_bytes,
            "completed_at": manifest.completed_at,
        }
        _, rows = await self._database.together(locked, ("recording_completed_once", completed))
        return missing if rows else None


def described_columns(found: Described) -> Mapping[str, object]:
    """The row's columns that its description tells."""
    return {
        "id": found.id,
        "owner": found.owner,
        "recorder_id": found.recorder_id,
        "source": found.source.value,
        "mime_type": found.mime_type,
        "title": found.title,
        "expected_bytes": found.expected_bytes,
        "share_id": found.link.share_id,
        "shared": found.link.shared,
        "share_expires_at": found.link.expires_at,
        "created_at": found.created_at,
    }


def _within(seq: int, ranges: Sequence[Range], ends: Sequence[int]) -> bool:
    """Whether `seq` is in one of the ascending, disjoint ranges with these ends."""
    at = bisect_left(ends, seq)
    return at < len(ranges) and ranges[at][0] <= seq


def _columns(chunks: Sequence[Chunk] | Sequence[ManifestChunk]) -> dict[str, object]:
    return {
        "seqs": [chunk.seq for chunk in chunks],
        "segments": [chunk.segment for chunk in chunks],
        "sizes": [chunk.size for chunk in chunks],
        "digests": [bytes.fromhex(chunk.sha256) for chunk in chunks],
    }


def _times(chunks: Sequence[ManifestChunk]) -> dict[str, object]:
    return {
        "starts": [chunk.start_ms for chunk in chunks],
        "durations": [chunk.duration_ms for chunk in chunks],
    }
