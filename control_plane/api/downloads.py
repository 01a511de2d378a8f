"""`/v1/downloads`: recordings as files. Nobody waits in a request: it is asked for, looked at, and fetched from the bucket."""

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Count, Id, Range, Time, answer, maybe_rfc3339, rfc3339
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.bodies import CheckBody, DownloadBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import Cursor, EntityTag, IdempotencyKey, PathId, WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.downloads import UNDER_WAY, Download, DownloadState, Stock, WaitingFor, Wish
from control_plane.domain.errors import (
    ChunksMissing,
    DownloadEnded,
    DownloadNotReady,
    DownloadUnknown,
    IdempotencyConflict,
    RecordingDeleted,
    RecordingEmpty,
    RecordingIncomplete,
    RecordingUnknown,
    Refusal,
    TooManyDownloads,
    WebhooksOff,
    WebhookUrlForbidden,
    WebhookUrlMalformed,
)
from control_plane.domain.limits import MAX_PAGE
from control_plane.domain.webhooks import DeliveryState, Webhook

# Progress is written once a second.
POLL_S = 1

DOWNLOAD_ID = PathId(
    name="id",
    description="The download's id, as its start answered it.",
    example="0192f4d6-0c3e-7a51-9d0e-5d1a4f7f0a01",
)
LIMIT = WholeNumber(
    name="limit", description="How many downloads a page has at most.", default=50, low=1, high=MAX_PAGE
)
CURSOR = Cursor(
    name="cursor",
    description="`next_cursor` of the page before; left out: the first page.",
    example="MjAyNi0xMS0wMlQxMDowMDowMCswMDowMCAwMTkyZjRkNi0wYzNlLTdhNTEtOWQwZS01ZDFhNGY3ZjBhMDE=",
)
IDEMPOTENCY_KEY = IdempotencyKey()
IF_NONE_MATCH = EntityTag()


class PackedRecording(TypedDict):
    """A recording in a download; `title` is null where it has none, or was deleted."""

    id: Id
    title: str | None


class DownloadGap(TypedDict):
    """What of a recording is left out, as ranges of `seq`."""

    recording_id: Id
    missing: Sequence[Range]


class DownloadProblem(TypedDict):
    """Why a download failed, or has to wait: `code` never changes its meaning, `detail` is for people."""

    code: str
    detail: str


class DownloadFile(TypedDict):
    """The file of a download that is ready: under which name it is saved, its type, its bytes, and where to get it."""

    name: str
    content_type: str
    size: Count
    path: str


class DownloadWebhook(TypedDict):
    """What the webhook of a download is told: nothing yet (`waiting`), a message under way (`pending`, `next_attempt_at`), one
    that its receiver took (`delivered`), or did not for a day (`given_up`). `last_error` is for people.
    """

    url: str
    state: DeliveryState
    attempts: Count
    last_error: str | None
    next_attempt_at: Time | None


class DownloadAnswer(TypedDict):
    """A download. `waiting_for` says why one that is `queued` does not run: others of its owner are before it (`turn`), chunks
    are asked for again (`chunks`), or a fault passes (`retry`). `version` rises with each change. `problem` says
    why it failed, waits, or is not all that it should be. `file` is there while it is `ready`, until `expires_at`.
    """

    id: Id
    state: DownloadState
    waiting_for: WaitingFor | None
    version: Count
    recordings: list[PackedRecording]
    allow_gaps: bool
    gaps: list[DownloadGap]
    bytes_done: Count
    bytes_total: Count
    percent: Count
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    expires_at: Time | None
    problem: DownloadProblem | None
    file: DownloadFile | None
    webhook: DownloadWebhook | None


class DownloadPage(TypedDict):
    """Downloads, newest first. `next_cursor` is null on the last page."""

    downloads: list[DownloadAnswer]
    next_cursor: str | None


class Availability(TypedDict):
    """Whether a download of this recording would be begun now: what the bucket has of it, what is `missing` as ranges of `seq`,
    and else why not.
    """

    recording_id: Id
    available: bool
    chunks: Count
    bytes: Count
    missing: Sequence[Range]
    problem: DownloadProblem | None


class AvailabilityList(TypedDict):
    """In the order in which they were asked for; `bytes` of those that are available together."""

    recordings: list[Availability]
    bytes: Count


class FileAddress(TypedDict):
    """Where the file is until `expires_at`: with range requests, and saved under its name."""

    url: str
    expires_at: Time


async def begin(request: Request[State]) -> Response:
    """Has one file made of one recording, or a ZIP of several. Answered at once; the file is there when `state` is `ready`.

    The same request again, while there is the same to make of it, is answered with the same download (200). With `allow_gaps`
    what the bucket does not hold is left out and named in `gaps`; without, such a request is refused. A `webhook_url` is told
    when it came to its end.
    """
    owner = await owner_of(request)
    key = IDEMPOTENCY_KEY.read(request)
    body = await read(request, DownloadBody)
    wish = Wish(owner, body.recordings, body.allow_gaps, idempotency_key=key, webhook_url=body.webhook_url)
    download, new = await services(request).downloads.begin(wish)
    told = answer(download_answer(download), 202 if new else 200)
    told.headers["location"] = f"/v1/downloads/{download.id}"
    return told


