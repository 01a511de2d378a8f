"""The audit: the whole bucket against the ledger, shard by shard, both ways.

Listing pages are copied into a staging table and SQL finds the differences, so that no order of keys is relied on.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.db.repairs import RepairStore
from control_plane.db.sweeps import AuditStaging, SweepStore
from control_plane.db.work import WorkStore
from control_plane.domain.bucket import Bucket
from control_plane.domain.findings import SweepReport
from control_plane.domain.keys import SHARDS, ChunkKey, parse_chunk_key
from control_plane.domain.models import Chunk, ChunkState, SweepKind, SweepOutcome
from control_plane.domain.work import ALL_SHARDS, COUNTED_CHUNKS, Shards, audit_parts, cut
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.examining import examine
from control_plane.services.keeping_meta import MetaKeeper
from control_plane.services.looking import Looker
from control_plane.services.proving import Prover
from control_plane.services.purging import PurgeService
from control_plane.services.sweeping import Sweep, SweepRunner
from control_plane.services.taking_up import TakenUp, TakeUpService

# Looked at and handled together: some megabytes, and statements of some milliseconds.
DOUBTS_AT_ONCE = 2_000
# More than that is a bucket that somebody else fills: counting the rest would say nothing more.
UNEXPECTED_PER_UNIT = 10_000
GONE = frozenset({ChunkState.MISSING, ChunkState.LOST})
# Enough keys for a person to see what kind of thing they are.
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Repairs:
    """What an audit repairs with."""

    store: RepairStore
    prover: Prover
    takeups: TakeUpService
    meta: MetaKeeper


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
        repairs: Repairs,
        work: WorkStore,
        purges: PurgeService,
        settle: timedelta,
    ) -> None:
        self._runner = runner
        self._repairs = repairs
        self._work = work
        self._purges = purges
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
        units: Sequence[Shards] = [sweep.shards]
        if sweep.shards == ALL_SHARDS:
            units = cut(range(SHARDS), audit_parts(await self._sweeps.ledger_size(COUNTED_CHUNKS)))
        for unit in units:
            await self._audit_unit(sweep, unit)
        sweep.seen.shards = (sweep.shards.first, sweep.shards.last)

    async def _audit_unit(self, sweep: Sweep, unit: Shards) -> None:
        async with self._sweeps.staging() as staging:
            await staging.snapshot(unit.first, unit.last, self._settle)
            for prefix in unit.prefixes:
                async for page in self._bucket.list_pages(prefix):
                    await staging.stage(page)
            await staging.analyze()
            sweep.seen.looked_at += await staging.expected()
            async for doubted in _doubts(staging):
                await self._doubt(sweep, doubted)
            await self._explain_unexpected(sweep, staging)
            await self._repairs.meta.keep(sweep, unit.first, unit.last)
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

    async def _explain_unexpected(self, sweep: Sweep, staging: AuditStaging) -> None:
        """Counts objects that no acked chunk explains, by kind; what had gone missing and is there again is taken back."""
        keys = await staging.unexpected(self._settle, UNEXPECTED_PER_UNIT)
        sweep.seen.truncated |= len(keys) == UNEXPECTED_PER_UNIT
        parsed = {key: parse_chunk_key(key) for key in keys}
        known = await self._sweeps.chunks_of([found for found in parsed.values() if found is not None])
        chunks = {key: known.get(found) if found else None for key, found in parsed.items()}
        unknown = {found.recording_id for key, found in parsed.items() if found and chunks[key] is None}
        deleted = await self._purges.deleted_among(list(unknown))
        kinds = {
            key: "remains"
            if (found := parsed[key]) and found.recording_id in deleted
            else unexpected_kind(found, chunk.state if chunk else None)
            for key, chunk in chunks.items()
        }
        for kind, count in Counter(kinds.values()).items():
            if kind is not None:
                sweep.seen.unexpected[kind] = sweep.seen.unexpected.get(kind, 0) + count
        samples = [key for key, kind in kinds.items() if kind is not None]
        sweep.seen.samples += samples[: SAMPLES - len(sweep.seen.samples)]
        listed = [chunk for chunk in chunks.values() if chunk]
        await self._take_back(sweep, [chunk for chunk in listed if chunk.state in GONE])
        await self._adopt(sweep, [chunk for chunk in listed if chunk.state is ChunkState.GRANTED])
        await self._take_up(sweep, [found for key, found in parsed.items() if found and kinds[key] == "unknown"])
        if not sweep.dry_run:
            sweep.seen.remains_removed += await self._purges.remove_remains(deleted)

    async def _take_back(self, sweep: Sweep, missing: Sequence[Chunk]) -> None:
        prover = self._repairs.prover
        proven = await prover.proven(await prover.undoubted(missing))
        if proven:
            await sweep.require_right_bucket()
            sweep.seen.returned += len(proven) if sweep.dry_run else await self._sweeps.take_back(proven)

    async def _adopt(self, sweep: Sweep, granted: Sequence[Chunk]) -> None:
        """Its PUT was permitted and has arrived, its ack was lost or never made: taken as if it had been made now."""
        proven = await self._repairs.prover.proven(granted)
        if proven:
            await sweep.require_right_bucket()
            sweep.seen.adopted += len(proven) if sweep.dry_run else await self._repairs.store.adopted(proven)

    async def _take_up(self, sweep: Sweep, unknown: Sequence[ChunkKey]) -> None:
        """The ledger was restored from an older backup, or is another's beginning: the bucket knows better."""
        if not unknown:
            return
        await sweep.require_right_bucket()
        taken = TakenUp()
        await self._repairs.takeups.take_up(unknown, taken, dry_run=sweep.dry_run)
        sweep.seen.taken_up += taken.chunks


async def _doubts(staging: AuditStaging) -> AsyncIterator[Sequence[Chunk]]:
    """All doubts, a page at a time."""
    after: str | None = None
    while page := await staging.doubts(after=after, limit=DOUBTS_AT_ONCE):
        yield [chunk for _, chunk in page]
        after = page[-1][0]


def unexpected_kind(key: ChunkKey | None, state: ChunkState | None) -> str | None:
    """What an object is that the snapshot did not expect; None: it was acked since, all is well.

    Beside these there are `remains`: a PUT that a URL allowed before its recording's deletion, and that came very late.
    `foreign` is not the key of a chunk, `unknown` is one that the ledger does not have, `unacked` was granted and PUT
    without an ack so far (it is adopted if its bytes are right), `missing_returned` is one that a ticket is open for or
    that was given up as lost.
    """
    if key is None:
        return "foreign"
    if state is None:
        return "unknown"
    return {
        ChunkState.GRANTED: "unacked",
        ChunkState.MISSING: "missing_returned",
        ChunkState.LOST: "missing_returned",
    }.get(state)
