"""Request bodies: strict models at the edge, and a stable code for each way in which one can be wrong."""

import json
from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from control_plane.api.body_refusals import TIME_WORDS, own_fault, range_code, refusal_of
from control_plane.api.state import State
from control_plane.domain.errors import (
    BodyTooLarge,
    ContentEncodingUnsupported,
    ContentTypeUnsupported,
    JsonMalformed,
)
from control_plane.domain.limits import (
    MAX_BATCH,
    MAX_CHUNK_BYTES,
    MAX_DOWNLOAD_RECORDINGS,
    MAX_GONE,
    MAX_HELD_RANGES,
    MAX_HELD_RECORDINGS,
    MAX_RECORDING_BYTES,
    MAX_RECORDING_MS,
    MAX_SEGMENT,
    MAX_SEQ,
    MAX_TITLE_LENGTH,
    MIME_TYPES,
)
from control_plane.domain.webhook_urls import MAX_URL_LENGTH

# With a zone: a time without one means another moment elsewhere.
RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
# Of times to come that a person can mean; later ones leave the calendar in other zones.
YEARS = range(2000, 9999)

# Twice what a batch of 1,000 grants or 10,000 ranges takes.
MAX_BODY_BYTES = 1024 * 1024

# PostgreSQL's text cannot hold NUL, and the others (C0, DEL, C1) have no business in a title, a log field or a terminal.
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"


def _allowed_mime_type(value: str) -> str:
    container = value.split(";", 1)[0].strip()
    if container not in MIME_TYPES:
        raise PydanticCustomError(
            "mime_type_not_allowed", "must be of a type of {allowed}", {"allowed": ", ".join(sorted(MIME_TYPES))}
        )
    return value


Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
# Signed as a header of the PUT: only what may stand in one, and what MediaRecorder says (RFC 6381 for codecs).
_CODEC = r"[A-Za-z0-9_.-]+"
MIME_TYPE = rf'^[a-z]+/[a-z0-9.-]+(; ?codecs=({_CODEC}(,{_CODEC})*|"{_CODEC}(, ?{_CODEC})*"))?$'
MimeType = Annotated[str, StringConstraints(max_length=200, pattern=MIME_TYPE), AfterValidator(_allowed_mime_type)]


# For people alone: nothing is decided by it.
Milliseconds = Annotated[int, Field(ge=0, le=MAX_RECORDING_MS)] | None


