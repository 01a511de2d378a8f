"""Acks: recorded only after a HEAD proved the object. A HEAD that failed is never an ack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.db.chunks import ChunkStore
from control_plane.db.recordings import RecordingStore
from control_plane.domain.bucket import ObjectHead
from control_plane.domain.errors import ChunkNotGranted, RecordingComplete, Refusal
from control_plane.domain.findings import Finding
from control_plane.domain.judging import judge, judge_again
from control_plane.domain.models import AckClaim, Chunk, ChunkState, ProvenAck, Verdict
from control_plane.services.looking import Looker, Sight
from control_plane.services.recordings import require_alive


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim's verdict, and the chunk's state after it."""

    seq: int
    verdict: Verdict
    state: ChunkState


@dataclass(frozen=True, slots=True)
class Refused:
    """The claim is for a chunk that was never granted, or that is beyond the end of a complete recording."""

    seq: int
    refusal: Refusal


AckAnswer = Judged | Refused


@dataclass(frozen=True, slots=True)
class _Looked:
    chunk: Chunk
    verdict: Verdict
    etag: str
    doubt: Finding | None = None


class AckService:
    """Verifies claims against the bucket and commits what was proven."""

    def __init__(self, recordings: RecordingStore, chunks: ChunkStore, looker: Looker) -> None:
        self._recordings = recordings
        self._chunks = chunks
        self._looker = looker

    async def ack(self, owner: str, recording_id: UUID, claims: Sequence[AckClaim]) -> Sequence[AckAnswer]:
        """One answer for each claim, in order; claims have distinct seqs. One bad chunk does not fail its neighbours.

        Raises `RecordingUnknown`, `RecordingDeleted`.
        """
        chunks = await self._chunks.claimed(owner, recording_id, [claim.seq for claim in claims])
        if len(chunks) < len(claims):
            await self._require_recording(owner, recording_id)
        looked = await self._look([(chunks[claim.seq], claim) for claim in claims if claim.seq in chunks])
        states = await self._commit(owner, looked)
        if any(found.verdict is Verdict.MATCH and seq not in states for seq, found in looked.items()):
            # A proven ack is refused where the recording's deletion was committed first, or beyond a recording's end.
            await self._require_recording(owner, recording_id)
        await self._make_way(owner, recording_id, looked)
        await self._chunks.doubt([found.doubt for found in looked.values() if found.doubt is not None])
        return [_answer(claim.seq, looked, states) for claim in claims]

    async def _require_recording(self, owner: str, recording_id: UUID) -> None:
        require_alive(await self._recordings.get(owner, recording_id))

    async def _look(self, claimed: Sequence[tuple[Chunk, AckClaim]]) -> Mapping[int, _Looked]:
        if len(claimed) == 1:
            sights: Sequence[Sight] = [await self._looker.look(claimed[0][0])]
        else:
            sights = await self._looker.look_at_all([chunk for chunk, _ in claimed])
        found = [_judged(chunk, claim, sight) for (chunk, claim), sight in zip(claimed, sights, strict=True)]
        return {looked.chunk.seq: looked for looked in found}

    async def _commit(self, owner: str, looked: Mapping[int, _Looked]) -> Mapping[int, ChunkState]:
        proven = [
            ProvenAck(found.chunk.recording_id, seq, found.chunk.sha256, found.etag)
            for seq, found in looked.items()
            if found.verdict is Verdict.MATCH
        ]
        by_id = await self._chunks.record_acks(owner, proven) if proven else {}
        return {ack.seq: by_id[ack.recording_id, ack.seq] for ack in proven if (ack.recording_id, ack.seq) in by_id}

    async def _make_way(self, owner: str, recording_id: UUID, looked: Mapping[int, _Looked]) -> None:
        blocked = [
            seq
            for seq, found in looked.items()
            if found.verdict not in {Verdict.MATCH, Verdict.UNREACHABLE} and not found.chunk.overwrite
        ]
        if blocked:
            await self._chunks.allow_overwrite(owner, recording_id, blocked)


def _judged(chunk: Chunk, claim: AckClaim, sight: Sight) -> _Looked:
    if not sight.reached:
        return _Looked(chunk, Verdict.UNREACHABLE, "")
    verdict = judge(size=chunk.size, sha256=chunk.sha256, etag=claim.etag, head=sight.head)
    return _Looked(chunk, verdict, sight.head.etag if sight.head else "", _doubt(chunk, sight.head))


def _doubt(chunk: Chunk, head: ObjectHead | None) -> Finding | None:
    """What a HEAD shows against a chunk: as good as a sweep's first sighting, it stops the release of one that counts as safe.

    Of one that was not acked when this call began, too: it may be by now. It had no ETag to be judged by.
    """
    verdict = judge_again(chunk, head)
    return None if verdict in {Verdict.MATCH, Verdict.UNPROVEN} else Finding(chunk, verdict)


def _answer(seq: int, looked: Mapping[int, _Looked], states: Mapping[int, ChunkState]) -> AckAnswer:
    found = looked.get(seq)
    if found is None:
        return Refused(seq, ChunkNotGranted(f"Ask for a grant of chunk {seq} first, then PUT it."))
    if found.verdict is Verdict.MATCH and seq not in states:
        return Refused(seq, RecordingComplete("The recording was completed without this chunk."))
    return Judged(seq, found.verdict, states.get(seq, found.chunk.state))
