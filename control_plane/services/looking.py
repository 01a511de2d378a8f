"""Looking at chunks in the bucket by HEAD, so many at once and no more."""

import asyncio
import logging
import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from control_plane.domain.bucket import Bucket, BucketUnreachable, ObjectHead
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import Chunk

# A quarter of the turns there are by default: three more calls are served beside the largest batch.
OF_ONE_CALL = 16
# Three calls in a row that ended without an answer: a store that restarts is back by then, and one that hangs would keep a
# batch of thousands for hours.
SILENT_S = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look showed: `reached` False where nothing may be concluded; `head` None where the object is absent."""

    reached: bool
    head: ObjectHead | None


_UNREACHED = Sight(reached=False, head=None)


class Looker:
    """HEADs with bounded concurrency, shared by acks and sweeps; counts what it could not reach."""

    def __init__(self, bucket: Bucket, *, at_once: int, patience_s: float | None = None) -> None:
        """`patience_s` bounds a look with its wait for a turn; None: as long as the bucket's client waits."""
        self._bucket = bucket
        self._patience_s = patience_s
        self._turns = asyncio.Semaphore(at_once)
        self._answered_at = -math.inf
        self.unreachable_total = 0

    async def look(self, chunk: Chunk) -> Sight:
        """What lies under the chunk's key now. Never raises for the bucket's failure: that is an answer here."""
        return await self._look(chunk, self._deadline(), nullcontext())

    async def look_at_all(self, chunks: Sequence[Chunk]) -> Sequence[Sight]:
        """The same for the chunks of one call, in order, within the same time in all.

        A call stands in the common queue with a few chunks at a time: else a batch of 1,000 would let nobody else look before it
        is through, and a few such batches would end the patience of all.
        """
        own, deadline = asyncio.Semaphore(OF_ONE_CALL), self._deadline()
        return await asyncio.gather(*(self._look(chunk, deadline, own) for chunk in chunks))

    def _deadline(self) -> float | None:
        return None if self._patience_s is None else asyncio.get_running_loop().time() + self._patience_s

    async def _look(self, chunk: Chunk, deadline: float | None, own: AbstractAsyncContextManager[object]) -> Sight:
        key = chunk_key(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout_at(deadline), own, self._turns:
                if clock() - max(began, self._answered_at) > SILENT_S:
                    raise BucketUnreachable("nobody was answered while this waited for its turn")
                head = await self._bucket.head(key)
            self._answered_at = clock()
            return Sight(reached=True, head=head)
        except (BucketUnreachable, TimeoutError) as exc:
            self._note(exc)
            return _UNREACHED

    def _note(self, exc: Exception) -> None:
        self.unreachable_total += 1
        if self.unreachable_total.bit_count() == 1:
            # At 1, 2, 4, 8 … failures: an outage must be seen, and must not flood the log.
            fields = {"failures": self.unreachable_total, "cause": str(exc) or "no turn and answer in time"}
            _log.warning("A HEAD gave no answer to trust", extra=fields)