class Body(BaseModel):
    """Base of all bodies: no member that is not named, no type but the right one.

    The configured title is the model's name in the OpenAPI document; `own_codes` are those that its validators raise.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    own_codes: ClassVar[frozenset[str]] = frozenset()


class StartBody(Body):
    """What a recorder says of a recording when it starts it."""

    model_config = ConfigDict(title="StartRequest")

    recorder_id: UUID = Field(description="The browser profile that records: made once, kept, the same in heartbeats.")
    source: Literal["recorder", "file"] = Field(
        description="`recorder`: recorded live; `file`: cut from a finished file."
    )
    mime_type: MimeType = Field(description="What was recorded, with codecs if known: `video/webm;codecs=vp8,opus`.")
    title: Annotated[str, StringConstraints(max_length=MAX_TITLE_LENGTH, pattern=NO_CONTROLS)] | None = Field(
        default=None, description="For people; null or left out: none."
    )
    expected_bytes: Annotated[int, Field(ge=0, le=MAX_RECORDING_BYTES)] | None = Field(
        default=None, description="How large it will be, where that is known. Written down, and held against nothing."
    )


class ChunkBody(Body):
    """A sealed chunk: its number, its segment, its size in bytes, and its SHA-256 in lower-case hex."""

    model_config = ConfigDict(title="ChunkClaim")

    seq: Seq = Field(description="The chunk's number, from 0 over the whole recording.")
    segment: Annotated[int, Field(ge=0, le=MAX_SEGMENT)] = Field(
        description="Which run of MediaRecorder it is of, from 0: each begins with a header of its own."
    )
    size: Annotated[int, Field(ge=1, le=MAX_CHUNK_BYTES)] = Field(description="Bytes; the PUT must have as many.")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Digest of its bytes, in lower-case hex."
    )
    start_ms: Milliseconds = Field(
        default=None, description="Where in the recording it begins, pauses left out; null or left out: not known."
    )
    duration_ms: Milliseconds = Field(default=None, description="How long it lasts; null or left out: not known.")


class AckBody(Body):
    """A chunk that was PUT; `etag` is what the bucket answered, left out where that answer was lost."""

    model_config = ConfigDict(title="AckClaim")

    seq: Seq = Field(description="The number of a chunk that was granted.")
    etag: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        default=None, description="What the bucket answered to the PUT, with or without its quotes."
    )


ChunkBodies = TypeVar("ChunkBodies", list[ChunkBody], list[AckBody])


def _each_seq_once(items: ChunkBodies) -> ChunkBodies:
    seen: set[int] = set()
    for place, item in enumerate(items):
        if item.seq in seen:
            raise own_fault("duplicate_seq", "stands in this batch already: name each seq once", place, "seq")
        seen.add(item.seq)
    return items


class GrantsBody(Body):
    """The chunks to be granted, each `seq` once."""

    model_config = ConfigDict(title="GrantsRequest")
    own_codes = frozenset({"duplicate_seq"})

    chunks: Annotated[list[ChunkBody], Field(min_length=1, max_length=MAX_BATCH), AfterValidator(_each_seq_once)] = (
        Field(description="The chunks to be sent; answered in this order.")
    )


class AcksBody(Body):
    """The chunks that were PUT, each `seq` once."""

    model_config = ConfigDict(title="AcksRequest")
    own_codes = frozenset({"duplicate_seq"})

    acks: Annotated[list[AckBody], Field(min_length=1, max_length=MAX_BATCH), AfterValidator(_each_seq_once)] = Field(
        description="The chunks that were sent; answered in this order."
    )


class CompleteBody(Body):
    """The totals of the whole recording. `accept_lost` lets chunks that are lost for good stand."""

    model_config = ConfigDict(title="CompleteRequest")

    chunk_count: Annotated[int, Field(ge=0, le=MAX_SEQ + 1)] = Field(
        description="How many chunks it has: the last `seq` plus one."
    )
    total_bytes: Annotated[int, Field(ge=0, le=MAX_RECORDING_BYTES)] = Field(
        description="The sizes of all its chunks together."
    )
    accept_lost: bool = Field(default=False, description="Complete it without the chunks that are lost for good.")


def _each_recording_once(ids: list[UUID]) -> list[UUID]:
    seen: set[UUID] = set()
    for place, each in enumerate(ids):
        if each in seen:
            raise own_fault("duplicate_recording", "stands in this list already: name each recording once", place)
        seen.add(each)
    return ids


class CheckBody(Body):
    """The recordings of which a download might be made."""

    model_config = ConfigDict(title="DownloadCheckRequest")
    own_codes = frozenset({"duplicate_recording"})

    recordings: Annotated[
        list[UUID], Field(min_length=1, max_length=MAX_DOWNLOAD_RECORDINGS), AfterValidator(_each_recording_once)
    ] = Field(description="Ids of recordings, in the order in which they are to be packed, each once.")
    allow_gaps: bool = Field(
        default=False, description="Take what the bucket holds, also of recordings that still run."
    )


class DownloadBody(CheckBody):
    """The recordings of which a file is to be made: one of one, a ZIP of several."""

    model_config = ConfigDict(title="DownloadRequest")

    webhook_url: Annotated[str, StringConstraints(max_length=MAX_URL_LENGTH)] | None = Field(
        default=None,
        description="An https URL that is told, signed, when the download is ready, failed, was cancelled or expired.",
    )


def _is_a_moment(text: str) -> str:
    """Raises unless it is within the calendar, in every zone."""
    try:
        if datetime.fromisoformat(text.upper()).year in YEARS:
            return text
    except ValueError:
        pass
    raise own_fault("time_malformed", TIME_WORDS)


class ShareBody(Body):
    """Until when the recording's link works."""

    model_config = ConfigDict(title="ShareRequest")

    expires_at: (
        Annotated[
            str,
            StringConstraints(pattern=RFC3339, max_length=64),
            AfterValidator(_is_a_moment),
            Field(json_schema_extra={"format": "date-time"}),
        ]
        | None
    ) = Field(default=None, description="When it ends (RFC 3339); null or left out: when the recording is deleted.")

    @property
    def ends_at(self) -> datetime | None:
        """The same as a time."""
        return None if self.expires_at is None else datetime.fromisoformat(self.expires_at.upper())


class QuotaBody(Body):
    """The limit of one owner."""

    limit_bytes: Annotated[int, Field(ge=0, le=2**62)] | None = Field(
        description="What it may have in the bucket, in bytes; null: as much as everybody."
    )


class SweepBody(Body):
    """Which sweep to run now."""

    kind: Literal["confirm", "audit", "fixity"] = Field(
        description="`confirm`: sees new acks again in the bucket; `audit`: compares the bucket with the ledger; `fixity`: reads "
        "chunks back, as many as may be read now."
    )
    dry_run: bool = Field(default=False, description="Whether to say only what would be done.")


class StorageBody(Body):
    """What the browser tells of its storage, in bytes; null where it does not tell."""

    model_config = ConfigDict(title="StorageReport")

    persisted: bool | None = Field(default=None, description="The browser promised not to evict it by itself.")
    usage: Annotated[int, Field(ge=0, le=2**62)] | None = Field(default=None, description="Bytes that this site uses.")
    quota: Annotated[int, Field(ge=0, le=2**62)] | None = Field(default=None, description="Bytes that it may use.")


