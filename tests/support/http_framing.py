"""Just enough of HTTP/1.1 (RFC 9112) to pass messages on as they are: heads, and where bodies end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

READ_BYTES = 64 * 1024
# More than any head here; a StreamReader's limit, so that `readuntil` finds the end of one.
HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of a message: the `first` one, `headers` by lower-case name; as sent in `raw`."""

    raw: bytes
    first: tuple[str, ...]
    headers: dict[str, str]

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.first[1])

    def closing(self) -> bytes:
        """This answer's head as sent, but saying that the connection closes after it."""
        lines = self.raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith((b"connection:", b"keep-alive:"))]
        return b"\r\n".join([*kept, b"connection: close", b"", b""])


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The next head; raises `asyncio.IncompleteReadError` where the peer ends before it."""
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Head(raw, tuple(first.split(" ", 2)), headers)


async def request_body(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The raw pieces of a request's body: none where no header announces one."""
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        async for piece in _chunked(reader):
            yield piece
    else:
        async for piece in _sized(reader, int(head.headers.get("content-length", "0"))):
            yield piece


async def answer_body(reader: asyncio.StreamReader, head: Head, method: str) -> AsyncIterator[bytes]:
    """The raw pieces of an answer's body, up to the connection's end where no header tells the length."""
    if method == "HEAD" or head.status in {204, 304} or head.status < 200:
        return
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        pieces = _chunked(reader)
    elif "content-length" in head.headers:
        pieces = _sized(reader, int(head.headers["content-length"]))
    else:
        pieces = _until_end(reader)
    async for piece in pieces:
        yield piece


async def _sized(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    left = length
    while left:
        piece = await reader.read(min(READ_BYTES, left))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece


async def _chunked(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readuntil(b"\r\n")
        yield line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        async for piece in _sized(reader, size + 2):
            yield piece
    while True:  # trailers, up to the empty line
        line = await reader.readuntil(b"\r\n")
        yield line
        if line == b"\r\n":
            return


async def _until_end(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(READ_BYTES):
        yield piece
