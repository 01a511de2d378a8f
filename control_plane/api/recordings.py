"""`/v1/recordings`: start, status, complete, list, chunks."""

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import (
    Count,
    Digest,
    Get,
    RecordingAnswer,
    RecordingSummary,
    Time,
    answer,
    listed_answers,
    maybe_rfc3339,
    recording_answer,
    rfc3339,
)
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.bodies import CompleteBody, StartBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import Cursor, WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.errors import (
    AlreadyComplete,
    ChunksMissing,
    RecordingConflict,
    RecordingDeleted,
    RecordingUnknown,
    TotalsDiffer,
)
from control_plane.domain.limits import MAX_PAGE, MAX_SEQ
from control_plane.domain.models import ChunkState, NewRecording, Progress, Recording, Source
from control_plane.services.recordings import StoredChunk

LIMIT = WholeNumber(
    name="limit", description="How many recordings a page has at most.", default=50, low=1, high=MAX_PAGE
)
CURSOR = Cursor(
    name="cursor",
    description="`next_cursor` of the page before; left out: the first page.",
    example="MjAyNi0xMS0wMlQxMDowMDowMCswMDowMCAwMTkwNWQ1ZS03YjAwLTdjMDAtOGEwMC0wMDAwMDAwMDAwMDE=",
)
AFTER = WholeNumber(
    name="after",
    description="`next_after` of the page before; -1: from the first chunk.",
    default=-1,
    low=-1,
    high=MAX_SEQ,
)
CHUNK_LIMIT = WholeNumber(
    name="limit", description="How many chunks a page has at most.", default=MAX_PAGE, low=1, high=MAX_PAGE
)


class RecordingPage(TypedDict):
    """Recordings, newest first. `next_cursor` is null on the last page."""

    recordings: list[RecordingSummary]
    next_cursor: str | None


class Chunk(TypedDict):
    """A chunk as the ledger has it. `get` is null where the bucket does not hold it (granted, missing, lost); `start_ms` and
    `duration_ms` where its recorder did not say when it was recorded.
    """

    seq: int
    segment: int
    size: Count
    sha256: Digest
    state: ChunkState
    key: str
    acked_at: Time | None
    confirmed_at: Time | None
    start_ms: Count | None
    duration_ms: Count | None
    get: Get | None


class ChunkPage(TypedDict):
    """Chunks in order of `seq`. `next_after` is null on the last page."""

    chunks: list[Chunk]
    next_after: int | None


async def start(request: Request[State]) -> Response:
    """The id is chosen by the caller (UUIDv7): 201 the first time, 200 when repeated.

    The same id with another `recorder_id`, `source` or `mime_type`, or taken by another owner, is a `recording_conflict`.
    A repeated start keeps the title that the recording has.
    """
    owner = await owner_of(request)
    body = await read(request, StartBody)
    new = NewRecording(
        id=request.path_params["id"],
        owner=owner,
        recorder_id=body.recorder_id,
        source=Source(body.source),
        mime_type=body.mime_type,
        title=body.title,
        expected_bytes=body.expected_bytes,
    )
    recording, progress, made = await services(request).recordings.start(new)
    return _answer(request, recording, progress, 201 if made else 200)


async def status(request: Request[State]) -> Response:
    """What the server has of a recording: a recorder that comes back after a crash asks this, and sends the rest."""
    recording, progress = await services(request).recordings.status(await owner_of(request), request.path_params["id"])
    return _answer(request, recording, progress)


async def complete(request: Request[State]) -> Response:
    """Finalises a recording once all its chunks are acknowledged; repeated with the same totals it changes nothing.

    `accept_lost` lets chunks in state `lost` stand: they are named in `lost` for ever.
    """
    owner = await owner_of(request)
    body = await read(request, CompleteBody)
    recording, progress = await services(request).recordings.complete(
        owner,
        request.path_params["id"],
        chunk_count=body.chunk_count,
        total_bytes=body.total_bytes,
        accept_lost=body.accept_lost,
    )
    return _answer(request, recording, progress)


async def list_recordings(request: Request[State]) -> Response:
    """The owner's recordings, newest first, by cursor; each with counts instead of ranges."""
    owner = await owner_of(request)
    limit = LIMIT.read(request)
    before = CURSOR.read(request)
    rows = await services(request).recordings.page(owner, before=before, limit=limit)
    following = Cursor.after(rows[-1][0].created_at, rows[-1][0].id) if len(rows) == limit else None
    told: RecordingPage = {"recordings": listed_answers(rows), "next_cursor": following}
    return answer(told)