async def check(request: Request[State]) -> Response:
    """Which of these recordings could be downloaded now, and how large they are. Nothing is begun."""
    owner = await owner_of(request)
    body = await read(request, CheckBody)
    found = await services(request).downloads.check(owner, body.recordings, allow_gaps=body.allow_gaps)
    told: AvailabilityList = {
        "recordings": [_availability(recording_id, stock, refusal) for recording_id, stock, refusal in found],
        "bytes": sum(stock.bytes for _, stock, refusal in found if stock and not refusal),
    }
    return answer(told)


async def page(request: Request[State]) -> Response:
    """The owner's downloads, newest first, by cursor. One that came to an end is told for a week."""
    owner = await owner_of(request)
    limit = LIMIT.read(request)
    found = await services(request).downloads.page(owner, before=CURSOR.read(request), limit=limit)
    following = Cursor.after(found[-1].created_at, found[-1].id) if len(found) == limit else None
    told: DownloadPage = {"downloads": [download_answer(each) for each in found], "next_cursor": following}
    return answer(told)


async def status(request: Request[State]) -> Response:
    """How far it is. Poll with the answer's `ETag` in `If-None-Match`, and not sooner than `Retry-After` says."""
    owner = await owner_of(request)
    download = await services(request).downloads.get(owner, request.path_params["id"])
    tag = f'"{download.version}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if download.state in UNDER_WAY:
        headers["retry-after"] = str(POLL_S)
    if IF_NONE_MATCH.matches(request, tag):
        return Response(status_code=304, headers=headers)
    told = answer(download_answer(download))
    told.headers.update(headers)
    return told


async def cancel(request: Request[State]) -> Response:
    """Ends a download: one under way is `cancelled`, one that is ready loses its file and is `expired`."""
    owner = await owner_of(request)
    return answer(download_answer(await services(request).downloads.cancel(owner, request.path_params["id"])))


async def file(request: Request[State]) -> Response:
    """Sends the caller to its file in the bucket, with a presigned GET: range requests work, and so does going on after a break.

    With `Accept: application/json` the address is told instead: a page can then have the browser fetch it.
    """
    owner = await owner_of(request)
    state = services(request)
    get = await state.downloads.file(owner, request.path_params["id"], state.clock())
    if "application/json" in request.headers.get("accept", ""):
        told: FileAddress = {"url": get.url, "expires_at": rfc3339(get.expires_at)}
        return answer(told)
    return Response(status_code=302, headers={"location": get.url, "cache-control": "no-store"})


def download_answer(download: Download) -> DownloadAnswer:
    """A download."""
    return {
        "id": str(download.id),
        "state": download.state,
        "waiting_for": download.waiting_for,
        "version": download.version,
        "recordings": [{"id": str(found), "title": title} for found, title in download.recordings],
        "allow_gaps": download.allow_gaps,
        "gaps": [{"recording_id": str(gap.recording_id), "missing": gap.missing} for gap in download.gaps],
        "bytes_done": download.bytes_done,
        "bytes_total": download.bytes_total,
        "percent": download.percent,
        "created_at": rfc3339(download.created_at),
        "started_at": maybe_rfc3339(download.started_at),
        "finished_at": maybe_rfc3339(download.finished_at),
        "expires_at": maybe_rfc3339(download.expires_at),
        "problem": {"code": download.cause, "detail": download.detail or ""} if download.cause else None,
        "file": _file_of(download),
        "webhook": _webhook_of(download.webhook),
    }


def _webhook_of(webhook: Webhook | None) -> DownloadWebhook | None:
    if webhook is None:
        return None
    return {
        "url": webhook.url,
        "state": webhook.state,
        "attempts": webhook.attempts,
        "last_error": webhook.last_error,
        "next_attempt_at": maybe_rfc3339(webhook.next_attempt_at),
    }


def _file_of(download: Download) -> DownloadFile | None:
    made = download.file
    if made is None:
        return None
    return {
        "name": made.name,
        "content_type": made.content_type,
        "size": made.size,
        "path": f"/v1/downloads/{download.id}/file",
    }


def _availability(recording_id: UUID, stock: Stock | None, refusal: Refusal | None) -> Availability:
    # Of a recording that was never the owner's nothing is told, and of a deleted one nothing is there.
    known = stock if stock and not stock.recording.deleted else None
    return {
        "recording_id": str(recording_id),
        "available": refusal is None,
        "chunks": known.chunks if known else 0,
        "bytes": known.bytes if known else 0,
        "missing": known.absent if known else [],
        "problem": {"code": refusal.code, "detail": refusal.detail} if refusal else None,
    }


