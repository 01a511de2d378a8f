"""Recordings as those see them who have the link: read, and nothing told of whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from control_plane.db.chunks import ChunkStore
from control_plane.db.sharing import ShareStore
from control_plane.domain.bucket import PresignedRequest, Presigner
from control_plane.domain.downloads import MadeFile
from control_plane.domain.errors import ShareNotReady, ShareUnknown
from control_plane.domain.models import Recording, RecordingState
from control_plane.domain.ranges import Range
from control_plane.domain.sharing import is_share_id
from control_plane.services.recordings import StoredChunk, stored_chunk

# The page asks about this often: somebody who waits sees the end of a recording soon.
LOOK_AGAIN_MS = 5_000


@dataclass(frozen=True, slots=True)
class SharedRecording:
    """A complete recording, the chunks that the bucket does not hold, and its file where one was made."""

    recording: Recording
    duration_ms: int | None
    gaps: Sequence[Range]
    file: tuple[MadeFile, PresignedRequest] | None


class ViewService:
    """What a link leads to."""

    def __init__(self, shares: ShareStore, chunks: ChunkStore, presigner: Presigner) -> None:
        """`presigner` signs for a short time: what it signed outlives a revocation."""
        self._shares = shares
        self._chunks = chunks
        self._presigner = presigner

    async def view(self, share_id: str, now: datetime) -> SharedRecording:
        """Raises `ShareUnknown`, the same for every link that does not work, and `ShareNotReady`."""
        recording = await self._ready(share_id)
        figures = await self._shares.figures(recording.id, recording.chunk_count or 0)
        file = await self._shares.file(recording.id)
        signed = None if file is None else (file, self._signed(file, now))
        return SharedRecording(recording, figures.duration_ms, figures.gaps, signed)

    async def chunks(self, share_id: str, *, after: int, limit: int, now: datetime) -> Sequence[StoredChunk]:
        """Chunks with a seq above `after`, ascending. Raises as `view` does."""
        recording = await self._ready(share_id)
        found = await self._chunks.page(recording.owner, recording.id, after=after, limit=limit)
        return [stored_chunk(chunk, self._presigner, now) for chunk in found]

    async def _ready(self, share_id: str) -> Recording:
        recording = await self._shares.view(share_id) if is_share_id(share_id) else None
        if recording is None:
            raise ShareUnknown("This link leads nowhere (any more). Ask whoever gave it to you for another.")
        if recording.state is not RecordingState.COMPLETE:
            raise ShareNotReady("It is still being recorded. Look again later.", retry_after_ms=LOOK_AGAIN_MS)
        return recording

    def _signed(self, file: MadeFile, now: datetime) -> PresignedRequest:
        return self._presigner.get(file.key, now=now, file_name=file.name, content_type=file.content_type)