async def list_chunks(request: Request[State]) -> Response:
    """What the bucket holds of a recording, in order of `seq`, with presigned GETs for playback."""
    owner = await owner_of(request)
    state = services(request)
    after, limit = AFTER.read(request), CHUNK_LIMIT.read(request)
    chunks = await state.recordings.chunks(
        owner, request.path_params["id"], after=after, limit=limit, now=state.clock()
    )
    following = chunks[-1].chunk.seq if len(chunks) == limit else None
    told: ChunkPage = {"chunks": [_chunk_answer(stored) for stored in chunks], "next_after": following}
    return answer(told)


def _answer(request: Request[State], recording: Recording, progress: Progress, status: int = 200) -> Response:
    interval = services(request).heartbeat_interval_ms
    return answer(recording_answer(recording, progress, heartbeat_interval_ms=interval), status)


def _chunk_answer(stored: StoredChunk) -> Chunk:
    chunk, get = stored.chunk, stored.get
    return {
        "seq": chunk.seq,
        "segment": chunk.segment,
        "size": chunk.size,
        "sha256": chunk.sha256,
        "state": chunk.state,
        "key": stored.key,
        "acked_at": maybe_rfc3339(chunk.acked_at),
        "confirmed_at": maybe_rfc3339(chunk.confirmed_at),
        "start_ms": chunk.start_ms,
        "duration_ms": chunk.duration_ms,
        "get": None if get is None else {"url": get.url, "expires_at": rfc3339(get.expires_at)},
    }


START_EXAMPLE = {
    "recorder_id": examples.RECORDER,
    "source": "recorder",
    "mime_type": "video/webm;codecs=vp8,opus",
    "title": "Room 4",
    "expected_bytes": None,
}
CHUNKS_EXAMPLE: ChunkPage = {
    "chunks": [
        {
            "seq": 0,
            "segment": 0,
            "size": 5_242_880,
            "sha256": examples.DIGEST,
            "state": ChunkState.CONFIRMED,
            "key": examples.KEY,
            "acked_at": examples.NOW,
            "confirmed_at": examples.LATER,
            "start_ms": 0,
            "duration_ms": 5_000,
            "get": {"url": f"https://bucket.example.com/{examples.KEY}?…", "expires_at": examples.LATER},
        }
    ],
    "next_after": None,
}

start_calls = [
    Call(
        id="startRecording",
        method="PUT",
        path="/v1/recordings/{id:uuid}",
        handler=start,
        summary="Start a recording",
        tag="Recorders",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        body=StartBody,
        example=START_EXAMPLE,
        answers=[
            Answer(RecordingAnswer, examples.RECORDING, description="It was started before, and so it stays."),
            Answer(RecordingAnswer, examples.NEW_RECORDING, 201, "Started."),
        ],
        problems=[RecordingConflict, RecordingDeleted],
    ),
]
complete_calls = [
    Call(
        id="completeRecording",
        method="POST",
        path="/v1/recordings/{id:uuid}/complete",
        handler=complete,
        summary="Finalise a recording",
        tag="Recorders",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        body=CompleteBody,
        example={"chunk_count": 42, "total_bytes": 220_200_960, "accept_lost": False},
        answers=[Answer(RecordingAnswer, examples.COMPLETE_RECORDING, description="It is complete, and stays so.")],
        problems=[RecordingUnknown, RecordingDeleted, AlreadyComplete, ChunksMissing, TotalsDiffer],
    ),
]
calls = [
    Call(
        id="listRecordings",
        method="GET",
        path="/v1/recordings",
        handler=list_recordings,
        summary="List recordings",
        tag="Recordings",
        scope=RECORD,
        query=[LIMIT, CURSOR],
        answers=[
            Answer(
                RecordingPage, {"recordings": [examples.SUMMARY], "next_cursor": None}, description="A page of them."
            )
        ],
    ),
    Call(
        id="getRecording",
        method="GET",
        path="/v1/recordings/{id:uuid}",
        handler=status,
        summary="See how far a recording is",
        tag="Recordings",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        answers=[Answer(RecordingAnswer, examples.RECORDING, description="The recording with its ranges.")],
        problems=[RecordingUnknown, RecordingDeleted],
    ),
    Call(
        id="listChunks",
        method="GET",
        path="/v1/recordings/{id:uuid}/chunks",
        handler=list_chunks,
        summary="List chunks, with addresses to read them",
        tag="Recordings",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        query=[AFTER, CHUNK_LIMIT],
        answers=[Answer(ChunkPage, CHUNKS_EXAMPLE, description="A page of them.")],
        problems=[RecordingUnknown, RecordingDeleted],
    ),
]