Range = Annotated[list[Seq], Field(min_length=2, max_length=2)]


def _ascending(ranges: list[Range]) -> list[Range]:
    for place, (first, last) in enumerate(ranges):
        if first > last:
            raise own_fault("range_malformed", "must be [first, last], first not above last", place)
    return ranges


class HoldingBody(Body):
    """The sealed chunks of a recording that are still held, as inclusive ranges of `seq`; `open`: more will come."""

    model_config = ConfigDict(title="Holding")

    recording_id: UUID = Field(description="Which recording; each stands here once.")
    ranges: Annotated[list[Range], AfterValidator(_ascending)] = Field(
        description="Sealed chunks still held, as `[first, last]`, both included; at most 10,000 ranges in a heartbeat."
    )
    open: bool = Field(description="More chunks will come.")
    kept: Annotated[list[Range], AfterValidator(_ascending)] = Field(
        default_factory=list,
        description="Chunks that were released and are still there: asked for when the bucket loses them, not released again.",
    )


def _bounded_and_each_once(holding: list[HoldingBody]) -> list[HoldingBody]:
    if sum(len(held.ranges) + len(held.kept) for held in holding) > MAX_HELD_RANGES:
        words = "must have 10,000 ranges or fewer in all: tell the others in the next heartbeat"
        raise own_fault("batch_size_out_of_range", words)
    seen: set[UUID] = set()
    for place, held in enumerate(holding):
        if held.recording_id in seen:
            words = "stands in this heartbeat already: name each recording once"
            raise own_fault("duplicate_recording", words, place, "recording_id")
        seen.add(held.recording_id)
    return holding


class HeartbeatBody(Body):
    """What a recorder holds. `gone` names tickets for chunks that it does not hold any more."""

    model_config = ConfigDict(title="HeartbeatRequest")
    own_codes = frozenset({"duplicate_recording"})

    recorder_id: UUID = Field(description="The browser profile that speaks, as in the start of its recordings.")
    counter: Annotated[int, Field(ge=0, le=2**62)] = Field(
        description="Higher with each heartbeat; the answer carries it, so that an older answer is known as such."
    )
    sdk: Annotated[str, StringConstraints(max_length=64, pattern=NO_CONTROLS)] = Field(
        description="Version of the recorder's program, kept for the operator."
    )
    storage: StorageBody = Field(description="What the browser tells of its storage.")
    holding: Annotated[
        list[HoldingBody], Field(max_length=MAX_HELD_RECORDINGS), AfterValidator(_bounded_and_each_once)
    ] = Field(
        description="The recordings that it holds chunks of; where they are more, the others in later heartbeats."
    )
    gone: Annotated[list[UUID], Field(max_length=MAX_GONE)] = Field(
        default_factory=list, description="Ids of tickets whose chunks it does not hold."
    )


B = TypeVar("B", bound=Body)


async def read(request: Request[State], model: type[B]) -> B:
    """The request's body as `model`.

    Raises `ContentTypeUnsupported`, `ContentEncodingUnsupported`, `BodyTooLarge`, `JsonMalformed`, or `BodyInvalid` that
    names each wrong member.
    """
    if request.headers.get("content-type", "").split(";", 1)[0].strip().lower() != "application/json":
        raise ContentTypeUnsupported("Send the body as “Content-Type: application/json”.")
    codings = request.headers.getlist("content-encoding") or ["identity"]
    if [coding.strip().lower() for coding in codings] != ["identity"]:
        raise ContentEncodingUnsupported("Send the body as it is: nothing is unpacked here.")
    raw = await _bounded(request)
    try:
        body = model.model_validate_json(raw)
    except ValidationError as exc:
        raise refusal_of(exc.errors(include_url=False, include_input=False)) from exc
    json.loads(raw, object_pairs_hook=_named_once)
    return body


def _named_once(members: list[tuple[str, object]]) -> None:
    """A name that stands twice is read as the first by some and as the last by others (RFC 8259, 4): it means nothing."""
    names = {name for name, _ in members}
    if len(names) < len(members):
        raise JsonMalformed("The body names a member twice: name each once.")


async def _bounded(request: Request[State]) -> bytes:
    announced = request.headers.get("content-length", "0")  # whole digits: the server refuses others
    if int(announced) > MAX_BODY_BYTES:
        raise BodyTooLarge(f"Send at most {MAX_BODY_BYTES} bytes: smaller batches.")
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"Send at most {MAX_BODY_BYTES} bytes: smaller batches.")
    return bytes(raw)


@cache
def codes_of(model: type[Body]) -> frozenset[str]:
    """Every code with which this body can be refused, one that is JSON."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    members = {name: member for part in parts for name, member in part.get("properties", {}).items()}
    found = {"unknown_member", "member_missing", "wrong_type", *model.own_codes}
    found |= {range_code(name) for name in members}
    if '"uuid"' in json.dumps(members):
        found.add("id_malformed")
    return frozenset(found)
