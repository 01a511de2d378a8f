"""The audit: the whole bucket against the ledger, shard by shard, both ways.

Listing pages are copied into a staging table and SQL finds the differences, so that no order of keys is relied on.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from uuid import UUID

from control_plane.db.sweeps import AuditStaging, SweepStore
from control_plane.db.work import WorkStore
from control_plane.domain.bucket import Bucket, ListedObject
from control_plane.domain.findings import SweepReport
from control_plane.domain.keys import SHARDS
from control_plane.domain.models import Chunk, SweepKind, SweepOutcome
from control_plane.domain.work import ALL_SHARDS, COUNTED_CHUNKS, Shards, audit_parts, cut
from control_plane.services.ahead import opened_ahead, read_ahead
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.examining import examine
from control_plane.services.keeping_meta import MetaKeeper
from control_plane.services.looking import Looker
from control_plane.services.sweeping import Sweep, SweepRunner
from control_plane.services.unexpected import UnexpectedService

# Looked at and handled together: some megabytes, and statements of some milliseconds.
DOUBTS_AT_ONCE = 2_000
# While one is judged: of one the ledger's side is read, of the other the bucket's. Each has a connection.
UNITS_AHEAD = 2


class AuditService:
    """Runs audit sweeps."""

    def __init__(
        self,
        runner: SweepRunner,
        sweeps: SweepStore,
        discrepancies: DiscrepancyService,
        bucket: Bucket,
        looker: Looker,
        *,
        unexpected: UnexpectedService,
        meta: MetaKeeper,
        work: WorkStore,
        settle: timedelta,
    ) -> None:
        self._runner = runner
        self._unexpected = unexpected
        self._meta = meta
        self._work = work
        self._sweeps = sweeps
        self._discrepancies = discrepancies
        self._bucket = bucket
        self._looker = looker
        self._settle = settle

    async def run(
        self, *, dry_run: bool = False, shards: Shards = ALL_SHARDS, sweep_id: UUID | None = None
    ) -> SweepReport:
        """One sweep over these shards; only what is older than the settle time counts.

        Shards that were gone through count for the round that ran when the sweep began, whoever has it run.
        """
        audit_round = None if dry_run else await self._work.running_round()
        report = await self._runner.run(
            SweepKind.AUDIT, self._body, dry_run=dry_run, shards=shards, audit_round=audit_round, sweep_id=sweep_id
        )
        if not dry_run:
            decided = report.outcome is SweepOutcome.DECIDED
            await self._work.covered(shards, audit_round, report.started_at, decided=decided)
        return report

    async def _body(self, sweep: Sweep) -> None:
        # A part was cut by who put it into the queue; everything is cut here, so that memory stays flat.
        sweep.seen.known_missing, sweep.seen.known_lost = await self._sweeps.known_absent(sweep.shards)
        units: Sequence[Shards] = [sweep.shards]
        if sweep.shards == ALL_SHARDS:
            units = cut(range(SHARDS), audit_parts(await self._sweeps.ledger_size(COUNTED_CHUNKS)))
        async with aclosing(opened_ahead((self._gathered(unit) for unit in units), ahead=UNITS_AHEAD)) as gathered:
            async for unit, staging in gathered:
                await self._decide(sweep, unit, staging)
        sweep.seen.shards = (sweep.shards.first, sweep.shards.last)

    @asynccontextmanager
    async def _gathered(self, unit: Shards) -> AsyncIterator[tuple[Shards, AuditStaging]]:
        """Both sides of a unit, the ledger's first: nothing is decided yet, so the unit before it may still be under way."""
        async with self._sweeps.staging() as staging:
            await staging.snapshot(unit.first, unit.last, self._settle)
            async with aclosing(read_ahead(self._listed(unit))) as pages:
                async for page in pages:
                    await staging.stage(page)
            await staging.analyze()
            yield unit, staging

    async def _listed(self, unit: Shards) -> AsyncIterator[Sequence[ListedObject]]:
        for prefix in unit.prefixes:
            async for page in self._bucket.list_pages(prefix):
                yield page

    async def _decide(self, sweep: Sweep, unit: Shards, staging: AuditStaging) -> None:
        sweep.seen.looked_at += await staging.expected()
        async for doubted in _doubts(staging):
            await self._doubt(sweep, doubted)
        await self._unexpected.explain(sweep, staging, unit)
        await self._meta.keep(sweep, unit.first, unit.last)
        await sweep.require_right_bucket()
        if not sweep.dry_run:
            await staging.forget_cleared(sweep.started_at)

    async def _doubt(self, sweep: Sweep, doubted: Sequence[Chunk]) -> None:
        """Looks at what the listing does not show as it should be, and handles what a HEAD does not either."""
        examined = await examine(self._looker, doubted)
        sweep.seen.unreachable += examined.unreachable
        sweep.seen.note(examined.findings)
        await sweep.require_right_bucket()
        if not sweep.dry_run:
            await self._sweeps.forget_sightings([chunk for chunk, _ in examined.right], sweep.started_at)
            sweep.seen.refreshed += await self._sweeps.refresh_etags(examined.right)
        await self._discrepancies.handle(examined.findings, sweep)


async def _doubts(staging: AuditStaging) -> AsyncIterator[Sequence[Chunk]]:
    """All doubts, a page at a time."""
    after: str | None = None
    while page := await staging.doubts(after=after, limit=DOUBTS_AT_ONCE):
        yield list(dict(page).values())  # each once, however often a store lists its key
        after = page[-1][0]
