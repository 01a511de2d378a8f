"""Looking at chunks in the bucket by HEAD, so many at once and no more."""

import asyncio
import logging
from dataclasses import dataclass

from control_plane.domain.bucket import Bucket, BucketUnreachable, ObjectHead
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import Chunk

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look showed: `reached` False where nothing may be concluded; `head` None where the object is absent."""

    reached: bool
    head: ObjectHead | None


_UNREACHED = Sight(reached=False, head=None)


class Looker:
    """HEADs with bounded concurrency, shared by acks and sweeps; counts what it could not reach."""

    def __init__(self, bucket: Bucket, *, at_once: int) -> None:
        self._bucket = bucket
        self._turns = asyncio.Semaphore(at_once)
        self.unreachable_total = 0

    async def look(self, chunk: Chunk) -> Sight:
        """What lies under the chunk's key now. Never raises for the bucket's failure: that is an answer here."""
        key = chunk_key(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256)
        async with self._turns:
            try:
                return Sight(reached=True, head=await self._bucket.head(key))
            except BucketUnreachable as exc:
                self.unreachable_total += 1
                if self.unreachable_total.bit_count() == 1:
                    # At 1, 2, 4, 8 … failures: an outage must be seen, and must not flood the log.
                    _log.warning(
                        "A HEAD gave no answer to trust",
                        extra={"failures": self.unreachable_total, "cause": str(exc)},
                    )
                return _UNREACHED
