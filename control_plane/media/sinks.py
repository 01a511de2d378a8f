"""Where the child's muxer writes: straight to the parent, or into a file without a name, and from there to the parent."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

from control_plane.domain.media import REWRITTEN_BYTES
from control_plane.media.framing import MAX_FRAME_BYTES, PIECE_BYTES, Frame, header

# While a finished file is moved on the disk nothing else is to be heard of the child: it says so often that it lives.
ALIVE_EVERY_BYTES = 8 * 1024 * 1024


class Writable(Protocol):
    """The end of a pipe."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Takes all of `data`."""

    def flush(self) -> None:
        """Returns when the pipe has it all."""


class OutOfOrder(Exception):
    """The muxer would rewrite what may have been sent on for good: a header of more than a megabyte."""


class Output:
    """The child's end of the pipe to the parent."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self._ended = False

    def tell(self, frame: Frame, data: bytes | memoryview = b"", number: int = 0) -> None:
        """Sends one frame; waits while the parent does not read."""
        if self._ended:  # a muxer that is given up would still end its file
            return
        self._stream.write(header(frame, len(data), number))
        self._stream.write(data)
        self._stream.flush()

    def end(self, frame: Frame, data: bytes = b"", number: int = 0) -> None:
        """Sends the last frame."""
        self.tell(frame, data[:MAX_FRAME_BYTES], number)
        self._ended = True


class Straight:
    """A file that is told to the parent as it is written. Only its beginning can be written again."""

    name = "file"

    def __init__(self, output: Output) -> None:
        self._output = output
        self._pending = bytearray()
        self._begin = 0  # where what is pending belongs
        self._position = 0
        self._end = 0

    def write(self, data: bytes) -> int:
        """Takes all of `data`."""
        if self._position != self._begin + len(self._pending):
            self._flush()
            self._begin = self._position
        if self._position < self._end and self._position + len(data) > REWRITTEN_BYTES:
            raise OutOfOrder(f"{len(data)} bytes at {self._position} of {self._end}")
        self._pending += data
        self._position += len(data)
        self._end = max(self._end, self._position)
        while len(self._pending) >= PIECE_BYTES:
            self._tell(PIECE_BYTES)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's."""
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        return self._position

    def tell(self) -> int:
        """As a file's."""
        return self._position

    def second_reader(self, *_: object) -> NoReturn:
        """What was told cannot be read back."""
        raise PermissionError("this process writes one file, once")

    def finish(self) -> None:
        """Tells the parent what it was not told yet."""
        self._flush()

    def _flush(self) -> None:
        while self._pending:
            self._tell(PIECE_BYTES)

    def _tell(self, count: int) -> None:
        with memoryview(self._pending)[:count] as piece:
            self._output.tell(Frame.WRITTEN, piece, self._begin)
        self._begin += min(count, len(self._pending))
        del self._pending[:count]


class Scratch:
    """A file on disk that has no name: gone when the child is, however it ends."""

    name = "file"

    def __init__(self, folder: Path, output: Output) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # ends with the process
        self._output = output
        self._moved = 0

    def write(self, data: bytes) -> int:
        """Takes all of `data`, or raises OSError where there is no room for it."""
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def second_reader(self, _url: str, flags: int, _options: dict[str, str]) -> "ScratchReader":
        """The same file, opened once more to be read: the muxer moves its bytes to make room for the index before them."""
        if flags & 2:  # AVIO_FLAG_WRITE
            raise PermissionError("this process writes one file")
        return ScratchReader(self._file.fileno(), self._alive)

    def finish(self) -> None:
        """Tells the parent the whole file."""
        at = 0
        while piece := os.pread(self._file.fileno(), PIECE_BYTES, at):
            self._output.tell(Frame.WRITTEN, piece, at)
            at += len(piece)

    def _alive(self, count: int) -> None:
        self._moved += count
        if self._moved >= ALIVE_EVERY_BYTES:
            self._moved = 0
            self._output.tell(Frame.ALIVE)


class ScratchReader:
    """Reads a scratch file at a place of its own."""

    name = "file"

    def __init__(self, descriptor: int, alive: Callable[[int], None]) -> None:
        self._descriptor = descriptor
        self._alive = alive
        self._position = 0

    def read(self, count: int) -> bytes:
        """Up to `count` bytes, and none at the end."""
        data = os.pread(self._descriptor, count, self._position)
        self._position += len(data)
        self._alive(len(data))
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's; never from the end."""
        self._position = offset + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def tell(self) -> int:
        """As a file's."""
        return self._position
