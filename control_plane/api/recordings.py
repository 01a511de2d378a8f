"""`/v1/recordings`: start, status, complete, list, chunks."""

import base64
import binascii
from datetime import datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer, listed_answers, maybe_rfc3339, recording_answer, rfc3339
from control_plane.api.auth import owner_of
from control_plane.api.bodies import CompleteBody, StartBody, read
from control_plane.api.queries import number, query_error
from control_plane.api.state import State, services
from control_plane.domain.limits import MAX_PAGE, MAX_SEQ
from control_plane.domain.models import NewRecording, Progress, Recording, Source
from control_plane.services.recordings import StoredChunk

DEFAULT_PAGE = 50


async def start(request: Request[State]) -> Response:
    """`PUT /v1/recordings/{id}`: 201 the first time, 200 when repeated."""
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
    """`GET /v1/recordings/{id}`."""
    recording, progress = await services(request).recordings.status(await owner_of(request), request.path_params["id"])
    return _answer(request, recording, progress)


async def complete(request: Request[State]) -> Response:
    """`POST /v1/recordings/{id}/complete`."""
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
    """`GET /v1/recordings`: newest first, by cursor."""
    owner = await owner_of(request)
    limit = number(request, "limit", default=DEFAULT_PAGE, low=1, high=MAX_PAGE)
    before = _read_cursor(request.query_params.get("cursor"))
    rows = await services(request).recordings.page(owner, before=before, limit=limit)
    following = _cursor(rows[-1][0]) if len(rows) == limit else None
    return answer({"recordings": listed_answers(rows), "next_cursor": following})


async def list_chunks(request: Request[State]) -> Response:
    """`GET /v1/recordings/{id}/chunks`: by seq, with presigned GETs."""
    owner = await owner_of(request)
    state = services(request)
    after = number(request, "after", default=-1, low=-1, high=MAX_SEQ)
    limit = number(request, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
    chunks = await state.recordings.chunks(
        owner, request.path_params["id"], after=after, limit=limit, now=state.clock()
    )
    following = chunks[-1].chunk.seq if len(chunks) == limit else None
    return answer({"chunks": [_chunk_answer(stored) for stored in chunks], "next_after": following})


def _answer(request: Request[State], recording: Recording, progress: Progress, status: int = 200) -> Response:
    interval = services(request).heartbeat_interval_ms
    return answer(recording_answer(recording, progress, heartbeat_interval_ms=interval), status)


def _chunk_answer(stored: StoredChunk) -> dict[str, object]:
    chunk, get = stored.chunk, stored.get
    return {
        "seq": chunk.seq,
        "segment": chunk.segment,
        "size": chunk.size,
        "sha256": chunk.sha256,
        "state": chunk.state.value,
        "key": stored.key,
        "acked_at": maybe_rfc3339(chunk.acked_at),
        "confirmed_at": maybe_rfc3339(chunk.confirmed_at),
        "get": None if get is None else {"url": get.url, "expires_at": rfc3339(get.expires_at)},
    }


def _cursor(recording: Recording) -> str:
    return base64.urlsafe_b64encode(f"{recording.created_at.isoformat()} {recording.id}".encode()).decode()


def _read_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        created_at, _, recording_id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        before = datetime.fromisoformat(created_at)
        if before.tzinfo is None:
            raise ValueError("a cursor's time has a zone")
        return before, UUID(recording_id)
    except (ValueError, binascii.Error) as exc:
        raise query_error("cursor", "cursor_malformed", "take the cursor from next_cursor of the page before") from exc


routes = [
    Route("/v1/recordings", list_recordings, methods=["GET"]),
    Route("/v1/recordings/{id:uuid}", start, methods=["PUT"]),
    Route("/v1/recordings/{id:uuid}", status, methods=["GET"]),
    Route("/v1/recordings/{id:uuid}/complete", complete, methods=["POST"]),
    Route("/v1/recordings/{id:uuid}/chunks", list_chunks, methods=["GET"]),
]
