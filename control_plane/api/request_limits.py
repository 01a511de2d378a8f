"""How large a request's head may be, and how long a request may take and wait for the database."""

import asyncio
from itertools import chain

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.api.draining import Drain, Phase, shutting_down
from control_plane.api.problems import problem
from control_plane.db.patience import within_request
from control_plane.domain.errors import (
    AddressTooLong,
    AnswerTimeout,
    HeadersTooLarge,
    HttpMalformed,
    NotFound,
    Refusal,
    RequestTimeout,
)

# Our longest address takes 300 bytes; what proxies and browsers let through is about this.
MAX_ADDRESS_BYTES = 8 * 1024
# A token of some providers takes 8 KB; more than two of them is no header of a recorder's.
MAX_HEADERS_BYTES = 32 * 1024
MAX_HEADERS = 100  # browsers send some 20, proxies add some 10


class RequestLimits:
    """Refuses heads that are too large or mean two things, and ends what takes longer than `timeout_s` (0: never).

    The time counts until the answer begins: an answer that streams may take as long as it likes. A handler that is cut off
    may have taken effect, as with any lost answer.
    """

    def __init__(self, app: ASGIApp, drain: Drain, *, timeout_s: float) -> None:
        self._app = app
        self._drain = drain
        self._timeout_s = timeout_s or None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (refusal := _refusal_of_head(scope)) is not None:
            await problem(refusal, {"connection": "close"})(scope, receive, send)
        else:
            await self._within_time(scope, receive, send)

    async def _within_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        clock = _Clock(self._timeout_s, receive, send)
        try:
            with within_request():
                await self._app(scope, clock.receive, clock.send)
        except asyncio.CancelledError:
            refusal = self._refusal_of_cut_off(clock)
            if refusal is None:
                raise
            await problem(refusal, {"connection": "close"})(scope, receive, send)
        finally:
            clock.stop()

    def _refusal_of_cut_off(self, clock: "_Clock") -> Refusal | None:
        if clock.begun:
            return None
        if clock.expired:
            return _too_slow(stalled=clock.waits_for_body)
        return shutting_down() if self._drain.phase is Phase.REFUSING else None


class _Clock:
    """Cuts the task off when the time is up, unless an answer has begun. Cheaper than `asyncio.timeout` by half."""

    __slots__ = ("_receive", "_send", "_task", "_timer", "begun", "expired", "waits_for_body")

    def __init__(self, timeout_s: float | None, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._expire) if timeout_s else None
        self.begun = self.expired = self.waits_for_body = False

    async def receive(self) -> Message:
        """As the server's; notes when a body is waited for."""
        self.waits_for_body = True
        message = await self._receive()
        self.waits_for_body = False
        return message

    async def send(self, message: Message) -> None:
        """As the server's; the first one stops the clock."""
        self.begun = True
        self.stop()
        await self._send(message)

    def stop(self) -> None:
        """The time counts no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self.expired = True
        if self._task is not None:
            self._task.cancel()


def _refusal_of_head(scope: Scope) -> Refusal | None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
        return AddressTooLong(f"An address has at most {MAX_ADDRESS_BYTES} bytes.")
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS or sum(map(len, chain.from_iterable(headers))) > MAX_HEADERS_BYTES:
        return HeadersTooLarge(f"Send at most {MAX_HEADERS} headers of {MAX_HEADERS_BYTES} bytes in all.")
    version = scope["http_version"]
    if version != "1.0" and (version != "1.1" or [name for name, _ in headers].count(b"host") != 1):
        return HttpMalformed("Send HTTP/1.1 with one Host header.")  # RFC 9112, 3.2
    if scope["path"].endswith("\n"):
        # No address of ours does, but the expressions that routes are would pass over it: `$` fits before a last newline.
        return NotFound("See docs/protocol.md for the calls there are.")
    return None


def _too_slow(*, stalled: bool) -> Refusal:
    if stalled:
        return RequestTimeout("The body did not arrive. Repeat the call: nothing is done twice.")
    return AnswerTimeout("Repeat the call: nothing is done twice. Chunks on the device are kept.")
