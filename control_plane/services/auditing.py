"""The audit: the whole bucket against the ledger, shard by shard, both ways.

Listing pages are copied into a staging table and SQL finds the differences, so that no order of keys is relied on.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from control_plane.db.sweeps import AuditStaging, SweepStore
from control_plane.domain.bucket import Bucket
from control_plane.domain.findings import Handled, OpenedTicket, SweepReport
from control_plane.domain.keys import SHARDS, ChunkKey, parse_chunk_key, shard_prefix
from control_plane.domain.models import ChunkState, SweepKind
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.examining import Examined, examine
from control_plane.services.looking import Looker
from control_plane.services.sweeping import Sweep, SweepRunner

# Below this, 256 listings cost more than one over all shards, whose staging is then some tens of megabytes.
SMALL_LEDGER_CHUNKS = 100_000
# A sweep's share of HEADs and tickets; the rest is found again by the next one.
DOUBTS_PER_UNIT = 10_000
UNEXPECTED_PER_UNIT = 10_000
# Enough keys for a person to see what kind of thing they are.
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class AuditUnit:
    """Shards that are listed together under one prefix."""

    prefix: str
    first_shard: int
    last_shard: int


def audit_units(ledger_chunks: int) -> Iterator[AuditUnit]:
    """The whole bucket in one piece while the ledger is small, else shard by shard: memory stays flat."""
    if ledger_chunks < SMALL_LEDGER_CHUNKS:
        yield AuditUnit("v1/", 0, SHARDS - 1)
        return
    for shard in range(SHARDS):
        yield AuditUnit(shard_prefix(shard), shard, shard)


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
        settle: timedelta,
    ) -> None:
        self._runner = runner
        self._sweeps = sweeps
        self._discrepancies = discrepancies
        self._bucket = bucket
        self._looker = looker
        self._settle = settle

    async def run(self, *, dry_run: bool = False) -> SweepReport:
        """One sweep over the whole bucket; only what is older than the settle time counts."""
        return await self._runner.run(SweepKind.AUDIT, self._body, dry_run=dry_run)

    async def _body(self, sweep: Sweep) -> Handled:
        tickets: list[OpenedTicket] = []
        first_sightings = would_open = 0
        for unit in audit_units(await self._sweeps.ledger_size(SMALL_LEDGER_CHUNKS)):
            handled = await self._audit_unit(sweep, unit)
            tickets += handled.tickets
            first_sightings += handled.first_sightings
            would_open += handled.would_open
        return Handled(first_sightings, tickets, would_open)

    async def _audit_unit(self, sweep: Sweep, unit: AuditUnit) -> Handled:
        async with self._sweeps.staging() as staging:
            await staging.snapshot(unit.first_shard, unit.last_shard, self._settle)
            async for page in self._bucket.list_pages(unit.prefix):
                await staging.stage(page)
            await staging.analyze()
            sweep.seen.looked_at += await staging.expected()
            examined = await self._examine_doubts(sweep, staging)
            await self._count_unexpected(sweep, staging)
            await sweep.require_right_bucket()
            if not sweep.dry_run:
                await staging.forget_cleared()
                await self._sweeps.forget_sightings([chunk for chunk, _ in examined.right])
        return await self._discrepancies.handle(examined.findings, sweep.started_at, dry_run=sweep.dry_run)

    async def _examine_doubts(self, sweep: Sweep, staging: AuditStaging) -> Examined:
        doubts = await staging.doubts(DOUBTS_PER_UNIT)
        examined = await examine(self._looker, doubts)
        sweep.seen.truncated |= len(doubts) == DOUBTS_PER_UNIT
        sweep.seen.unreachable += examined.unreachable
        sweep.seen.findings += examined.findings
        return examined

    async def _count_unexpected(self, sweep: Sweep, staging: AuditStaging) -> None:
        """Counts objects that no acked chunk explains, by kind. They are reported and left alone."""
        keys = await staging.unexpected(self._settle, UNEXPECTED_PER_UNIT)
        sweep.seen.truncated |= len(keys) == UNEXPECTED_PER_UNIT
        kinds = await self._kinds(keys)
        for kind, count in Counter(kinds.values()).items():
            if kind is not None:
                sweep.seen.unexpected[kind] = sweep.seen.unexpected.get(kind, 0) + count
        samples = [key for key, kind in kinds.items() if kind is not None]
        sweep.seen.samples += samples[: SAMPLES - len(sweep.seen.samples)]

    async def _kinds(self, keys: Sequence[str]) -> dict[str, str | None]:
        parsed = {key: parse_chunk_key(key) for key in keys}
        states = await self._sweeps.states([found for found in parsed.values() if found is not None])
        return {key: unexpected_kind(found, states.get(found) if found else None) for key, found in parsed.items()}


def unexpected_kind(key: ChunkKey | None, state: ChunkState | None) -> str | None:
    """What an object is that the snapshot did not expect; None: it was acked since, all is well.

    `foreign` is not the key of a chunk, `unknown` is one that the ledger does not have, `unacked` was granted and PUT
    without an ack so far, `missing_returned` is one that a ticket is open for or that was given up as lost.
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
