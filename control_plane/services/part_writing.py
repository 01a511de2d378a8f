"""Writes a file into the bucket as parts of an upload, which whoever takes over goes on with.

The first part is held back until the end: muxers go back to the beginning of a file, to write there how long it is. What the
bucket has of the same bytes already is not sent again.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

from control_plane.domain.bucket import Bucket, BucketUnreachable, UploadedPart, UploadUnknown

# While some are on the line, the next one is filled.
PARTS_AT_ONCE = 3


class PartWriter:
    """One file, written in order but for its first part. Use as `async with`; nothing is there before `finish`."""

    def __init__(
        self, bucket: Bucket, key: str, upload_id: str, known: Mapping[int, UploadedPart], part_bytes: int
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._upload_id = upload_id
        self._known = known
        self._part_bytes = part_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._position = 0
        self._number = 2
        self._sending = set[asyncio.Task[None]]()
        self._parts = dict[int, UploadedPart]()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._sending:
            task.cancel()
        # What they would have raised was not asked for any more.
        await asyncio.gather(*self._sending, return_exceptions=True)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._position

    async def write(self, data: bytes | memoryview, *, offset: int | None = None) -> None:
        """Goes on with `data`, or writes it at `offset`, which must lie in the first part. Raises `BucketUnreachable`."""
        if offset is not None and offset != self._position:
            self._rewrite(data, offset)
            return
        self._position += len(data)
        room = self._part_bytes - len(self._head)
        self._head += data[:room]
        self._tail += data[max(room, 0) :]
        while len(self._tail) >= self._part_bytes:
            part = bytes(self._tail[: self._part_bytes])
            del self._tail[: self._part_bytes]
            await self._send(self._number, part)
            self._number += 1

    async def finish(self) -> int:
        """The file is there, and was seen there; how many bytes it has. Raises `BucketUnreachable`."""
        await self._send(1, bytes(self._head))
        if self._tail:
            await self._send(self._number, bytes(self._tail))
        while self._sending:
            await self._settle(asyncio.ALL_COMPLETED)
        await complete(
            self._bucket, self._key, self._upload_id, [self._parts[number] for number in sorted(self._parts)]
        )
        return self._position

    def _rewrite(self, data: bytes | memoryview, offset: int) -> None:
        if offset + len(data) > len(self._head):
            raise ValueError(f"{len(data)} bytes at {offset} are not within the first part of {len(self._head)}")
        self._head[offset : offset + len(data)] = data

    async def _send(self, number: int, part: bytes) -> None:
        while len(self._sending) >= PARTS_AT_ONCE:
            await self._settle(asyncio.FIRST_COMPLETED)
        self._sending.add(asyncio.create_task(self._upload(number, part)))

    async def _settle(self, when: str) -> None:
        done, self._sending = await asyncio.wait(self._sending, return_when=when)
        failed = [exc for task in done if (exc := task.exception()) is not None]
        if failed:
            raise failed[0]

    async def _upload(self, number: int, part: bytes) -> None:
        known = self._known.get(number)
        # Where a store's ETag of a part is not its MD5, the part is sent again: that costs time and nothing else.
        if known is None or known.size != len(part) or known.etag != await asyncio.to_thread(_md5, part):
            known = await self._bucket.upload_part(self._key, self._upload_id, number, part)
        self._parts[number] = known


async def opened_upload(
    bucket: Bucket,
    key: str,
    upload_id: str | None,
    content_type: str,
    note: Callable[[str], Awaitable[None]],
) -> tuple[str, Mapping[int, UploadedPart]]:
    """An upload to `key` to go on with, and what it has: the one that was begun before where the store still knows it, else a new
    one, which `note` is told of before anything is sent. Raises `BucketUnreachable`.
    """
    if upload_id is not None:
        parts = await bucket.uploaded_parts(key, upload_id)
        if parts is not None:
            return upload_id, {part.number: part for part in parts}
    upload_id = await bucket.begin_upload(key, content_type=content_type)
    await note(upload_id)
    return upload_id, {}


async def complete(bucket: Bucket, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
    """Joins the parts, and sees them joined: a store that says so proves nothing. Raises `BucketUnreachable`."""
    size = sum(part.size for part in parts)
    with suppress(UploadUnknown):  # completed before, and the answer was lost; or it is gone: the object tells
        await bucket.complete_upload(key, upload_id, parts)
    head = await bucket.head(key)
    if head is None or head.size != size:
        found = "nothing" if head is None else f"{head.size} bytes"
        raise BucketUnreachable(f"the upload of {key} was completed with {size} bytes, and there is {found}")


def _md5(part: bytes) -> str:
    return hashlib.md5(part, usedforsecurity=False).hexdigest()
