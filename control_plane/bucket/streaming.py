"""An object's bytes as they come: no more of them in memory than one step and what the socket holds."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp

from control_plane.bucket.presign import Form
from control_plane.bucket.sending import (
    CONNECT_S,
    READ_STEP_BYTES,
    SIGNATURE_TTL_S,
    SLOWEST_BYTES_PER_S,
    Sender,
    is_there,
    told,
    unreachable,
)
from control_plane.domain.bucket import BucketUnreachable

GET = Form("GET", "host", SIGNATURE_TTL_S)


@asynccontextmanager
async def streamed(sender: Sender, key: str, *, call_s: float) -> AsyncIterator[AsyncIterator[bytes] | None]:
    """See `Bucket.stream`. Each read may take `call_s`; all the waiting together what the slowest line needs."""
    # No total: the time that the reader takes is its own.
    patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=call_s)
    answer = await sender.send(GET, key, sender.host_line, patience=patience)
    try:
        if not await _opened(answer, key):
            yield None
            return
        async with aclosing(_pieces(answer, key, call_s)) as pieces:
            yield pieces
    finally:
        answer.release()  # closes the connection if the body was not read to its end


async def _opened(answer: aiohttp.ClientResponse, key: str) -> bool:
    try:
        there = await is_there(answer, key)
    except (aiohttp.ClientError, OSError) as exc:
        raise unreachable("GET", key, exc) from told(exc)
    if there and answer.content_length is None:
        raise BucketUnreachable(f"GET {key}: no length, so that an end would prove nothing")
    return there


async def _pieces(answer: aiohttp.ClientResponse, key: str, call_s: float) -> AsyncGenerator[bytes, None]:
    left_s = call_s + (answer.content_length or 0) / SLOWEST_BYTES_PER_S
    size = 0
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                piece = await answer.content.read(READ_STEP_BYTES)
        except (aiohttp.ClientError, OSError) as exc:
            raise BucketUnreachable(f"GET {key}: {type(exc).__name__} after {size} bytes") from told(exc)
        left_s -= time.monotonic() - began
        if not piece:
            return
        size += len(piece)
        yield piece
