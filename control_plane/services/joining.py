"""Makes one file of a recording's chunks: joined by the bucket, passed on as they are, or remuxed segment by segment.

Every byte that passes here is hashed against what was granted; what the bucket joins by itself is held to each chunk's ETag. A
file that was made of anything else is never completed.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from control_plane.domain.assembly import Segment, part_bytes
from control_plane.domain.bucket import Bucket, BucketUnreachable, ReadBack, SourceChanged, UploadedPart
from control_plane.domain.fixity import judge_reading
from control_plane.domain.media import Container
from control_plane.domain.models import Chunk, Verdict
from control_plane.media.remuxing import Remuxer
from control_plane.services.ahead import read_ahead
from control_plane.services.at_once import at_once
from control_plane.services.part_writing import PartWriter, complete, opened_upload
from control_plane.services.proving import key_of

# The bucket copies by itself; more at once than this only wait there.
COPIES_AT_ONCE = 4
# What a header may take; of most segments it is the first chunk.
PROBED_BYTES = 1024 * 1024


class ChunkWrong(Exception):
    """The bucket does not hold what was granted under this chunk's key."""

    def __init__(self, chunk: Chunk, verdict: Verdict) -> None:
        super().__init__(f"chunk {chunk.seq}: {verdict}")
        self.chunk = chunk
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Target:
    """Where a file is written: its key, what it is, the upload that was begun before, and whom to tell of a new one."""

    key: str
    content_type: str
    upload_id: str | None
    note: Callable[[str], Awaitable[None]]


class Joiner:
    """Makes files of chunks."""

    def __init__(self, bucket: Bucket, remuxer: Remuxer) -> None:
        self._bucket = bucket
        self.remuxer = remuxer

    async def copy(self, chunks: Sequence[Chunk], target: Target, passed: Callable[[int], None]) -> int:
        """Has the bucket join the chunks; how many bytes that made. `passed` is told of bytes as they are done.

        Raises `ChunkWrong`, `BucketUnreachable`.
        """
        upload_id, known = await self._upload(target)

        async def one(numbered: tuple[int, Chunk]) -> UploadedPart:
            number, chunk = numbered
            part = known.get(number)
            # The copy was held to the chunk's ETag when it was made.
            if part is None or part.size != chunk.size:
                part = await self._copied(chunk, target.key, upload_id, number)
            passed(chunk.size)
            return part

        parts = await at_once(one, enumerate(chunks, 1), most=COPIES_AT_ONCE)
        await complete(self._bucket, target.key, upload_id, parts)
        return sum(chunk.size for chunk in chunks)

    async def pass_on(self, chunks: Sequence[Chunk], target: Target, passed: Callable[[int], None]) -> int:
        """Passes the chunks' bytes on as they are; how many. Raises `ChunkWrong`, `BucketUnreachable`."""
        return await self.write(self.bytes_of(chunks, passed), sum(chunk.size for chunk in chunks), target)

    async def remux(
        self, segments: Sequence[Segment], container: Container, target: Target, passed: Callable[[int], None]
    ) -> int:
        """One file of segments whose streams are equal; how many bytes it has.

        Raises `ChunkWrong`, `BucketUnreachable`, `MediaUnreadable`, `MediaFailed`.
        """
        total = sum(segment.size for segment in segments)
        fed = [self.bytes_of(segment.chunks, passed) for segment in segments]
        async with self._writer(target, total) as writer, self.remuxer.remux(fed, container) as written:
            async for piece in written:
                await writer.write(piece.data, offset=piece.offset)
            return await writer.finish()

    async def write(self, pieces: AsyncGenerator[bytes, None], total: int, target: Target) -> int:
        """Writes these bytes, about `total`; how many there were."""
        async with self._writer(target, total) as writer, aclosing(pieces):
            async for piece in pieces:
                await writer.write(piece)
            return await writer.finish()

    async def head_of(self, segment: Segment) -> bytes:
        """The first bytes of a segment, as many as a header may take. Raises `ChunkWrong`, `BucketUnreachable`."""
        head = bytearray()
        async with aclosing(self.bytes_of(segment.chunks, lambda _: None)) as pieces:
            async for piece in pieces:
                head += piece
                if len(head) >= PROBED_BYTES:
                    break
        return bytes(head)

    async def bytes_of(self, chunks: Sequence[Chunk], passed: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
        """The chunks' bytes, one after another, each chunk proven when its last byte has passed.

        Raises `ChunkWrong`, `BucketUnreachable`.
        """
        async with aclosing(read_ahead(self._pieces(chunks))) as pieces:
            async for piece in pieces:
                passed(len(piece))
                yield piece

    async def stored(self, key: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a file that was made before. Raises `BucketUnreachable`, also where it is gone."""
        async with self._bucket.stream(key) as body:
            if body is None:
                raise BucketUnreachable(f"{key} was made, and is not there any more")
            async for piece in body:
                yield piece

    async def _pieces(self, chunks: Sequence[Chunk]) -> AsyncIterator[bytes]:
        for chunk in chunks:
            size, digest = 0, hashlib.sha256()
            async with self._bucket.stream(key_of(chunk)) as body:
                if body is None:
                    raise ChunkWrong(chunk, Verdict.MISSING)
                async for piece in body:
                    size += len(piece)
                    digest.update(piece)
                    if size <= chunk.size:
                        yield piece
            verdict = judge_reading(chunk, ReadBack(size, digest.hexdigest()))
            if verdict is not Verdict.MATCH:
                raise ChunkWrong(chunk, verdict)

    async def _copied(self, chunk: Chunk, key: str, upload_id: str, number: int) -> UploadedPart:
        assert chunk.etag is not None, "what is in the bucket was seen there"
        try:
            part = await self._bucket.copy_part(key, upload_id, number, source=key_of(chunk), etag=chunk.etag)
        except SourceChanged as exc:
            # The store may have it among the parts all the same: who goes on must not find it there.
            await self._bucket.abort_upload(key, upload_id)
            raise ChunkWrong(chunk, Verdict.ETAG_DIFFERS) from exc
        return part

    @asynccontextmanager
    async def _writer(self, target: Target, total: int) -> AsyncIterator[PartWriter]:
        upload_id, known = await self._upload(target)
        async with PartWriter(self._bucket, target.key, upload_id, known, part_bytes(total)) as writer:
            yield writer

    async def _upload(self, target: Target) -> tuple[str, Mapping[int, UploadedPart]]:
        return await opened_upload(self._bucket, target.key, target.upload_id, target.content_type, target.note)
