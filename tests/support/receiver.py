"""A receiver of webhooks on loopback, real HTTP(S), that can be as bad as receivers are.

async with Receiver() as receiver:
    receiver.answers = [status(500)]     # then 200 to everything
    receiver.taken                       # what came: headers and body
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

DEADLINE_S = 20.0

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def status(code: int, **headers: str) -> Behaviour:
    """Answers so, without a body."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {code} As Asked\r\ncontent-length: 0\r\n{lines}\r\n".encode())

    return answer


async def never(_: asyncio.StreamWriter) -> None:
    """Takes the message and says nothing."""
    await asyncio.sleep(DEADLINE_S)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Takes the message and closes."""
    writer.close()


def raw(data: bytes) -> Behaviour:
    """Answers these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as it arrived: its path, headers in lower case, and bytes."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """What the Standard Webhooks library makes of it. Raises where its signature is not right."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """Serves while entered. `connections` counts them all, also those on which nothing came."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[Taken] = []
        self.answers: list[Behaviour] = []
        self.always: Behaviour = status(200)
        self.connections = 0
        self._host, self._port, self._tls = host, port, tls
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """Its address, with a path and a query of its own."""
        return f"http{'s' if self._tls else ''}://{self._host}:{self._port}/hooks?owner=a%2Fb"

    async def until(self, count: int) -> list[Taken]:
        """All that came, once so many have."""
        async with asyncio.timeout(DEADLINE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.taken) >= count)
        return self.taken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(": ") for line in head[1:] if line)
            headers = {name.lower(): value for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            async with self._arrived:
                self.taken.append(Taken(head[0].split(" ")[1], headers, body))
                self._arrived.notify_all()
            try:
                await (self.answers.pop(0) if self.answers else self.always)(writer)
                await writer.drain()
            finally:
                writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()
