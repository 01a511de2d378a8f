"""How requests are sent: signed in the query, over one pool of connections, each bounded in time.

No message holds a signed URL: in a log it would be a permission.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from control_plane.bucket.presign import Form, Signer
from control_plane.domain.bucket import Body, BucketUnreachable, ObjectTooLong

CONNECT_S = 3.0
# A whole object is read for fixity, a part of a file written: so much time per byte, beyond the call, as a slow line needs.
SLOWEST_BYTES_PER_S = 1024 * 1024
# Longer than any call may take, and room for clocks that differ.
SIGNATURE_TTL_S = 300
READ_STEP_BYTES = 256 * 1024
# What is handed to the socket at once: long enough to be fast, and the first one is copied to stand behind the headers.
WRITE_STEP_BYTES = 256 * 1024
# What aiohttp would add by itself; Accept-Encoding could make a proxy answer another length than the
# object's.
UNWANTED_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
ERROR_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
# An error document of S3 with all that it may tell.
ERROR_BYTES = 4096


class Sender:
    """Sends requests to one bucket. Open it in the loop that uses it, and close it."""

    def __init__(self, signer: Signer, *, connections: int, call_s: float) -> None:
        self._signer = signer
        self._connections = connections
        self._call_s = call_s
        self._usual = self.patience()
        self._opened: aiohttp.ClientSession | None = None
        self.host_line = f"host:{signer.address.host}\n"

    async def open(self) -> None:
        self._opened = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=UNWANTED_HEADERS,
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    def patience(self, size: float = 0) -> aiohttp.ClientTimeout:
        """For a call that moves `size` bytes, or makes the store move them."""
        return aiohttp.ClientTimeout(total=self._call_s + size / SLOWEST_BYTES_PER_S, sock_connect=CONNECT_S)

    async def send(
        self,
        form: Form,
        key: str,
        lines: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        patience: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        """The answer, whatever it says, to be released. `lines` and `query` as for `Signer.sign`. Raises `BucketUnreachable`."""
        if self._opened is None:
            raise RuntimeError("the bucket is not open")
        url, _ = self._signer.sign(form, key, lines, datetime.now(UTC), query=query)
        try:
            return await self._opened.request(
                form.method,
                URL(url, encoded=True),
                headers=headers,
                data=None if body is None else _InMemory(body),
                allow_redirects=False,
                timeout=patience or self._usual,
            )
        except (aiohttp.ClientError, OSError) as exc:
            raise unreachable(form.method, key, exc) from told(exc)

    @asynccontextmanager
    async def exchange(
        self,
        form: Form,
        key: str,
        lines: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        patience: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, to be read within: what fails there is `BucketUnreachable` too. An unread rest costs the connection."""
        answer = await self.send(form, key, lines, query=query, headers=headers, body=body, patience=patience)
        try:
            yield answer
        except (aiohttp.ClientError, OSError) as exc:
            raise unreachable(form.method, key, exc) from told(exc)
        finally:
            answer.release()


class _InMemory(aiohttp.Payload):
    """A body sent as it lies in memory, not copied; in steps, so that others get a turn; again, if the connection was dead."""

    def __init__(self, body: Body) -> None:
        view = memoryview(body).cast("B")
        super().__init__(view)
        self._view = view
        self._size = view.nbytes

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self._view).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for start in range(0, self._view.nbytes, WRITE_STEP_BYTES):
            await writer.write(self._view[start : start + WRITE_STEP_BYTES])


async def body_of(answer: aiohttp.ClientResponse, what: str, limit: int) -> bytes:
    """All of it, or `ObjectTooLong` as soon as it is known to be longer than `limit`."""
    body = bytearray()
    if (answer.content_length or 0) <= limit:
        async for part in answer.content.iter_chunked(READ_STEP_BYTES):
            body += part
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise ObjectTooLong(f"GET {what}: more than {limit} bytes")


async def is_there(answer: aiohttp.ClientResponse, key: str) -> bool:
    """Whether the answer to the GET of an object brings it. Raises `BucketUnreachable`."""
    if answer.status == 200:
        return True
    code = await error_code(answer)
    # A 404 of a proxy, or of a bucket that is gone, says nothing about the object.
    if (answer.status, code) == (404, "NoSuchKey"):
        return False
    raise BucketUnreachable(f"GET {key}: status {answer.status} {code}")


async def error_code(answer: aiohttp.ClientResponse) -> str:
    """The store's code for what it refused, empty if it told none."""
    return code_in(await answer.content.read(ERROR_BYTES))


def code_in(document: bytes) -> str:
    """The code in the beginning of an error document, empty if there is none."""
    found = ERROR_CODE.search(document)
    return found[1].decode() if found else ""


def unreachable(method: str, key: str, exc: Exception) -> BucketUnreachable:
    """In words that may be logged."""
    return BucketUnreachable(f"{method} {key}: {type(exc).__name__}{'' if told(exc) is None else f': {exc}'}")


def told(exc: Exception) -> Exception | None:
    """The cause to show: not an error that holds the URL, whose signature is a permission."""
    return None if isinstance(exc, aiohttp.ClientResponseError | aiohttp.InvalidURL) else exc
