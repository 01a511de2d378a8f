"""A proxy that does harm on request: it stands before the API or the bucket and follows a script of rules.

    with FaultProxy() as proxy:
        proxy.target = ("127.0.0.1", port)                       # may be set once the party behind is known
        proxy.add("PUT", r"/recordings/.*", ForwardThenDrop(), times=1)
        ...
        proxy.wait_for(lambda log: any(x.fault == "forward_then_drop" for x in log), timeout=10)

Requests are forwarded as they came, the Host header too: an S3 signature covers it, so sign for `proxy.url`.
One request goes over each connection, and answers say `connection: close`: browsers and HTTP clients silently
repeat a request that fails on a connection used before, and a fault meant for the program under test would be
spent on them. An answer made up here has the headers the rule gives and no others: no CORS headers either, as
from a gateway that knows nothing of CORS.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from tests.support import http_framing
from tests.support.http_framing import Head

# Enough of each body to see what an API call said; media bodies are cut off here.
KEPT_BODY_BYTES = 64 * 1024
COMMAND_S = 10.0


@dataclass(frozen=True, slots=True)
class Drop:
    """The request is lost: the connection is reset before anything is forwarded."""

    name = "drop"


@dataclass(frozen=True, slots=True)
class ForwardThenDrop:
    """The answer is lost: the request is forwarded and answered, then the connection is reset."""

    name = "forward_then_drop"


@dataclass(frozen=True, slots=True)
class Respond:
    """The request is read and answered here; the party behind never hears of it."""

    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    name = "respond"


@dataclass(frozen=True, slots=True)
class CutBody:
    """After so many bytes of the request's body both connections are reset."""

    after: int
    name = "cut_body"


@dataclass(frozen=True, slots=True)
class Delay:
    """Forwarded after so many seconds."""

    seconds: float
    name = "delay"


@dataclass(frozen=True, slots=True)
class Hold:
    """Forwarded when the test calls `release_held`."""

    name = "hold"


@dataclass(frozen=True, slots=True)
class Slow:
    """The request's body passes at this rate."""

    bytes_per_second: float
    name = "slow"


@dataclass(frozen=True, slots=True)
class Alter:
    """A bit of the answer's body is flipped on its way; its headers stay as they were: a store that lies."""

    name = "alter"


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """The answer's head comes whole, and of its body half of each piece; then the connection ends."""

    name = "cut_answer"


