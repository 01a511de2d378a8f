"""Answers: the ledger's values as the JSON of docs/protocol.md, and the shapes that the OpenAPI document gives them.

The shapes are `TypedDict`s: plain dicts at run time, held to their members by mypy.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import (
    Annotated,
    Literal,
    NotRequired,  # pydantic needs this one before Python 3.12
)

from pydantic import Field, WithJsonSchema
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.domain.bucket import PresignedRequest
from control_plane.domain.limits import MAX_BATCH, MAX_CHUNK_BYTES, MAX_SEGMENT, MAX_SEQ
from control_plane.domain.models import (
    ChunkState,
    DeleteCause,
    Deletion,
    Progress,
    Recording,
    RecordingState,
    Source,
    Totals,
    Usage,
)

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Id = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Range = Annotated[
    tuple[int, int],
    WithJsonSchema(
        {"type": "array", "prefixItems": [{"type": "integer", "minimum": 0}] * 2, "minItems": 2, "maxItems": 2}
    ),
]
HeldState = Literal["acked", "confirmed"]

HELD: Mapping[ChunkState, HeldState] = {ChunkState.ACKED: "acked", ChunkState.CONFIRMED: "confirmed"}
"""States of a chunk that the bucket is known to hold, as answers word them."""


class Limits(TypedDict):
    """What the protocol takes at most: bytes of a chunk, items of a batch, numbers of chunks and segments."""

    max_chunk_bytes: int
    max_batch: int
    max_seq: int
    max_segment: int


LIMITS: Limits = {
    "max_chunk_bytes": MAX_CHUNK_BYTES,
    "max_batch": MAX_BATCH,
    "max_seq": MAX_SEQ,
    "max_segment": MAX_SEGMENT,
}


class Put(TypedDict):
    """A presigned PUT to the bucket: to be sent with exactly these headers and a body of the granted length."""

    url: str
    headers: Mapping[str, str]


class Get(TypedDict):
    """A presigned GET from the bucket."""

    url: str
    expires_at: Time


class Quota(TypedDict):
    """An owner's quota, in bytes: what it may have at most (null: no limit), has, and has grants for."""

    limit_bytes: Count | None
    used_bytes: Count
    reserved_bytes: Count


class ItemProblem(TypedDict):
    """Why one item of a batch was refused; the others are not affected. `quota_exceeded` tells the quota's numbers,
    `too_many_grants` how many live grants the owner has and may have."""

    code: str
    detail: str
    limit_bytes: NotRequired[Count | None]
    used_bytes: NotRequired[Count]
    reserved_bytes: NotRequired[Count]
    live_grants: NotRequired[Count]
    max_live_grants: NotRequired[Count]


class DeletionState(TypedDict):
    """Why and since when a recording is being deleted; `failures`: how often in a row the bucket could not be purged."""

    cause: DeleteCause
    requested_at: Time
    failures: Count


class ShareState(TypedDict):
    """Whether the recording's link (`/s/{share_id}`) works, and until when: null is for as long as the recording is there."""

    shared: bool
    expires_at: Time | None


class RecordingFacts(TypedDict):
    """What a recording and its row in a list have in common."""

    id: Id
    share_id: str
    state: RecordingState
    complete: bool
    source: Source
    mime_type: str
    title: str | None
    recorder_id: Id
    created_at: Time
    completed_at: Time | None
    expires_at: Time | None
    chunk_count: Count | None
    total_bytes: Count | None
    deletion: DeletionState | None
    share: ShareState


class RecordingAnswer(RecordingFacts):
    """A recording with its chunks as ranges of `seq`. `received` are those acked or confirmed; `next_chunk_index` is the
    lowest not received; `complete` is true only once it was finalised. `duration_ms`: how long it lasts, with chunks that were
    granted and are still on a device; null where no recorder has said.
    """

    received: Sequence[Range]
    confirmed: Sequence[Range]
    missing: Sequence[Range]
    lost: Sequence[Range]
    received_chunks: Count
    received_bytes: Count
    confirmed_bytes: Count
    duration_ms: Count | None
    next_chunk_index: Count
    open_tickets: Count
    limits: Limits
    heartbeat_interval_ms: Count