EXAMPLE: DownloadAnswer = {
    "id": DOWNLOAD_ID.example,
    "state": DownloadState.RUNNING,
    "waiting_for": None,
    "version": 4711,
    "recordings": [{"id": examples.RECORDING_ID.example, "title": "Room 4"}],
    "allow_gaps": False,
    "gaps": [],
    "bytes_done": 110_100_480,
    "bytes_total": 220_200_960,
    "percent": 50,
    "created_at": examples.NOW,
    "started_at": examples.NOW,
    "finished_at": None,
    "expires_at": None,
    "problem": None,
    "file": None,
    "webhook": None,
}
QUEUED: DownloadAnswer = {
    **EXAMPLE,
    "state": DownloadState.QUEUED,
    "waiting_for": WaitingFor.TURN,
    "version": 4709,
    "bytes_done": 0,
    "percent": 0,
    "started_at": None,
}
CANCELLED: DownloadAnswer = {
    **EXAMPLE,
    "state": DownloadState.CANCELLED,
    "version": 4712,
    "finished_at": examples.LATER,
}
ADDRESS: FileAddress = {
    "url": f"https://bucket.example.com/downloads/4e/{examples.RECORDING_ID.example}/{DOWNLOAD_ID.example}/file.webm?…",
    "expires_at": examples.LATER,
}
ASKED = {"recordings": [examples.RECORDING_ID.example], "allow_gaps": False}
CHECKED: AvailabilityList = {
    "recordings": [
        {
            "recording_id": examples.RECORDING_ID.example,
            "available": True,
            "chunks": 42,
            "bytes": 220_200_960,
            "missing": [],
            "problem": None,
        }
    ],
    "bytes": 220_200_960,
}

calls = [
    Call(
        id="beginDownload",
        method="POST",
        path="/v1/downloads",
        handler=begin,
        summary="Have a file made of recordings",
        tag="Downloads",
        scope=RECORD,
        headers=[IDEMPOTENCY_KEY],
        body=DownloadBody,
        example=ASKED,
        answers=[
            Answer(DownloadAnswer, QUEUED, 202, "Begun; `Location` is where to ask for it."),
            Answer(DownloadAnswer, EXAMPLE, description="The same request began it before."),
        ],
        problems=[
            RecordingUnknown,
            RecordingDeleted,
            RecordingIncomplete,
            RecordingEmpty,
            ChunksMissing,
            IdempotencyConflict,
            TooManyDownloads,
            WebhooksOff,
            WebhookUrlMalformed,
            WebhookUrlForbidden,
        ],
    ),
    Call(
        id="checkDownload",
        method="POST",
        path="/v1/downloads/check",
        handler=check,
        summary="See what could be downloaded",
        tag="Downloads",
        scope=RECORD,
        body=CheckBody,
        example=ASKED,
        answers=[Answer(AvailabilityList, CHECKED, description="Each of them.")],
        item_problems=[RecordingUnknown, RecordingDeleted, RecordingIncomplete, RecordingEmpty, ChunksMissing],
    ),
    Call(
        id="listDownloads",
        method="GET",
        path="/v1/downloads",
        handler=page,
        summary="List downloads",
        tag="Downloads",
        scope=RECORD,
        query=[LIMIT, CURSOR],
        answers=[Answer(DownloadPage, {"downloads": [EXAMPLE], "next_cursor": None}, description="A page of them.")],
    ),
    Call(
        id="getDownload",
        method="GET",
        path="/v1/downloads/{id:uuid}",
        handler=status,
        summary="See how far a download is",
        tag="Downloads",
        scope=RECORD,
        path_parameters=[DOWNLOAD_ID],
        headers=[IF_NONE_MATCH],
        answers=[
            Answer(DownloadAnswer, EXAMPLE, description="The download; `ETag` is of this version."),
            Answer(None, None, 304, "Nothing changed since the version of `If-None-Match`."),
        ],
        problems=[DownloadUnknown],
    ),
    Call(
        id="cancelDownload",
        method="DELETE",
        path="/v1/downloads/{id:uuid}",
        handler=cancel,
        summary="Cancel a download",
        tag="Downloads",
        scope=RECORD,
        path_parameters=[DOWNLOAD_ID],
        answers=[Answer(DownloadAnswer, CANCELLED, description="It came to an end, in this or another way.")],
        problems=[DownloadUnknown],
    ),
    Call(
        id="fetchDownload",
        method="GET",
        path="/v1/downloads/{id:uuid}/file",
        handler=file,
        summary="Fetch the file of a download",
        tag="Downloads",
        scope=RECORD,
        path_parameters=[DOWNLOAD_ID],
        answers=[
            Answer(FileAddress, ADDRESS, description="Where it is, for who takes `application/json`."),
            Answer(None, None, 302, "`Location` is where it is."),
        ],
        problems=[DownloadUnknown, DownloadNotReady, DownloadEnded],
    ),
]