Fault = Drop | ForwardThenDrop | Respond | CutBody | Delay | Hold | Slow | Alter | CutAnswer


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as the proxy saw it. `status` is None unless an answer came; `at` in epoch seconds."""

    method: str
    path: str
    at: float
    fault: str | None
    headers: Mapping[str, str]
    body: bytes = b""
    status: int | None = None
    answer: bytes = b""
    finished: bool = False


@dataclass(slots=True)
class _Rule:
    method: re.Pattern[str]
    path: re.Pattern[str]
    fault: Fault
    skip: int
    left: int | None
    chance: float

    def matches(self, method: str, path: str) -> bool:
        return self.left != 0 and bool(self.method.fullmatch(method) and self.path.search(path))


class FaultProxy:
    """Listens on 127.0.0.1 in a thread of its own. Methods may be called from any thread."""

    def __init__(self, target: tuple[str, int] | None = None, *, port: int = 0, seed: int = 0) -> None:
        self.target = target
        self._random = random.Random(seed)
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._rules: list[_Rule] = []
        self._log: list[Exchange] = []
        self._changed = threading.Condition()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    @property
    def url(self) -> str:
        """The address to sign for and to call."""
        return f"http://127.0.0.1:{self.port}"

    def add(
        self,
        method: str,
        path: str,
        fault: Fault,
        *,
        times: int | None = 1,
        skip: int = 0,
        chance: float = 1.0,
    ) -> None:
        """Adds a rule at the end of the script; the first rule that matches and is not used up is followed.

        `method` is a regular expression for the whole method, `path` one searched for in path and query. The
        rule lets `skip` matching requests pass, then strikes `times` (None: always), each with probability
        `chance`.
        """
        rule = _Rule(re.compile(method), re.compile(path), fault, skip, times, chance)
        with self._changed:
            self._rules.append(rule)

    def clear(self) -> None:
        """Ends the script: everything is forwarded."""
        with self._changed:
            self._rules.clear()

    def log(self) -> tuple[Exchange, ...]:
        """All requests so far, in the order in which their heads came."""
        with self._changed:
            return tuple(self._log)

    def wait_for(self, predicate: Callable[[Sequence[Exchange]], bool], *, timeout: float = 30.0) -> None:
        """Returns when the log fulfils `predicate`; raises `TimeoutError`, with the log, if it does not."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self._log), timeout):
                lines = "\n".join(f"{x.method} {x.path} {x.status} {x.fault or ''}" for x in self._log[-40:])
                raise TimeoutError(f"not seen within {timeout:.1f} s; the last requests:\n{lines}")

    def cut(self) -> None:
        """The network is gone: connections are reset, new ones refused."""
        self._run(self._cut())

    def restore(self) -> None:
        """The network is back, on the same port."""
        self._run(self._listen())

    def release_held(self) -> None:
        """Lets the requests go that `Hold` keeps now; later ones are held anew."""
        self._run(self._release())

    def close(self) -> None:
        """Ends all connections and the thread."""
        self._run(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._socket.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(COMMAND_S)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=self._socket, limit=http_framing.HEAD_BYTES)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            # Bound but not listening: refuses connections, and nobody else gets the port meanwhile.
            self._socket = _bound(self.port)
        await _turns()  # what was being accepted this very moment shows among the connections after these
        while connections := dict(self._connections):
            for task, writer in connections.items():
                _reset(writer)
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await _turns()

    async def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            _reset(writer)  # one side ended early, or the network was cut: the other side sees it too
        finally:
            del self._connections[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await http_framing.read_head(reader)
        fault = self._fault_for(head)
        number = self._begin(head, fault)
        try:
            await self._follow(fault, number, head, reader, writer)
        finally:
            self._note(number, finished=True)

    async def _follow(
        self,
        fault: Fault | None,
        number: int,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        match fault:
            case Drop():
                _reset(writer)
                return
            case Respond():
                await self._respond(fault, number, head, reader, writer)
                return
            case Delay(seconds=seconds):
                await asyncio.sleep(seconds)
            case Hold():
                await self._released.wait()
            case _:
                pass
        await self._forward(fault, number, head, reader, writer)

    async def _respond(
        self,
        fault: Respond,
        number: int,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        async for piece in http_framing.request_body(reader, head):
            self._keep(number, body=piece)
        headers = {**fault.headers, "content-length": str(len(fault.body)), "connection": "close"}
        lines = [f"HTTP/1.1 {fault.status} Made up", *(f"{name}: {value}" for name, value in headers.items())]
        self._note(number, status=fault.status)
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + fault.body)
        await writer.drain()

    async def _forward(
        self,
        fault: Fault | None,
        number: int,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if self.target is None:
            raise ConnectionRefusedError("the proxy has no target yet")
        answers, behind = await asyncio.open_connection(*self.target, limit=http_framing.HEAD_BYTES)
        # The answer is read while the body is sent: it may come first (100 Continue, or a refusal).
        sending = asyncio.create_task(self._send(fault, number, head, reader, behind))
        try:
            lost = isinstance(fault, ForwardThenDrop)
            altered = isinstance(fault, Alter)
            cut = isinstance(fault, CutAnswer)
            await self._answer(number, head.first[0], answers, None if lost else writer, altered=altered, cut=cut)
            if lost:
                _reset(writer)
        finally:
            sending.cancel()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await sending
            behind.close()

    async def _send(
        self,
        fault: Fault | None,
        number: int,
        head: Head,
        reader: asyncio.StreamReader,
        behind: asyncio.StreamWriter,
    ) -> None:
        behind.write(head.raw)
        sent = 0
        try:
            async for piece in http_framing.request_body(reader, head):
                self._keep(number, body=piece)
                if isinstance(fault, CutBody) and sent + len(piece) >= fault.after:
                    behind.write(piece[: fault.after - sent])
                    await behind.drain()
                    _reset(behind)
                    return
                if isinstance(fault, Slow):
                    await asyncio.sleep(len(piece) / fault.bytes_per_second)
                behind.write(piece)
                sent += len(piece)
                await behind.drain()
        except (OSError, asyncio.IncompleteReadError):
            _reset(behind)  # the sender ended early: the party behind sees a cut body as well
            raise

    async def _answer(
        self,
        number: int,
        method: str,
        answers: asyncio.StreamReader,
        writer: asyncio.StreamWriter | None,
        *,
        altered: bool = False,
        cut: bool = False,
    ) -> None:
        """Passes the answer on to `writer`, or reads it to its end for nobody."""
        head = await http_framing.read_head(answers)
        while head.status < 200:
            if writer is not None:
                writer.write(head.raw)
            head = await http_framing.read_head(answers)
        self._note(number, status=head.status)
        if writer is not None:
            writer.write(head.closing())
        async for piece in http_framing.answer_body(answers, head, method):
            if altered and piece:
                piece, altered = bytes([piece[0] ^ 0x40]) + piece[1:], False  # noqa: PLW2901  # the piece, as it goes on
            if cut:
                piece = piece[: len(piece) // 2]  # noqa: PLW2901  # the same
            self._keep(number, answer=piece)
            if writer is not None:
                writer.write(piece)
                await writer.drain()
        if writer is not None:
            await writer.drain()

    def _fault_for(self, head: Head) -> Fault | None:
        method, path = head.first[:2]
        with self._changed:
            rule = next((rule for rule in self._rules if rule.matches(method, path)), None)
            if rule is None:
                return None
            if rule.skip:
                rule.skip -= 1
                return None
            if self._random.random() >= rule.chance:
                return None
            if rule.left is not None:
                rule.left -= 1
            return rule.fault

    def _begin(self, head: Head, fault: Fault | None) -> int:
        method, path = head.first[:2]
        with self._changed:
            self._log.append(Exchange(method, path, time.time(), fault.name if fault else None, head.headers))
            self._changed.notify_all()
            return len(self._log) - 1

    def _note(self, number: int, **changes: Any) -> None:
        with self._changed:
            self._log[number] = replace(self._log[number], **changes)
            self._changed.notify_all()

    def _keep(self, number: int, **piece: bytes) -> None:
        """Adds a piece to the `body` or the `answer` that the log shows, up to its limit."""
        for name, more in piece.items():
            kept: bytes = getattr(self._log[number], name)
            if len(kept) < KEPT_BODY_BYTES:
                self._note(number, **{name: (kept + more)[:KEPT_BODY_BYTES]})


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


async def _turns() -> None:
    """Some turns of the loop: a connection takes two from the socket to its task, and a transport one to be closed."""
    for _ in range(5):
        await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection at once, with a reset: what was not sent yet is lost."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
