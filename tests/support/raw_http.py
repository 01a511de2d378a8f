"""Requests as bytes, for what no client would send; and what must be true of every answer to one."""

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Any

from tests.support.http_framing import Head, answer_body, read_head

ANSWER_S = 15.0
HEAD_LIMIT = 2**20
# Names of what it is made of, of its files and of its statements: nobody outside needs to know.
INTERNALS = re.compile(
    r"traceback|\.py\b|/usr/|site-packages|psycopg|pydantic|starlette|uvicorn|httptools|control_plane|exception|select |errno",
    re.IGNORECASE,
)
MEMBERS = {"type", "title", "status", "code", "detail", "request_id", "errors", "missing", "retry_after_ms"}


def request(method: str, path: str, *headers: str, body: bytes = b"", length: bool = True) -> bytes:
    """A request as it goes over the line; text becomes UTF-8. `length`: whether it tells the body's."""
    lines = [f"{method} {path} HTTP/1.1", "host: safereel.example", *headers]
    if length and body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes, *, size: int = 1_000, extension: bytes = b"") -> bytes:
    """The body in pieces of that size (RFC 9112, 7.1)."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n\r\n"


async def exchange(endpoint: str, pieces: Iterable[bytes], *, pause_s: float = 0.0) -> tuple[Head, bytes]:
    """The first answer to these bytes. Raises `TimeoutError` where none comes, `IncompleteReadError` where it is cut."""
    first, *rest = pieces
    host, _, port = endpoint.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=HEAD_LIMIT)
    sending = asyncio.create_task(_send(writer, [first, *rest], pause_s))
    try:
        async with asyncio.timeout(ANSWER_S):
            head = await read_head(reader)
            while head.status == 100:
                head = await read_head(reader)
            method = "HEAD" if first.startswith(b"HEAD ") else "GET"
            return head, b"".join([piece async for piece in answer_body(reader, head, method)])
    finally:
        sending.cancel()
        writer.close()


async def _send(writer: asyncio.StreamWriter, pieces: Iterable[bytes], pause_s: float) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        if pause_s:
            await asyncio.sleep(pause_s)


def problem_of(head: Head, raw: bytes) -> dict[str, Any]:
    """The problem document of an answer; asserts that it is a whole one, named, and tells nothing of the inside."""
    assert head.status >= 400, head.raw
    assert head.headers["content-type"] == "application/problem+json", head.raw
    told: dict[str, Any] = json.loads(raw)
    assert told["status"] == head.status
    assert told["type"] == f"urn:safereel:problem:{told['code']}"
    assert told["title"]
    assert told["detail"]
    assert told["request_id"] == head.headers["x-request-id"]
    assert set(told) <= MEMBERS, told
    assert not INTERNALS.search(raw.decode()), told
    assert not INTERNALS.search(head.raw.decode("latin-1")), head.raw
    return told
