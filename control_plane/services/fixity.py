"""The fixity sweep: chunks are read back to their last byte and hashed, so many bytes in an hour.

HEAD and listings tell what was once written; only reading tells what a disk still has. What was read wrong is handed to the
same rules as other findings, and only another full read ends that doubt.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.db.fixity import FixityStore
from control_plane.db.sweeps import SweepStore
from control_plane.domain.bucket import BucketUnreachable, ReadBack
from control_plane.domain.findings import Finding, SweepReport
from control_plane.domain.fixity import ReadingPlan, judge_reading
from control_plane.domain.models import IN_BUCKET, Chunk, SweepKind, Verdict
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.proving import Prover
from control_plane.services.sweeping import Sweep, SweepRunner

# More are the next run's: a claim of some milliseconds, whatever the budget.
CHUNKS_PER_SWEEP = 2_000
# Read, judged and written together: what a killed run had read is lost up to this.
CHUNKS_TOGETHER = 32
# A part of a store that hangs keeps each read waiting; the next run goes on.
SWEEP_S = 240.0
# A part of a store that restarts or moves is back by then: only what cannot be read for so long is damaged.
KEEPS_FAILING = timedelta(hours=1)
# What was asked for, or given up, may turn out right after a store was mended; until then it must not eat the budget.
GONE_AGAIN = timedelta(days=1)
# The sums go through all chunks: a second and more for each million. What is told of months may be an hour old.
COVER_EVERY = timedelta(hours=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one read brought; `found` None: the object was not there. Not `reached`: it could not be read to its end."""

    chunk: Chunk
    reached: bool
    found: ReadBack | None = None

    @property
    def verdict(self) -> Verdict:
        return judge_reading(self.chunk, self.found) if self.reached else Verdict.DIGEST_DIFFERS

    @property
    def finding(self) -> Finding:
        if self.verdict is Verdict.MISSING:
            return Finding(self.chunk, Verdict.MISSING)  # which HEAD and listings tell as well
        return Finding(self.chunk, self.verdict, read_again=timedelta() if self.reached else KEEPS_FAILING)


class FixityService:
    """Runs fixity sweeps."""

    def __init__(
        self,
        runner: SweepRunner,
        fixity: FixityStore,
        sweeps: SweepStore,
        discrepancies: DiscrepancyService,
        prover: Prover,
        *,
        plan: ReadingPlan,
    ) -> None:
        self._runner = runner
        self._fixity = fixity
        self._sweeps = sweeps
        self._discrepancies = discrepancies
        self._prover = prover
        self._plan = plan

    async def run(self, *, dry_run: bool = False, sweep_id: UUID | None = None) -> SweepReport:
        """One sweep over what may be read now: what the time since the last one allows, whoever ran that."""
        report = await self._runner.run(SweepKind.FIXITY, self._body, dry_run=dry_run, sweep_id=sweep_id)
        if not dry_run:
            await self._fixity.cover(COVER_EVERY)
        return report

    async def _body(self, sweep: Sweep) -> None:
        claimed = await self._fixity.claim(self._plan, limit=CHUNKS_PER_SWEEP, dry_run=sweep.dry_run)
        until = asyncio.get_running_loop().time() + SWEEP_S
        for at in range(0, len(claimed), CHUNKS_TOGETHER):
            if asyncio.get_running_loop().time() > until:
                sweep.seen.truncated = True
                break
            await self._take(claimed[at : at + CHUNKS_TOGETHER], sweep)

    async def _take(self, chunks: Sequence[Chunk], sweep: Sweep) -> None:
        readings = await self._read(chunks)
        sweep.seen.looked_at += len(readings)
        if not any(reading.reached for reading in readings):
            await self._require_another()
        await sweep.require_right_bucket()
        size = sum(reading.found.size for reading in readings if reading.found)
        sweep.seen.read_bytes += size
        sweep.seen.unreadable += sum(not reading.reached for reading in readings)
        await self._note_right([reading.chunk for reading in readings if reading.verdict is Verdict.MATCH], sweep)
        wrong = [reading for reading in readings if reading.verdict is not Verdict.MATCH]
        findings = [reading.finding for reading in wrong if reading.chunk.state in IN_BUCKET]
        sweep.seen.note(findings)
        handled = await self._discrepancies.handle(findings, sweep)
        if not sweep.dry_run:
            known = [reading.chunk for reading in wrong if reading.chunk.state not in IN_BUCKET]
            await self._fixity.put_off(known, GONE_AGAIN)
            damaged = handled.healed + len(handled.tickets)
            await self._fixity.count(chunks=len(readings), size=size, damaged=damaged)

    async def _read(self, chunks: Sequence[Chunk]) -> Sequence[_Reading]:
        """Each of them; what could not be read is tried once more when the others are through."""
        first = await asyncio.gather(*(self._read_one(chunk) for chunk in chunks))
        again = await asyncio.gather(*(self._read_one(reading.chunk) for reading in first if not reading.reached))
        return [*(reading for reading in first if reading.reached), *again]

    async def _read_one(self, chunk: Chunk) -> _Reading:
        try:
            return _Reading(chunk, reached=True, found=await self._prover.read(chunk))
        except BucketUnreachable as exc:
            _log.info("A chunk could not be read", extra={"recording_id": str(chunk.recording_id), "cause": str(exc)})
            return _Reading(chunk, reached=False)

    async def _require_another(self) -> None:
        """Nothing could be read: the store is down, unless something else can be. Raises `BucketUnreachable`."""
        control = await self._fixity.control()
        if control and not (await self._read_one(control)).reached:
            raise BucketUnreachable("Nothing could be read, not even what was read right before.")

    async def _note_right(self, right: Sequence[Chunk], sweep: Sweep) -> None:
        back = [chunk for chunk in right if chunk.state not in IN_BUCKET]
        if sweep.dry_run:
            sweep.seen.returned += len(back)
            return
        await self._fixity.right([chunk for chunk in right if chunk.state in IN_BUCKET], sweep.started_at)
        if back:  # their next read, as acked chunks, ends the doubt
            proven = await self._prover.proven(back)
            await sweep.require_right_bucket()
            sweep.seen.returned += await self._sweeps.take_back(proven)
