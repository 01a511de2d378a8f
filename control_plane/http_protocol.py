"""HTTP/1.1 as uvicorn reads it, with bounds that it does not have: on the size of a head, on what stands around a body, and
on the time a head may take.

A head that arrives whole is judged in `api/request_limits.py`, a body by whoever reads it. Here is what never ends: without
a bound, one connection may fill the memory, and a few thousand that send a byte now and then (slowloris) hold all there are.
"""

from asyncio import TimerHandle, Transport
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from control_plane.api.bodies import MAX_BODY_BYTES
from control_plane.api.problems import problem_body
from control_plane.api.request_ids import new_request_id
from control_plane.api.request_limits import MAX_HEADERS_BYTES
from control_plane.domain.errors import BodyTooLarge, HeadersTooLarge, HttpMalformed, Refusal, RequestTimeout

# A head is a packet or two; a bad mobile line needs a second.
HEAD_S = 10.0
# Load balancers keep idle connections for 60 s and must not be the second to close one; heartbeats come more often.
KEEP_ALIVE_S = 75
# Closed at once, with bytes that nobody read, the kernel would throw the answer away on its way (RFC 9112, 9.6).
LINGER_S = 0.5
# Beside the headers: the address, and what of a body came in the same packet.
MAX_OPEN_HEAD_BYTES = 2 * MAX_HEADERS_BYTES
# The largest body in chunks of one byte takes six times its size; what is more is extensions and trailers.
MAX_MESSAGE_BYTES = 8 * MAX_BODY_BYTES


class BoundedHttp(HttpToolsProtocol):
    """One connection. What cannot become a request of the application is refused here, and the connection closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_open = False
        self._message_bytes = 0
        self._head_timer: TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head_open, self._message_bytes = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers are no headers (RFC 9110, 6.5.1): what a proxy checks before the body must not be said behind it.
        if self._head_open:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._end_wait()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._message_bytes += len(data)
        if self._head_open:
            self._judge_open_head()
        elif self._message_bytes > MAX_MESSAGE_BYTES:
            self._refuse(BodyTooLarge(f"Send at most {MAX_BODY_BYTES} bytes, with little around them."))

    def _judge_open_head(self) -> None:
        if self._message_bytes > MAX_OPEN_HEAD_BYTES:
            self._refuse(HeadersTooLarge(f"Send at most {MAX_HEADERS_BYTES} bytes of headers."))
        elif self._head_timer is None:
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers where the parser gives up."""
        self._refuse(HttpMalformed(msg))

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._head_is_late)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self._head_open:
            self._refuse(RequestTimeout("The headers did not arrive in time."))
        else:
            self.transport.close()  # connected, and said nothing

    def _refuse(self, refusal: Refusal) -> None:
        self._end_wait()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if not self._may_answer():
            self.transport.close()
            return
        found = new_request_id()
        body = to_json({**problem_body(refusal), "request_id": found})
        head = (
            b"content-type: application/problem+json\r\nx-content-type-options: nosniff\r\nconnection: close\r\n"
            b"x-request-id: %s\r\ncontent-length: %d\r\n\r\n" % (found.encode(), len(body))
        )
        self.transport.write(STATUS_LINE[refusal.status] + head + body)
        self.loop.call_later(LINGER_S, self.transport.close)

    def _may_answer(self) -> bool:
        """Whether an answer of ours would not stand within, or before, another one. A call under way is not undone by what
        follows it on the line, but it is not answered any more.
        """
        cycle: RequestResponseCycle | None = self.cycle  # None before the first
        if cycle is None or cycle.response_complete:
            return True
        if self.pipeline or cycle.response_started:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return True
