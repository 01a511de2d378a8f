"""`/v1/recordings/{id}/share` for owners, `/v1/shares/{share_id}` for whoever has the link."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answer_headers import also
from control_plane.api.answers import Count, Digest, Get, Id, Range, Time, answer, maybe_rfc3339, rfc3339
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.bodies import ShareBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import PathText
from control_plane.api.rate_limits import count_address
from control_plane.api.recordings import AFTER, CHUNK_LIMIT
from control_plane.api.state import State, services
from control_plane.domain.errors import (
    DatabaseUnavailable,
    RateLimited,
    RecordingDeleted,
    RecordingUnknown,
    ShareExpiryPast,
    ShareNotReady,
    ShareUnknown,
)
from control_plane.domain.models import ChunkState, Recording, Source
from control_plane.services.recordings import StoredChunk
from control_plane.services.viewing import SharedRecording

# A link is for who was given it, not for whoever searches.
UNLISTED = (b"x-robots-tag", b"noindex, nofollow")

SHARE_ID = PathText(
    name="share_id", description="What stands in the link: `share_id` of the recording.", example="q2mX0v1uYH3l8r5d"
)


class ShareAnswer(TypedDict):
    """A recording's link as it is now. `path` is the page behind it on this server; null where nothing is shared."""

    recording_id: Id
    share_id: str
    shared: bool
    expires_at: Time | None
    path: str | None


class SharedFile(TypedDict):
    """The whole recording as one file: under which name it is saved, its type, its bytes, and where it is until `expires_at`."""

    name: str
    content_type: str
    size: Count
    url: str
    expires_at: Time


class SharedAnswer(TypedDict):
    """A shared recording. `gaps` are chunks that the bucket does not hold, as ranges of `seq`; `duration_ms` is null where no
    recorder has said how long it lasts, `file` where there is none at present: then the chunks are to be played.
    """

    title: str | None
    mime_type: str
    source: Source
    created_at: Time
    completed_at: Time | None
    duration_ms: Count | None
    chunk_count: Count | None
    bytes: Count | None
    gaps: Sequence[Range]
    file: SharedFile | None


class SharedChunk(TypedDict):
    """A chunk. `get` is null where the bucket does not hold it; `start_ms` and `duration_ms` where its recorder did not say."""

    seq: int
    segment: int
    size: Count
    sha256: Digest
    state: ChunkState
    start_ms: Count | None
    duration_ms: Count | None
    get: Get | None


class SharedChunkPage(TypedDict):
    """Chunks in order of `seq`. `next_after` is null on the last page."""

    chunks: list[SharedChunk]
    next_after: int | None


async def share(request: Request[State]) -> Response:
    """Has the recording's link work until `expires_at`, as it does from the start without an end. An ended link goes on.

    After a revocation the recording gets a new link: the old one never works again.
    """
    owner = await owner_of(request)
    body = await read(request, ShareBody)
    recording = await services(request).sharing.share(owner, request.path_params["id"], body.ends_at)
    return answer(_share_answer(recording))


async def revoke(request: Request[State]) -> Response:
    """Nobody gets anything by the link any more, for ever. What viewers were given before ends by itself within minutes."""
    owner = await owner_of(request)
    return answer(_share_answer(await services(request).sharing.revoke(owner, request.path_params["id"])))


async def view(request: Request[State]) -> Response:
    """A recording for whoever has its link, without a token, once it is complete. Nothing is told of its owner.

    A link that never was, was revoked or has ended, and that of a deleted recording, are answered alike. Calls are counted by
    the address that they come from.
    """
    await _as_viewer(request)
    state = services(request)
    return answer(_shared_answer(await state.views.view(request.path_params["share_id"], state.clock())))


async def view_chunks(request: Request[State]) -> Response:
    """The chunks of a shared recording in order of `seq`, with presigned GETs that end soon: ask again for new ones."""
    await _as_viewer(request)
    state = services(request)
    after, limit = AFTER.read(request), CHUNK_LIMIT.read(request)
    chunks = await state.views.chunks(request.path_params["share_id"], after=after, limit=limit, now=state.clock())
    following = chunks[-1].chunk.seq if len(chunks) == limit else None
    told: SharedChunkPage = {"chunks": [_chunk_answer(stored) for stored in chunks], "next_after": following}
    return answer(told)


async def _as_viewer(request: Request[State]) -> None:
    also(request.scope, UNLISTED)
    await count_address(request)


