"""Server-sent events (HTML standard, 9.2) of downloads: how far they are, as it changes, until they are through."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from control_plane.api.application import Application
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.contract import Answer, Call
from control_plane.api.downloads import DOWNLOAD_ID, EXAMPLE, DownloadAnswer, download_answer
from control_plane.api.draining import Phase
from control_plane.api.parameters import LastEventId
from control_plane.api.state import State, services
from control_plane.domain.downloads import UNDER_WAY, Download
from control_plane.domain.errors import DownloadUnknown
from control_plane.services.download_news import Watch

# Proxies cut a silent answer off after 30 to 60 s, some of them; browsers notice a dead line by nothing else.
HEARTBEAT_S = 15.0
# So soon an answer ends where the process is about to; how often each looks costs nothing.
LOOK_S = 1.0
# Then a watcher comes again, with a token that still counts.
LONGEST_S = 900.0
# How long a browser waits before it comes again.
RETRY_MS = 2_000
LAST_EVENT_ID = LastEventId()
MEDIA_TYPE = "text/event-stream"


async def one(request: Request[State]) -> Response:
    """Tells the download at once and each time it changes, as events named `download` whose data is the download; the last one
    is its end. A comment comes every 15 seconds. With `Last-Event-ID`, what was told is not told again: 204 where nothing will
    follow.
    """
    owner, download_id = await owner_of(request), request.path_params["id"]
    found = await services(request).downloads.get(owner, download_id)
    seen = LAST_EVENT_ID.read(request)
    if found.state not in UNDER_WAY and seen is not None and seen >= found.version:
        return Response(status_code=204)
    return await _stream(request, owner, download_id, seen)


async def all_of_them(request: Request[State]) -> Response:
    """Tells all downloads of the owner that are under way, or ended within the hour, and then each one that changes. Comes to an
    end after some minutes, for the caller to come again.
    """
    return await _stream(request, await owner_of(request), None, None)


async def _stream(request: Request[State], owner: str, download_id: UUID | None, seen: int | None) -> Response:
    opened = AsyncExitStack()
    watch = await opened.enter_async_context(services(request).download_news.watching(owner, download_id))
    body = _events(request, watch, opened, seen or 0)
    # Proxies that gather answers before they pass them on are asked not to.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(body, media_type=MEDIA_TYPE, headers=headers)


async def _events(request: Request[State], watch: Watch, opened: AsyncExitStack, seen: int) -> AsyncIterator[bytes]:
    application = request.app
    assert isinstance(application, Application), "it is what serves"
    async with opened:
        yield b"retry: %d\n\n" % RETRY_MS
        silent_s = lasted_s = 0.0
        while lasted_s < LONGEST_S and application.drain.phase is Phase.SERVING:
            news = [download for download in await watch.news(LOOK_S) if download.version > seen]
            lasted_s, silent_s = lasted_s + LOOK_S, 0.0 if news else silent_s + LOOK_S
            if news:
                yield b"".join(_event(download) for download in news)
            elif silent_s >= HEARTBEAT_S:
                silent_s = 0.0
                yield b": still here\n\n"
            if watch.download_id and news and news[-1].state not in UNDER_WAY:
                return


def _event(download: Download) -> bytes:
    return b"id: %d\nevent: download\ndata: %s\n\n" % (download.version, to_json(download_answer(download)))


calls = [
    Call(
        id="watchDownloads",
        method="GET",
        path="/v1/downloads/events",
        handler=all_of_them,
        summary="Watch all downloads",
        tag="Downloads",
        scope=RECORD,
        answers=[Answer(DownloadAnswer, EXAMPLE, description="The data of each event.", media_type=MEDIA_TYPE)],
    ),
    Call(
        id="watchDownload",
        method="GET",
        path="/v1/downloads/{id:uuid}/events",
        handler=one,
        summary="Watch a download",
        tag="Downloads",
        scope=RECORD,
        path_parameters=[DOWNLOAD_ID],
        headers=[LAST_EVENT_ID],
        answers=[
            Answer(DownloadAnswer, EXAMPLE, description="The data of each event.", media_type=MEDIA_TYPE),
            Answer(None, None, 204, "Its end was told."),
        ],
        problems=[DownloadUnknown],
    ),
]
