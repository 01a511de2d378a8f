"""HTTP as a browser or an S3 client sends it: one request over a connection of its own, bounded, never an exception.

Refused PUTs leave unread bodies on a connection, and a store may close it at any time: a fresh one for each request keeps
one check from spoiling the next.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from control_plane.doctor.seen import Answer, Outcome, Silence, Trouble

CONNECT_S = 4.0
# A store that is slower than this with some bytes is not there for a recorder.
CALL_S = 10.0
# Of an answer: enough for any error and for the objects written here.
BODY_BYTES = 64 * 1024
# As `bucket.s3` does: nothing that is not signed or meant.
UNWANTED_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
ERROR_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. The URL is escaped already."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Asker:
    """Sends requests; open it in the loop that uses it."""

    def __init__(self, *, call_s: float = CALL_S) -> None:
        self._patience = aiohttp.ClientTimeout(total=call_s, sock_connect=min(CONNECT_S, call_s))
        self._opened: aiohttp.ClientSession | None = None
        self._under_way = set[asyncio.Task[Outcome]]()

    async def __aenter__(self) -> Self:
        self._opened = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=UNWANTED_HEADERS,
            timeout=self._patience,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._under_way:
            task.cancel()
        if self._opened is not None:
            await self._opened.close()

    async def ask(self, request: Request) -> Outcome:
        """The answer, or why there is none. Redirects are answers. Who is cancelled stops waiting; the request goes on."""
        task = asyncio.ensure_future(self._ask(request))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def settle(self, seconds: float) -> None:
        """Waits that long for requests nobody waits for: a store may write what it had got when its client went away."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    async def _ask(self, request: Request) -> Outcome:
        if self._opened is None:
            raise RuntimeError("the asker is not open")
        try:
            async with self._opened.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as answer:
                return await _answer(answer)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return silence_of(exc)


async def _answer(answer: aiohttp.ClientResponse) -> Answer:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) >= BODY_BYTES:
            break
    headers = {name.lower(): value for name, value in answer.headers.items()}
    found = ERROR_CODE.search(body) if answer.status >= 300 else None
    return Answer(answer.status, headers, bytes(body[:BODY_BYTES]), found[1].decode() if found else "")


def silence_of(exc: Exception) -> Silence:
    """What an exception of aiohttp means. No detail holds a URL: its signature is a permission."""
    detail = ""
    match exc:
        case aiohttp.ClientConnectorDNSError():
            trouble, detail = Trouble.DNS, exc.host
        case aiohttp.ClientConnectorCertificateError():
            trouble, detail = Trouble.TLS, str(exc.certificate_error)
        case aiohttp.ClientSSLError() | ssl.SSLError():
            trouble, detail = Trouble.TLS, str(getattr(exc, "os_error", exc))
        case TimeoutError():
            trouble = Trouble.TIMEOUT
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            trouble, detail = Trouble.REFUSED, f"{exc.host}:{exc.port}"
        case aiohttp.ClientConnectorError():
            trouble, detail = Trouble.OTHER, f"{exc.host}:{exc.port}: {exc.strerror}"
        case aiohttp.ClientResponseError():
            trouble, detail = Trouble.NOT_HTTP, exc.message
        case aiohttp.InvalidURL() | ValueError():
            trouble = Trouble.ADDRESS
        case aiohttp.ClientError() | ConnectionError():
            trouble, detail = Trouble.CUT, type(exc).__name__
        case _:
            trouble, detail = Trouble.OTHER, type(exc).__name__
    return Silence(trouble, detail)
