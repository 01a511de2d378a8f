"""A process that is about to end: first it says that it is not ready, then it takes nothing new."""

from enum import IntEnum

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.api.answer_headers import also
from control_plane.api.problems import problem
from control_plane.domain.errors import Refusal, ShuttingDown

LIVE = "/health/live"
READY = "/health/ready"


class Phase(IntEnum):
    """`leaving`: not ready, but what comes is still served. `refusing`: what comes is sent away."""

    SERVING = 0
    LEAVING = 1
    REFUSING = 2


class Drain:
    """How far the stop of this process has come: set by the server, read by each request."""

    def __init__(self) -> None:
        self.phase = Phase.SERVING


class Draining:
    """Sends away what may not begin any more; whatever is under way is left alone."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        phase = self._drain.phase
        if phase is Phase.SERVING or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        also(scope, (b"connection", b"close"))  # the next request of this client finds another process
        if _may_begin(phase, scope["path"]):
            await self._app(scope, receive, send)
        else:
            await problem(shutting_down())(scope, receive, send)


def shutting_down() -> Refusal:
    """What is answered to whatever came too late, or is cut off."""
    return ShuttingDown("Repeat the call: nothing is done twice. Chunks on the device are kept.")


def _may_begin(phase: Phase, path: str) -> bool:
    if path == LIVE:
        return True  # killing it now would only cut off what is under way
    return phase is Phase.LEAVING and path != READY
