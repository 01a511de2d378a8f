"""`Remuxer`: probes segments, and joins those of equal formats into one seekable file, packet by packet as they were recorded.

Each call has a child process of its own; memory is that of some pieces on both sides, whatever the segments' length.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from control_plane.domain.media import (
    PROBED_BYTES,
    REWRITTEN_BYTES,
    Container,
    MediaFailed,
    MediaUnreadable,
    Remuxed,
    SegmentFormat,
    Written,
    container_of_bytes,
)
from control_plane.media.framing import (
    Broken,
    Frame,
    format_from_bytes,
    remuxed_from_bytes,
)
from control_plane.media.orders import Order, Task
from control_plane.media.process import Child


class Remuxing(AsyncIterator[Written]):
    """A file while it is made: what is written of it, and at its end what became of the segments.

    To iterate raises `MediaUnreadable` (for good), `MediaFailed` (may be tried again), and what the segments raise.
    """

    def __init__(self, child: Child) -> None:
        self._child = child
        self._size = 0
        self.result: Remuxed | None = None  # set when the file is whole

    @property
    def pid(self) -> int:
        """The id of the process that does it."""
        return self._child.pid

    @property
    def size(self) -> int:
        """How long the file is so far, in bytes."""
        return self._size

    async def __anext__(self) -> Written:
        if self.result is not None:
            raise StopAsyncIteration
        try:
            return await self._next()
        except Broken as exc:
            raise MediaFailed(f"the child {exc}") from exc

    async def _next(self) -> Written:
        while True:
            received = await self._child.hear()
            match received.frame:
                case Frame.ALIVE:
                    continue
                case Frame.WRITTEN:
                    return self._checked(Written(received.number, received.data))
                case Frame.DONE:
                    self.result = remuxed_from_bytes(received.data)
                    raise StopAsyncIteration
            raise Broken(f"told {received.frame.name} of a file")

    def _checked(self, written: Written) -> Written:
        end = written.offset + len(written.data)
        if written.offset != self._size and not (end <= self._size and end <= REWRITTEN_BYTES):
            raise Broken(f"wrote {len(written.data)} bytes at {written.offset} of {self._size}")
        self._size = max(self._size, end)
        return written


class Remuxer:
    """Reads media in child processes.

    `memory_limit_bytes` is of a child's address space, of which 130 MB are taken before it begins. `scratch_limit_bytes` bounds
    the one file in `scratch_dir` that an MP4 takes; WebM and Ogg take none. A child that does nothing for `silence_s` is killed.
    """

    def __init__(
        self, *, memory_limit_bytes: int, scratch_dir: Path, scratch_limit_bytes: int, silence_s: float
    ) -> None:
        self._order = Order(
            Task.PROBE, Container.WEBM, memory_limit_bytes, scratch_limit_bytes, silence_s, scratch_dir.absolute()
        )

    async def probe(self, head: bytes, container: Container | None) -> SegmentFormat:
        """What a segment holds, by its first bytes: its first chunk, of which no more than `PROBED_BYTES` are looked at.

        `container` is what its recorder called it, and counts only where the bytes show nothing else.
        """
        found = container_of_bytes(head) or container
        if found is None:
            raise MediaUnreadable("It is neither WebM nor MP4 nor Ogg.", 0)
        order = replace(self._order, container=found, scratch_bytes=0)
        async with Child(order, (_once(head[:PROBED_BYTES]),)) as child:
            received = await child.hear()
        try:
            if received.frame is not Frame.FORMAT:
                raise Broken(f"told {received.frame.name} of a segment's beginning")
            return format_from_bytes(received.data)
        except Broken as exc:
            raise MediaFailed(f"the child {exc}") from exc

    @asynccontextmanager
    async def remux(self, segments: Sequence[AsyncIterator[bytes]], container: Container) -> AsyncIterator[Remuxing]:
        """One file of these segments, which are `joinable`: each goes on where the one before it ended.

        The same segments give the same bytes. Segments are read one after the other, no faster than what is written is taken.
        """
        scratch = self._order.scratch_bytes if container is Container.MP4 else 0
        order = replace(self._order, task=Task.REMUX, container=container, scratch_bytes=scratch)
        async with Child(order, segments) as child:
            yield Remuxing(child)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