def _share_answer(recording: Recording) -> ShareAnswer:
    link = recording.link
    return {
        "recording_id": str(recording.id),
        "share_id": link.share_id,
        "shared": link.shared,
        "expires_at": maybe_rfc3339(link.expires_at),
        "path": f"/s/{link.share_id}" if link.shared else None,
    }


def _shared_answer(shared: SharedRecording) -> SharedAnswer:
    recording = shared.recording
    return {
        "title": recording.title,
        "mime_type": recording.mime_type,
        "source": recording.source,
        "created_at": rfc3339(recording.created_at),
        "completed_at": maybe_rfc3339(recording.completed_at),
        "duration_ms": shared.duration_ms,
        "chunk_count": recording.chunk_count,
        "bytes": recording.total_bytes,
        "gaps": shared.gaps,
        "file": _file_answer(shared),
    }


def _file_answer(shared: SharedRecording) -> SharedFile | None:
    if shared.file is None:
        return None
    made, get = shared.file
    return {
        "name": made.name,
        "content_type": made.content_type,
        "size": made.size,
        "url": get.url,
        "expires_at": rfc3339(get.expires_at),
    }


def _chunk_answer(stored: StoredChunk) -> SharedChunk:
    chunk, get = stored.chunk, stored.get
    return {
        "seq": chunk.seq,
        "segment": chunk.segment,
        "size": chunk.size,
        "sha256": chunk.sha256,
        "state": chunk.state,
        "start_ms": chunk.start_ms,
        "duration_ms": chunk.duration_ms,
        "get": None if get is None else {"url": get.url, "expires_at": rfc3339(get.expires_at)},
    }


SHARE: ShareAnswer = {
    "recording_id": examples.RECORDING_ID.example,
    "share_id": SHARE_ID.example,
    "shared": True,
    "expires_at": examples.LATER,
    "path": f"/s/{SHARE_ID.example}",
}
REVOKED: ShareAnswer = {**SHARE, "shared": False, "expires_at": None, "path": None}
GET: Get = {"url": f"https://bucket.example.com/{examples.KEY}?…", "expires_at": examples.LATER}
SHARED: SharedAnswer = {
    "title": "Room 4",
    "mime_type": "video/webm;codecs=vp8,opus",
    "source": Source.RECORDER,
    "created_at": examples.NOW,
    "completed_at": examples.LATER,
    "duration_ms": 210_000,
    "chunk_count": 42,
    "bytes": 220_200_960,
    "gaps": [],
    "file": None,
}
CHUNKS: SharedChunkPage = {
    "chunks": [
        {
            "seq": 0,
            "segment": 0,
            "size": 5_242_880,
            "sha256": examples.DIGEST,
            "state": ChunkState.CONFIRMED,
            "start_ms": 0,
            "duration_ms": 5_000,
            "get": GET,
        }
    ],
    "next_after": None,
}
_VIEWERS_PROBLEMS = [ShareUnknown, ShareNotReady, RateLimited, DatabaseUnavailable]

calls = [
    Call(
        id="shareRecording",
        method="PUT",
        path="/v1/recordings/{id:uuid}/share",
        handler=share,
        summary="Share a recording",
        tag="Sharing",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        body=ShareBody,
        example={"expires_at": examples.LATER},
        answers=[Answer(ShareAnswer, SHARE, description="The link works until then.")],
        problems=[RecordingUnknown, RecordingDeleted, ShareExpiryPast],
    ),
    Call(
        id="revokeShare",
        method="DELETE",
        path="/v1/recordings/{id:uuid}/share",
        handler=revoke,
        summary="Revoke a recording's link",
        tag="Sharing",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        answers=[Answer(ShareAnswer, REVOKED, description="The link does not work, and never will again.")],
        problems=[RecordingUnknown, RecordingDeleted],
    ),
    Call(
        id="getShare",
        method="GET",
        path="/v1/shares/{share_id:str}",
        handler=view,
        summary="See a shared recording",
        tag="Sharing",
        scope=None,
        path_parameters=[SHARE_ID],
        answers=[Answer(SharedAnswer, SHARED, description="The recording.")],
        problems=_VIEWERS_PROBLEMS,
    ),
    Call(
        id="listSharedChunks",
        method="GET",
        path="/v1/shares/{share_id:str}/chunks",
        handler=view_chunks,
        summary="List a shared recording's chunks, with addresses to read them",
        tag="Sharing",
        scope=None,
        path_parameters=[SHARE_ID],
        query=[AFTER, CHUNK_LIMIT],
        answers=[Answer(SharedChunkPage, CHUNKS, description="A page of them.")],
        problems=_VIEWERS_PROBLEMS,
    ),
]
