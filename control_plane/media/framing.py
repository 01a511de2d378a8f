"""What parent and child say to each other through pipes: frames of a kind, a number, and so many bytes.

    to the child     BYTES*  SEGMENT_END   for each segment, then  INPUT_END
    to the parent    FORMAT                                    of a probe
                     (WRITTEN | ALIVE)*  DONE                  of a remux
                     UNREADABLE | SCRATCH_FULL                 in place of what would have come next

A pipe that ends anywhere else means that the other side is gone. Flow is controlled by the pipes alone: who reads slowly is
written to slowly.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from control_plane.domain.media import Container, Kind, Remuxed, SegmentFormat, StreamFormat

if TYPE_CHECKING:  # the child starts faster without asyncio
    from asyncio import StreamReader

# Large enough that Python's share of the work is small, small enough that some of them in each pipe's ends are nothing.
PIECE_BYTES = 256 * 1024
# Sentences and descriptions are far shorter: what is longer was not written by our child.
MAX_FRAME_BYTES = PIECE_BYTES
_HEADER = struct.Struct("!BIQ")


class Frame(IntEnum):
    """The kinds of frames; what `number` means is said where it means something."""

    BYTES = 1  # of the present segment
    SEGMENT_END = 2
    INPUT_END = 3
    WRITTEN = 4  # number: where in the file
    ALIVE = 5  # at work on what brings no bytes yet
    FORMAT = 6
    DONE = 7
    UNREADABLE = 8  # number: which segment, counted from 1; 0: none in particular
    SCRATCH_FULL = 9


class Broken(Exception):
    """The other side is gone, or does not keep to this."""


class Received(NamedTuple):
    """A frame as it came."""

    frame: Frame
    number: int
    data: bytes


def header(frame: Frame, length: int = 0, number: int = 0) -> bytes:
    """What goes before the `length` bytes of a frame."""
    return _HEADER.pack(frame, length, number)


async def receive(stream: "StreamReader") -> Received | None:
    """The child's next frame; None where it has closed its pipe, within a frame too. `Broken` for what is none."""
    try:
        frame, length, number = _parse(await stream.readexactly(_HEADER.size))
        return Received(frame, number, await stream.readexactly(length))
    except EOFError:  # of asyncio: it was read incompletely
        return None


class Readable(Protocol):
    """The end of a pipe."""

    def read(self, count: int, /) -> bytes:
        """So many bytes; fewer only where the other side has closed it."""


class Input:
    """The child's end: the segments as they come."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def segments(self) -> Iterator["SegmentReader"]:
        """Each segment, to be read before the next is asked for; what was left unread of one is passed over."""
        index = 0
        while (frame := self._next()) != (Frame.INPUT_END, 0):
            reader = SegmentReader(self, index, frame)
            yield reader
            reader.pass_over()
            index += 1

    def _next(self) -> tuple[Frame, int]:
        frame, length, _ = _parse(self.take(_HEADER.size))
        return frame, length

    def take(self, count: int) -> bytes:
        """Exactly so many bytes."""
        data = self._stream.read(count)
        if len(data) < count:
            raise Broken("the parent is gone")
        return data


class SegmentReader:
    """A segment as a file that can be read once, from its beginning to its end. It is never whole in memory."""

    name = "segment"

    def __init__(self, source: Input, index: int, first: tuple[Frame, int]) -> None:
        self.index = index
        self.position = 0
        self._source = source
        self._left = 0
        self._ended = False
        self._enter(*first)

    def read(self, count: int) -> bytes:
        """Up to `count` bytes, and none at the end."""
        while not self._left and not self._ended:
            self._enter(*self._source._next())  # noqa: SLF001  # two halves of one reader
        data = self._source.take(min(count, self._left))
        self._left -= len(data)
        self.position += len(data)
        return data

    def pass_over(self) -> int:
        """Goes to the segment's end; returns how many bytes nobody had read."""
        before = self.position
        while self.read(PIECE_BYTES):
            pass
        return self.position - before

    def _enter(self, frame: Frame, length: int) -> None:
        if frame is Frame.BYTES:
            self._left = length
        elif frame is Frame.SEGMENT_END:
            self._ended = True
        else:
            raise Broken(f"{frame.name} within a segment")


def format_to_bytes(form: SegmentFormat) -> bytes:
    """The data of a `FORMAT`."""
    return json.dumps(asdict(form)).encode()


def format_from_bytes(data: bytes) -> SegmentFormat:
    """The inverse. `Broken` for anything else: the child has read what strangers wrote."""
    try:
        found = json.loads(data)
        return SegmentFormat(Container(found["container"]), tuple(_stream(each) for each in found["streams"]))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise Broken("told no format") from exc


def remuxed_to_bytes(done: Remuxed) -> bytes:
    """The data of a `DONE`."""
    return json.dumps(asdict(done)).encode()


def remuxed_from_bytes(data: bytes) -> Remuxed:
    """The inverse. `Broken` for anything else."""
    try:
        found = json.loads(data)
        return Remuxed(int(found["duration_ms"]), int(found["packets"]), tuple(int(each) for each in found["damaged"]))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise Broken("told no end") from exc


def _stream(found: dict[str, str | int]) -> StreamFormat:
    width, height, rate, channels = (int(found[name]) for name in ("width", "height", "sample_rate", "channels"))
    return StreamFormat(
        Kind(str(found["kind"])), str(found["codec"]), width, height, rate, channels, str(found["extradata"])
    )


def _parse(head: bytes) -> tuple[Frame, int, int]:
    kind, length, number = _HEADER.unpack(head)
    if length > MAX_FRAME_BYTES:
        raise Broken("a frame is too long")
    try:
        return Frame(kind), length, number
    except ValueError:
        raise Broken("a frame of no known kind") from None
