"""Proof without a claim: that a chunk's bytes are in the bucket, when no recorder has said so (or its word was lost)."""

import asyncio
from collections.abc import Sequence

from control_plane.domain.bucket import Bucket, BucketUnreachable, ReadBack
from control_plane.domain.judging import judge
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import Chunk, Verdict
from control_plane.services.looking import Looker

# Each is up to some megabytes on the line and none of them in memory; more would only slow down the uploads beside them.
READS_AT_ONCE = 4


class Prover:
    """By the SHA-256 that a HEAD tells, else by reading the object and hashing it. An ETag proves nothing here."""

    def __init__(self, looker: Looker, bucket: Bucket) -> None:
        self._looker = looker
        self._bucket = bucket
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def proven(self, chunks: Sequence[Chunk]) -> Sequence[tuple[Chunk, str]]:
        """Those whose granted bytes are there now, each with the ETag under which they lie.

        What could not be looked at is left out as well: nothing is concluded from it.
        """
        etags = await asyncio.gather(*(self._prove(chunk) for chunk in chunks))
        return [(chunk, etag) for chunk, etag in zip(chunks, etags, strict=True) if etag]

    async def holds(self, chunk: Chunk, *, version_id: str | None = None) -> bool:
        """Whether the object (or one version of it), read to its end, is the chunk. Raises `BucketUnreachable`."""
        async with self._reads:
            found = await self._bucket.read_back(key_of(chunk), version_id=version_id)
        return found == ReadBack(chunk.size, chunk.sha256)

    async def _prove(self, chunk: Chunk) -> str | None:
        sight = await self._looker.look(chunk)
        if sight.head is None:
            return None
        verdict = judge(size=chunk.size, sha256=chunk.sha256, etag=None, head=sight.head)
        if verdict is Verdict.UNPROVEN and not await self._reads_right(chunk):
            return None
        return sight.head.etag if verdict in {Verdict.MATCH, Verdict.UNPROVEN} else None

    async def _reads_right(self, chunk: Chunk) -> bool:
        try:
            return await self.holds(chunk)
        except BucketUnreachable:
            return False


def key_of(chunk: Chunk) -> str:
    """Where the chunk lies."""
    return chunk_key(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256)
