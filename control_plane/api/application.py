"""The application inside its middleware. From the outside in: headers of every answer, request id, CORS, drain, limits.

They stand outside Starlette's own, so that the answers to faults (500) carry what all others carry.
"""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from control_plane.api.answer_headers import AnswerHeaders
from control_plane.api.cors import Cors
from control_plane.api.draining import Drain, Draining
from control_plane.api.request_ids import RequestIds
from control_plane.api.request_limits import RequestLimits


class Application(Starlette):
    """What is served. `drain` is the server's, to say that the process ends. `starlette`: as Starlette takes it."""

    def __init__(
        self, *, page_origins: Sequence[str], hsts_max_age_s: int, request_timeout_s: float, **starlette: Any
    ) -> None:
        super().__init__(**starlette)
        self.drain = Drain()
        self._page_origins = page_origins
        self._hsts_max_age_s = hsts_max_age_s
        self._request_timeout_s = request_timeout_s

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's stack, and ours around it."""
        app: ASGIApp = RequestLimits(super().build_middleware_stack(), self.drain, timeout_s=self._request_timeout_s)
        app = Draining(app, self.drain)
        app = Cors(app, origins=self._page_origins)
        return AnswerHeaders(RequestIds(app), hsts_max_age_s=self._hsts_max_age_s)
