"""Recordings: started idempotently, listed, and complete only when every chunk is in the bucket."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.db.chunks import ChunkStore
from control_plane.db.recordings import LockedRecording, RecordingStore, Sums
from control_plane.domain.bucket import PresignedRequest, Presigner
from control_plane.domain.errors import (
    AlreadyComplete,
    ChunksMissing,
    RecordingConflict,
    RecordingDeleted,
    RecordingUnknown,
    TotalsDiffer,
)
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import (
    IN_BUCKET,
    Chunk,
    NewRecording,
    Progress,
    Recording,
    RecordingState,
    Totals,
)
from control_plane.domain.ranges import Range, gaps, to_ranges

# 128 bits: a share id is a secret of its own, and must not be guessed from the recording's id.
SHARE_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk, its key, and a presigned GET where the bucket holds it."""

    chunk: Chunk
    key: str
    get: PresignedRequest | None


class RecordingService:
    """What an owner does with recordings as a whole."""

    def __init__(self, recordings: RecordingStore, chunks: ChunkStore, presigner: Presigner) -> None:
        self._recordings = recordings
        self._chunks = chunks
        self._presigner = presigner

    async def start(self, new: NewRecording) -> tuple[Recording, Progress, bool]:
        """The recording, its progress, and whether this call made it.

        Raises `RecordingConflict` where the id is taken for something else, by whomever: nothing more is told. Raises
        `RecordingDeleted` where it was the owner's: the id of a deleted recording is not used again.
        """
        made = await self._recordings.start(new, secrets.token_urlsafe(SHARE_ID_BYTES))
        if made is not None:
            return made, await self._recordings.progress(made.id), True
        existing = await self._recordings.get(new.owner, new.id)
        if existing is None or not (existing.deleted or _same_start(existing, new)):
            raise RecordingConflict("Choose another recording id: this one is taken.")
        existing = require_alive(existing)
        if existing.state is RecordingState.EXPIRED:
            existing = await self._recordings.revive(new.owner, new.id) or existing
        return existing, await self._recordings.progress(existing.id), False

    async def status(self, owner: str, recording_id: UUID) -> tuple[Recording, Progress]:
        """The recording (also while it is being deleted) and how far it has come.

        Raises `RecordingUnknown`, and `RecordingDeleted` once nothing of it is left.
        """
        recording = await self._recordings.get(owner, recording_id)
        if recording is None or recording.state is not RecordingState.DELETING:
            recording = require_alive(recording)
        return recording, await self._recordings.progress(recording.id)

    async def page(
        self, owner: str, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[tuple[Recording, Totals]]:
        """The owner's recordings older than `before`, newest first, at most `limit`."""
        return await self._recordings.page(owner, before=before, limit=limit)

    async def chunks(
        self, owner: str, recording_id: UUID, *, after: int, limit: int, now: datetime
    ) -> Sequence[StoredChunk]:
        """Chunks with a seq above `after`, ascending, each with its key and how to read it.

        Raises `RecordingUnknown`, `RecordingDeleted`.
        """
        require_alive(await self._recordings.get(owner, recording_id))
        found = await self._chunks.page(owner, recording_id, after=after, limit=limit)
        return [stored_chunk(chunk, self._presigner, now) for chunk in found]

    async def complete(
        self, owner: str, recording_id: UUID, *, chunk_count: int, total_bytes: int, accept_lost: bool
    ) -> tuple[Recording, Progress]:
        """Finalises the recording, or says which chunks are not there.

        Raises `ChunksMissing` (with `missing`), `TotalsDiffer`, and `AlreadyComplete` for another completion than the
        first. Nothing can be granted or acked in between: the row is locked.
        """
        async with self._recordings.locked(owner, recording_id) as locked:
            require_alive(locked.recording if locked else None)
            assert locked is not None, "what is not there was refused"
            return await _complete(locked, chunk_count, total_bytes, accept_lost=accept_lost)


def stored_chunk(chunk: Chunk, presigner: Presigner, now: datetime) -> StoredChunk:
    """The chunk with how to read it, from `now` on for as long as the presigner signs."""
    key = chunk_key(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256)
    return StoredChunk(chunk, key, presigner.get(key, now=now) if chunk.state in IN_BUCKET else None)


async def _complete(
    locked: LockedRecording, chunk_count: int, total_bytes: int, *, accept_lost: bool
) -> tuple[Recording, Progress]:
    sums = await locked.sums()
    recording = locked.recording
    if recording.state is RecordingState.COMPLETE:
        if (recording.chunk_count, recording.total_bytes) != (chunk_count, total_bytes):
            raise AlreadyComplete(
                f"It was completed with {recording.chunk_count} chunks and {recording.total_bytes} bytes, for ever.",
                chunk_count=recording.chunk_count,
                total_bytes=recording.total_bytes,
            )
        return recording, sums.progress
    check_completion(sums, chunk_count, total_bytes, accept_lost=accept_lost)
    return await locked.finalise(chunk_count=chunk_count, total_bytes=total_bytes), sums.progress


def check_completion(sums: Sums, chunk_count: int, total_bytes: int, *, accept_lost: bool) -> None:
    """Raises unless all chunks `0 … chunk_count - 1` are in the bucket (or lost, where that is accepted), and no others."""
    if absent := not_in_bucket(sums.progress, chunk_count, accept_lost=accept_lost):
        raise ChunksMissing(
            "Send the missing chunks, then complete again. Nothing that was acknowledged is lost.",
            missing=absent,
        )
    if sums.last_seq >= chunk_count or sums.known_bytes != total_bytes:
        raise TotalsDiffer(
            f"The bucket holds {sums.last_seq + 1} chunks and {sums.known_bytes} bytes of it: complete with those totals.",
            chunk_count=sums.last_seq + 1,
            total_bytes=sums.known_bytes,
        )


def not_in_bucket(progress: Progress, chunk_count: int, *, accept_lost: bool) -> list[Range]:
    """What completion would still need, as ranges."""
    settled = list(progress.received)
    if accept_lost:
        settled = to_ranges(n for first, last in (*settled, *progress.lost) for n in range(first, last + 1))
    return gaps(settled, chunk_count)


def require_alive(recording: Recording | None) -> Recording:
    """The recording, where the owner has it. Raises `RecordingUnknown`, `RecordingDeleted`."""
    if recording is None:
        raise RecordingUnknown("There is no such recording among yours. A recorder starts it, then sends.")
    if recording.deleted:
        raise RecordingDeleted("It was deleted. Drop what is held of it.")
    return recording


def _same_start(existing: Recording, new: NewRecording) -> bool:
    return (existing.recorder_id, existing.source, existing.mime_type) == (
        new.recorder_id,
        new.source,
        new.mime_type,
    )
