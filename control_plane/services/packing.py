"""A ZIP as a stream: files of any size, stored as they are, none of them ever in memory."""

import io
import zipfile
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from datetime import UTC, datetime

# Of the ZIP format: it knows no year before.
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


class _Outlet(io.RawIOBase):
    """What the archive writes, until it is taken. It cannot be gone back in, so sizes follow each file."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = memoryview(data).cast("B")  # type: ignore[arg-type]  # any buffer, as RawIOBase takes
        self._kept += piece
        return len(piece)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._kept)
        self._kept.clear()
        return taken


async def zipped(
    files: AsyncIterable[tuple[str, datetime, AsyncGenerator[bytes, None]]],
) -> AsyncGenerator[bytes, None]:
    """The bytes of a ZIP of these files: name, when it was made (UTC), content. The same files make the same bytes."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", compression=zipfile.ZIP_STORED, allowZip64=True) as archive:
        async for name, made_at, content in files:
            entry = zipfile.ZipInfo(name, max(made_at.astimezone(UTC), EARLIEST).timetuple()[:6])
            entry.external_attr = 0o644 << 16
            async with aclosing(content):
                with archive.open(entry, "w", force_zip64=True) as member:
                    async for piece in content:
                        member.write(piece)
                        yield outlet.take()
    yield outlet.take()
