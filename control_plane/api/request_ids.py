"""`X-Request-ID`: one name for a request in the answer, in the problem document and in every line of the log."""

import itertools
import re
from contextvars import ContextVar
from os import urandom

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.api.answer_headers import also

# Ids of proxies, UUIDs, trace ids; nothing that could break a header, a line of the log, or a shell it is pasted into.
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_HEADER = b"x-request-id"
# No secret, so a random process and a counter do: a tenth of the cost of a UUID.
_PROCESS = urandom(8).hex()
_counter = itertools.count(1)

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request under way; None outside of one."""


def new_request_id() -> str:
    """An id for a request that brings none."""
    return f"{_PROCESS}-{next(_counter):08x}"


class RequestIds:
    """Takes the request's id where it is well-formed, or makes one; the answer says it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = _brought(scope) or new_request_id()
            request_id.set(found)  # never reset: the server runs each request in a context of its own
            also(scope, (_HEADER, found.encode()))
        await self._app(scope, receive, send)


def _brought(scope: Scope) -> str | None:
    value = dict(scope["headers"]).get(_HEADER)
    return value.decode() if value is not None and _WELL_FORMED.fullmatch(value) else None
