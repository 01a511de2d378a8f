"""Grants: permission to PUT one chunk to one key, in batches. The URL is bound to key, length, type and SHA-256."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.db.chunks import ChunkStore
from control_plane.db.recordings import RecordingStore
from control_plane.domain.bucket import PresignedRequest, Presigner
from control_plane.domain.errors import (
    ChunkConflict,
    QuotaExceeded,
    RecordingComplete,
    Refusal,
    TooManyGrants,
)
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import (
    IN_BUCKET,
    Chunk,
    ChunkClaim,
    ChunkState,
    GrantedBatch,
    GrantRequest,
    LiveGrants,
    Permit,
    Recording,
    Usage,
)
from control_plane.services.describing import DescriptionService
from control_plane.services.recordings import require_alive


@dataclass(frozen=True, slots=True)
class Granted:
    """PUT it with exactly these headers, before `expires_at`."""

    seq: int
    put: PresignedRequest
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AlreadyHeld:
    """The bucket was seen to hold it: nothing to send."""

    seq: int
    state: ChunkState


@dataclass(frozen=True, slots=True)
class Refused:
    """Not granted, and why; its neighbours are not affected."""

    seq: int
    refusal: Refusal


GrantAnswer = Granted | AlreadyHeld | Refused


class GrantService:
    """Answers batches of claims with presigned PUTs."""

    def __init__(
        self,
        recordings: RecordingStore,
        chunks: ChunkStore,
        descriptions: DescriptionService,
        presigner: Presigner,
    ) -> None:
        self._recordings = recordings
        self._chunks = chunks
        self._descriptions = descriptions
        self._presigner = presigner

    async def grant(self, request: GrantRequest) -> Sequence[GrantAnswer]:
        """One answer for each claim, in order; claims have distinct seqs.

        Raises `RecordingUnknown`, `RecordingDeleted`, `StorageUnavailable`.
        """
        owner, recording_id, claims = request.owner, request.recording_id, request.claims
        batch = await self._chunks.grant(request)
        if batch is None or not batch.described:
            # Nothing new, or the first grants of this recording: what is usual needs no second look.
            await self._descriptions.ensure(await self._recording(owner, recording_id))
        if batch and not batch.described:
            batch = await self._chunks.grant(request)
        answered = {*batch.permits, *batch.over_quota, *batch.over_grants} if batch else set()
        others = [claim.seq for claim in claims if claim.seq not in answered]
        known = await self._chunks.claimed(owner, recording_id, others) if others else {}
        return [
            self._answer(recording_id, claim, batch)
            if batch and claim.seq in answered
            else _not_granted(claim, known.get(claim.seq))
            for claim in claims
        ]

    def _answer(self, recording_id: UUID, claim: ChunkClaim, batch: GrantedBatch) -> GrantAnswer:
        if claim.seq in batch.over_quota:
            return Refused(claim.seq, over_quota(batch.usage))
        if claim.seq in batch.over_grants:
            return Refused(claim.seq, too_many_grants(batch.live))
        return self._granted(recording_id, claim, batch.mime_type, batch.permits[claim.seq])

    async def _recording(self, owner: str, recording_id: UUID) -> Recording:
        return require_alive(await self._recordings.get(owner, recording_id))

    def _granted(self, recording_id: UUID, claim: ChunkClaim, mime_type: str, permit: Permit) -> Granted:
        return Granted(claim.seq, put_for(self._presigner, recording_id, claim, mime_type, permit), permit.expires_at)


def _not_granted(claim: ChunkClaim, chunk: Chunk | None) -> AlreadyHeld | Refused:
    if chunk is None:
        # Not granted and not known: its recording takes no new chunks.
        return Refused(claim.seq, RecordingComplete("A complete recording takes no further chunks."))
    if not same_content(chunk, claim):
        detail = f"Number {claim.seq} was first granted for other bytes. File this chunk under a new recording."
        return Refused(claim.seq, ChunkConflict(detail))
    if chunk.state not in IN_BUCKET:
        return Refused(claim.seq, RecordingComplete("It was granted, but the recording was completed without it."))
    return AlreadyHeld(claim.seq, chunk.state)


def over_quota(usage: Usage) -> QuotaExceeded:
    """The refusal, with what the owner has of its quota."""
    assert usage.limit is not None, "only a limit can be exceeded"
    return QuotaExceeded(
        f"{usage.used} of {usage.limit} bytes are used and {usage.reserved} reserved: delete recordings, or ask the "
        "administrator for more. Chunks on the device are kept, and recording goes on.",
        usage,
    )


def too_many_grants(live: LiveGrants | None) -> TooManyGrants:
    """The refusal, with how many grants the owner has and may have."""
    assert live is not None, "told wherever it is the reason"
    return TooManyGrants(
        f"{live.live} of at most {live.limit} grants are live: PUT and ack what is granted, or let it expire, then ask again. "
        "Chunks on the device are kept, and recording goes on.",
        live,
    )


def same_content(chunk: Chunk, claim: ChunkClaim) -> bool:
    """Whether the claim is for what the number was first granted for."""
    return (chunk.segment, chunk.size, chunk.sha256) == (claim.segment, claim.size, claim.sha256)


def put_for(
    presigner: Presigner, recording_id: UUID, content: Chunk | ChunkClaim, mime_type: str, permit: Permit
) -> PresignedRequest:
    """A PUT of exactly this content, valid from its grant on; it overwrites only where something else is in the way."""
    return presigner.put(
        chunk_key(recording_id, content.seq, content.segment, content.size, content.sha256),
        size=content.size,
        sha256=content.sha256,
        content_type=mime_type,
        overwrite=permit.overwrite,
        now=permit.granted_at,
    )