class RecordingSummary(RecordingFacts):
    """A recording in a list: counts instead of ranges. `duration_ms` is null where no recorder has said how long it lasts."""

    received_chunks: Count
    received_bytes: Count
    confirmed_chunks: Count
    confirmed_bytes: Count
    missing_chunks: Count
    lost_chunks: Count
    duration_ms: Count | None


class WrongMember(TypedDict):
    """One thing that is wrong with a request: where (`pointer` into the body, RFC 6901, or `parameter`), code, words."""

    code: str
    detail: str
    pointer: NotRequired[str]
    parameter: NotRequired[str]


class Problem(TypedDict):
    """A problem document (RFC 9457). `code` never changes its meaning; `title` and `detail` are for people. `request_id` names
    the request in the operator's log.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    retry_after_ms: NotRequired[Count]
    errors: NotRequired[list[WrongMember]]
    missing: NotRequired[list[Range]]
    chunk_count: NotRequired[Count]
    total_bytes: NotRequired[Count]


def answer(body: object, status: int = 200) -> Response:
    """A JSON response. Answers carry URLs that are permissions, and change from call to call: never cached."""
    return Response(to_json(body), status, {"cache-control": "no-store"}, media_type="application/json")


def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe_rfc3339(at: datetime | None) -> str | None:
    """The same, where there may be no time."""
    return None if at is None else rfc3339(at)


def put_answer(put: PresignedRequest) -> Put:
    """A presigned PUT."""
    return {"url": put.url, "headers": put.headers}


def usage_answer(usage: Usage) -> Quota:
    """What an owner has of its quota, in bytes."""
    return {"limit_bytes": usage.limit, "used_bytes": usage.used, "reserved_bytes": usage.reserved}


def recording_answer(recording: Recording, progress: Progress, *, heartbeat_interval_ms: int) -> RecordingAnswer:
    """A recording with its ranges."""
    return {
        **_facts(recording),
        "received": progress.received,
        "confirmed": progress.confirmed,
        "missing": progress.missing,
        "lost": progress.lost,
        "received_chunks": progress.received_chunks,
        "received_bytes": progress.received_bytes,
        "confirmed_bytes": progress.confirmed_bytes,
        "duration_ms": progress.duration_ms,
        "next_chunk_index": progress.next_chunk_index,
        "open_tickets": progress.open_tickets,
        "limits": LIMITS,
        "heartbeat_interval_ms": heartbeat_interval_ms,
    }


def listed_answer(recording: Recording, totals: Totals) -> RecordingSummary:
    """A recording as a list shows it: counts instead of ranges."""
    return {
        **_facts(recording),
        "received_chunks": totals.received_chunks,
        "received_bytes": totals.received_bytes,
        "confirmed_chunks": totals.confirmed_chunks,
        "confirmed_bytes": totals.confirmed_bytes,
        "missing_chunks": totals.missing_chunks,
        "lost_chunks": totals.lost_chunks,
        "duration_ms": totals.duration_ms,
    }


def listed_answers(rows: Sequence[tuple[Recording, Totals]]) -> list[RecordingSummary]:
    """A page of a list."""
    return [listed_answer(recording, totals) for recording, totals in rows]


def _facts(recording: Recording) -> RecordingFacts:
    return {
        "id": str(recording.id),
        "share_id": recording.link.share_id,
        "state": recording.state,
        "complete": recording.state is RecordingState.COMPLETE,
        "source": recording.source,
        "mime_type": recording.mime_type,
        "title": recording.title,
        "recorder_id": str(recording.recorder_id),
        "created_at": rfc3339(recording.created_at),
        "completed_at": maybe_rfc3339(recording.completed_at),
        "expires_at": maybe_rfc3339(recording.expires_at),
        "chunk_count": recording.chunk_count,
        "total_bytes": recording.total_bytes,
        "deletion": _deletion_state(recording.deletion),
        "share": {"shared": recording.link.shared, "expires_at": maybe_rfc3339(recording.link.expires_at)},
    }


def _deletion_state(deletion: Deletion | None) -> DeletionState | None:
    if deletion is None:
        return None
    return {
        "cause": deletion.cause,
        "requested_at": rfc3339(deletion.requested_at),
        "failures": deletion.failures,
    }
