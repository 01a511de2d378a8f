"""Cross-origin calls (Fetch standard, CORS protocol): pages of listed origins may call, with a token they were given.

No credentials of the browser's own are ever asked for (no cookies), so `Access-Control-Allow-Credentials` is never sent.
"""

from collections.abc import Sequence

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.api.answer_headers import also
from control_plane.api.problems import problem
from control_plane.domain.errors import OriginNotListed

# How long a browser may remember that a page may call us.
PREFLIGHT_S = 600
METHODS = "GET, POST, PUT, DELETE"
REQUEST_HEADERS = (
    "authorization, content-type, idempotency-key, if-none-match, last-event-id, traceparent, x-request-id"
)
# What a page may read beside the body: when to come again, and what to quote to the operator.
EXPOSED = "etag, location, retry-after, ratelimit, ratelimit-policy, x-request-id"

# Said to those who name no origin too: a cache must not give their answer to a page.
_VARY = (b"vary", b"Origin")


class Cors:
    """Answers preflights itself; marks answers to listed origins as theirs to read. `null` is never listed."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str]) -> None:
        self._app = app
        exposed = (b"access-control-expose-headers", EXPOSED.encode())
        self._marks = {
            origin.encode(): (_VARY, (b"access-control-allow-origin", origin.encode()), exposed) for origin in origins
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        marks = self._marks.get(headers.get(b"origin", b""))
        also(scope, *(marks or (_VARY,)))
        if scope["method"] == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers:
            await _preflight(listed=marks is not None)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _preflight(*, listed: bool) -> Response:
    if not listed:
        return problem(OriginNotListed("Name the page's origin in SAFEREEL_PAGE_ORIGINS."))
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": REQUEST_HEADERS,
            "access-control-max-age": str(PREFLIGHT_S),
        },
    )
