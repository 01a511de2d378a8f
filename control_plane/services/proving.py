"""Proof without a claim: that a chunk's bytes are in the bucket, when no recorder has said so (or its word was lost)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.db.fixity import FixityStore
from control_plane.domain.bucket import Bucket, BucketUnreachable, ReadBack
from control_plane.domain.judging import judge
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import Chunk, Verdict
from control_plane.services.looking import Looker

# Each is up to some megabytes on the line and none of them in memory; more would only slow down the uploads beside them.
READS_AT_ONCE = 4
# No ETag: nothing is true of it.
_UNREACHED = ""


@dataclass(frozen=True, slots=True)
class Proofs:
    """Chunks whose granted bytes are there now, each with the ETag under which they lie; and those of which nothing is known."""

    proven: Sequence[tuple[Chunk, str]]
    unreached: Sequence[Chunk]


class Prover:
    """By the SHA-256 that a HEAD tells, else by reading the object and hashing it. An ETag proves nothing here."""

    def __init__(self, looker: Looker, bucket: Bucket, fixity: FixityStore) -> None:
        self._looker = looker
        self._bucket = bucket
        self._fixity = fixity
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def proven(self, chunks: Sequence[Chunk]) -> Sequence[tuple[Chunk, str]]:
        """Those whose granted bytes are there now, each with the ETag under which they lie.

        What could not be looked at is left out as well: nothing is concluded from it.
        """
        return (await self.prove(chunks)).proven

    async def prove(self, chunks: Sequence[Chunk]) -> Proofs:
        """The same, and what could not be looked at apart.

        What was read wrong before is read: a HEAD shows the digest of bytes that are damaged by now.
        """
        doubted = await self._fixity.doubted(chunks) if chunks else frozenset()
        etags = await asyncio.gather(
            *(self._prove(chunk, by_reading=(chunk.recording_id, chunk.seq) in doubted) for chunk in chunks)
        )
        told = list(zip(chunks, etags, strict=True))
        return Proofs(
            [(chunk, etag) for chunk, etag in told if etag], [chunk for chunk, etag in told if etag is _UNREACHED]
        )

    async def undoubted(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """Those that were not read wrong before: the others are a fixity sweep's, which reads within its budget."""
        doubted = await self._fixity.doubted(chunks) if chunks else frozenset()
        return [chunk for chunk in chunks if (chunk.recording_id, chunk.seq) not in doubted]

    async def read(self, chunk: Chunk, *, version_id: str | None = None) -> ReadBack | None:
        """Reads the object (or one version of it) to its end; None if absent. Raises `BucketUnreachable`."""
        async with self._reads:
            return await self._bucket.read_back(key_of(chunk), version_id=version_id)

    async def holds(self, chunk: Chunk, *, version_id: str | None = None) -> bool:
        """Whether the object (or one version of it), read to its end, is the chunk. Raises `BucketUnreachable`."""
        return await self.read(chunk, version_id=version_id) == ReadBack(chunk.size, chunk.sha256)

    async def _prove(self, chunk: Chunk, *, by_reading: bool) -> str | None:
        """The ETag of what is proven, None for what is not, `_UNREACHED` where the bucket gave no answer."""
        sight = await self._looker.look(chunk)
        if not sight.reached:
            return _UNREACHED
        if sight.head is None:
            return None
        verdict = judge(size=chunk.size, sha256=chunk.sha256, etag=None, head=sight.head)
        if verdict not in {Verdict.MATCH, Verdict.UNPROVEN}:
            return None
        if not by_reading and verdict is Verdict.MATCH:
            return sight.head.etag
        try:
            return sight.head.etag if await self.holds(chunk) else None
        except BucketUnreachable:
            return _UNREACHED


def key_of(chunk: Chunk) -> str:
    """Where the chunk lies."""
    return chunk_key(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256)
