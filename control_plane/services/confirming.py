"""The confirm sweep: recently acked chunks are seen again in the bucket, and may then be released.

A chunk becomes confirmed only by a sweep that read the ledger after the ack was committed, then listed, then saw it by
HEAD. What does not match is handed to the same rules as an audit's findings, at once.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from control_plane.db.sweeps import SweepStore
from control_plane.domain.bucket import Bucket, BucketUnreachable, ListedObject
from control_plane.domain.findings import SweepReport
from control_plane.domain.judging import looks_right
from control_plane.domain.keys import before_seq, chunk_key, recording_prefix
from control_plane.domain.models import Chunk, SweepKind
from control_plane.domain.work import ALL_SHARDS, Shards
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.examining import examine
from control_plane.services.looking import Looker
from control_plane.services.sweeping import Sweep, SweepRunner

# One sweep's share; what is left over goes first in the next one, seconds later.
RECORDINGS_PER_SWEEP = 1_000
CHUNKS_PER_SWEEP = 20_000
# Rows that one statement locks and writes: some ten milliseconds.
CONFIRMED_TOGETHER = 2_000
# A listing is one call and a page of memory; more at once only makes the bucket queue them.
LISTINGS_AT_ONCE = 8

_log = logging.getLogger(__name__)


class ConfirmService:
    """Runs confirm sweeps."""

    def __init__(
        self,
        runner: SweepRunner,
        sweeps: SweepStore,
        discrepancies: DiscrepancyService,
        bucket: Bucket,
        looker: Looker,
        *,
        settle: timedelta,
    ) -> None:
        self._runner = runner
        self._sweeps = sweeps
        self._discrepancies = discrepancies
        self._bucket = bucket
        self._looker = looker
        self._settle = settle

    async def run(
        self, *, dry_run: bool = False, shards: Shards = ALL_SHARDS, sweep_id: UUID | None = None
    ) -> SweepReport:
        """One sweep over acked chunks of these shards, older than the settle time."""
        return await self._runner.run(SweepKind.CONFIRM, self._body, dry_run=dry_run, shards=shards, sweep_id=sweep_id)

    async def _body(self, sweep: Sweep) -> None:
        candidates = await self._sweeps.unconfirmed(
            sweep.shards, settle=self._settle, recordings=RECORDINGS_PER_SWEEP, chunks=CHUNKS_PER_SWEEP
        )
        sweep.seen.looked_at = len(candidates)
        sweep.seen.truncated = len(candidates) == CHUNKS_PER_SWEEP
        if not candidates:
            return
        listed = await self._listed(candidates)
        lookable = [chunk for chunk in candidates if chunk.recording_id in listed]
        sweep.seen.unlisted = len(candidates) - len(lookable)
        examined = await examine(self._looker, lookable)
        sweep.seen.unreachable = examined.unreachable
        sweep.seen.note(examined.findings)
        right = [
            (chunk, etag) for chunk, etag in examined.right if _listed_right(chunk, etag, listed[chunk.recording_id])
        ]
        await sweep.require_right_bucket()
        if sweep.dry_run:
            sweep.seen.confirmed = len(right)
        else:
            for part in range(0, len(right), CONFIRMED_TOGETHER):
                sweep.seen.confirmed += await self._sweeps.confirm(
                    right[part : part + CONFIRMED_TOGETHER], sweep.started_at
                )
            await self._sweeps.looked(list({chunk.recording_id for chunk in candidates}))
        await self._discrepancies.handle(examined.findings, sweep)

    async def _listed(self, candidates: Sequence[Chunk]) -> dict[UUID, dict[str, ListedObject]]:
        """What the bucket lists of these recordings, by recording and key.

        A recording whose listing failed is absent: nothing is decided about it, and it does not hold up the others. Where
        all listings failed, `BucketUnreachable` is raised.
        """
        turns = asyncio.Semaphore(LISTINGS_AT_ONCE)
        grouped = {rid: list(chunks) for rid, chunks in groupby(candidates, key=lambda chunk: chunk.recording_id)}
        listings = await asyncio.gather(
            *(self._list_recording(recording_id, chunks, turns) for recording_id, chunks in grouped.items()),
            return_exceptions=True,
        )
        failures = [listing for listing in listings if isinstance(listing, BaseException)]
        for failure in failures:
            if not isinstance(failure, BucketUnreachable) or len(failures) == len(listings):
                raise failure
        if failures:
            _log.warning("Listings failed", extra={"recordings": len(failures), "cause": str(failures[0])})
        return {
            recording_id: {found.key: found for found in listing}
            for recording_id, listing in zip(grouped, listings, strict=True)
            if not isinstance(listing, BaseException)
        }

    async def _list_recording(
        self, recording_id: UUID, chunks: Sequence[Chunk], turns: asyncio.Semaphore
    ) -> list[ListedObject]:
        """From just before the first candidate to just after the last: a long recording is not listed anew each time."""
        start_after = before_seq(recording_id, chunks[0].seq)
        end = before_seq(recording_id, chunks[-1].seq + 1)
        wanted = {_key(chunk) for chunk in chunks}
        found: list[ListedObject] = []
        async with turns:
            async for page in self._bucket.list_pages(recording_prefix(recording_id), start_after=start_after):
                found += [listed for listed in page if listed.key in wanted]
                if any(listed.key > end for listed in page):
                    break
        return found


def _listed_right(chunk: Chunk, etag: str, listed: dict[str, ListedObject]) -> bool:
    """Whether the listing agrees with the ledger, or at least with the HEAD that has just proven the content."""
    there = listed.get(_key(chunk))
    return looks_right(chunk, there) or (there is not None and there.size == chunk.size and there.etag == etag)


def _key(chunk: Chunk) -> str:
    return chunk_key(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256)
