"""Segments through a `Remuxer`, and the file that comes out."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from control_plane.domain.media import Container, Remuxed
from control_plane.media.remuxing import Remuxer

MEMORY_BYTES = 1024**3
SCRATCH_BYTES = 1024**3
# Long, for a machine that is busy: only a child that hangs is silent.
SILENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Made:
    """A file, what was told of it, and where bytes were written before its end."""

    data: bytes
    told: Remuxed
    rewritten: tuple[int, ...]


def remuxer(
    folder: Path,
    *,
    memory_bytes: int = MEMORY_BYTES,
    scratch_bytes: int = SCRATCH_BYTES,
    silence_s: float = SILENCE_S,
) -> Remuxer:
    """One with room and time enough for anything but a fault."""
    return Remuxer(
        memory_limit_bytes=memory_bytes, scratch_dir=folder, scratch_limit_bytes=scratch_bytes, silence_s=silence_s
    )


async def arriving(data: bytes, piece: int = 50_000) -> AsyncIterator[bytes]:
    """Bytes as they come from a bucket."""
    for begin in range(0, len(data), piece):
        yield data[begin : begin + piece]


async def streamed(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """What is made while it is read."""
    for piece in pieces:
        yield piece


async def remux(
    found: Remuxer, segments: Sequence[bytes], container: Container = Container.WEBM, *, piece: int = 50_000
) -> Made:
    """The file that these segments become. Raises what the remuxer raises."""
    data, rewritten = bytearray(), list[int]()
    async with found.remux([arriving(each, piece) for each in segments], container) as writing:
        async for written in writing:
            if written.offset < len(data):
                rewritten.append(written.offset)
            data[written.offset : written.offset + len(written.data)] = written.data
    assert writing.result is not None
    assert writing.size == len(data)
    return Made(bytes(data), writing.result, tuple(rewritten))
