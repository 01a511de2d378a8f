"""Objects in the bucket that no acked chunk explains: told by kind, and taken where they turn out to be chunks after all.

All of them are told, a page at a time, so that memory stays flat. What costs looks at the bucket is bounded for each run; where
that is used up, a later audit goes on behind what was tried, and from the beginning again after the end: what cannot be taken
never hides what lies behind it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.db.repairs import RepairStore
from control_plane.db.sweeps import AuditStaging, SweepStore
from control_plane.domain.keys import ChunkKey, parse_chunk_key, shard_of
from control_plane.domain.models import Chunk, ChunkState
from control_plane.domain.work import Shards
from control_plane.services.proving import Prover
from control_plane.services.purging import REMAINS_PER_AUDIT, PurgeService
from control_plane.services.sweeping import Sweep
from control_plane.services.taking_up import TakenUp, TakeUpService

# Told and handled together: some megabytes, and statements of some milliseconds.
TOLD_AT_ONCE = 2_000
# Each costs a HEAD, and may cost a read: seconds to minutes. More of them are the next audit's.
TRIED_PER_UNIT = 10_000
# Enough keys for a person to see what kind of thing they are.
SAMPLES = 20
GONE = frozenset({ChunkState.MISSING, ChunkState.LOST})
REMAINS = "remains"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Found:
    """An object that was not expected: what its key says, the ledger's chunk of exactly this key, and what kind it is."""

    key: str
    parsed: ChunkKey | None
    chunk: Chunk | None
    kind: str | None

    @property
    def may_be_taken(self) -> bool:
        """Whether a look at its bytes can make it count."""
        return self.parsed is not None and self.kind not in {None, REMAINS}


class _Trying:
    """How much may still be tried in this unit, and behind which key a later audit goes on if that was not enough."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._last: str | None = None
        self.resume_after: str | None = None

    def share(self, found: Sequence[_Found]) -> Sequence[_Found]:
        """Those to be tried now."""
        share = found[: self._left]
        self._left -= len(share)
        if share:
            self._last = share[-1].key
        if len(share) < len(found):
            self.resume_after = self._last
        return share


class UnexpectedService:
    """What audits do about objects that their snapshot of the ledger did not expect."""

    def __init__(
        self,
        sweeps: SweepStore,
        repairs: RepairStore,
        prover: Prover,
        takeups: TakeUpService,
        purges: PurgeService,
        *,
        settle: timedelta,
    ) -> None:
        """`settle`: how old an object must be to count."""
        self._sweeps = sweeps
        self._repairs = repairs
        self._prover = prover
        self._takeups = takeups
        self._purges = purges
        self._settle = settle

    async def explain(self, sweep: Sweep, staging: AuditStaging, unit: Shards) -> None:
        """Counts them by kind, takes back what had gone missing, adopts, takes up, and has remains of the deleted removed."""
        await staging.gather_unexpected(self._settle)
        trying, deleted = _Trying(TRIED_PER_UNIT), set[UUID]()
        async for keys in _pages(staging, await self._sweeps.resume_after(unit)):
            page = await self._told(keys, deleted)
            _note(sweep, page)
            await self._take(sweep, trying.share([found for found in page if found.may_be_taken]))
        if trying.resume_after is not None:
            sweep.seen.truncated = True
            sweep.seen.resume_after[str(unit)] = trying.resume_after
        if not sweep.dry_run:
            sweep.seen.remains_removed += await self._purges.remove_remains(deleted)

    async def _told(self, keys: Sequence[str], deleted: set[UUID]) -> Sequence[_Found]:
        """What each of them is. Recordings whose remains are among them are added to `deleted`, as many as one audit empties."""
        parsed = {key: parse_chunk_key(key) for key in keys}
        known = await self._sweeps.chunks_of([found for found in parsed.values() if found is not None])
        unknown = {found.recording_id for found in parsed.values() if found and found not in known}
        dead = await self._purges.deleted_among(list(unknown))
        deleted.update(sorted(dead - deleted)[: REMAINS_PER_AUDIT - len(deleted)])
        return [_found(key, said, known.get(said) if said else None, dead) for key, said in parsed.items()]

    async def _take(self, sweep: Sweep, share: Sequence[_Found]) -> None:
        await self._take_back(sweep, [found.chunk for found in share if found.chunk and found.chunk.state in GONE])
        await self._adopt(
            sweep, [found.chunk for found in share if found.chunk and found.chunk.state is ChunkState.GRANTED]
        )
        await self._take_up(sweep, [found.parsed for found in share if found.parsed and found.chunk is None])

    async def _take_back(self, sweep: Sweep, missing: Sequence[Chunk]) -> None:
        proven = await self._proven(sweep, await self._prover.undoubted(missing))
        if proven:
            await sweep.require_right_bucket()
            sweep.seen.returned += len(proven) if sweep.dry_run else await self._sweeps.take_back(proven)

    async def _adopt(self, sweep: Sweep, granted: Sequence[Chunk]) -> None:
        """Its PUT was permitted and has arrived, its ack was lost or never made: taken as if it had been made now."""
        proven = await self._proven(sweep, granted)
        if proven:
            await sweep.require_right_bucket()
            sweep.seen.adopted += len(proven) if sweep.dry_run else await self._repairs.adopted(proven)

    async def _take_up(self, sweep: Sweep, unknown: Sequence[ChunkKey]) -> None:
        """The ledger was restored from an older backup, or is another's beginning: the bucket knows better."""
        taken = TakenUp()
        await self._takeups.take_up(unknown, taken, sweep.require_right_bucket, dry_run=sweep.dry_run)
        sweep.seen.taken_up += taken.chunks
        sweep.seen.unreachable += taken.unreached

    async def _proven(self, sweep: Sweep, chunks: Sequence[Chunk]) -> Sequence[tuple[Chunk, str]]:
        proofs = await self._prover.prove(chunks)
        sweep.seen.unreachable += len(proofs.unreached)
        return proofs.proven


async def _pages(staging: AuditStaging, began: str | None) -> AsyncIterator[Sequence[str]]:
    """All of them once: from behind `began` to the end, then from the beginning up to it."""
    for start, end in [(began, None), (None, began)] if began is not None else [(None, None)]:
        after = start
        while page := await staging.unexpected(after=after, until=end, limit=TOLD_AT_ONCE):
            yield page
            after = page[-1]


def _found(key: str, parsed: ChunkKey | None, chunk: Chunk | None, dead: frozenset[UUID]) -> _Found:
    remains = parsed is not None and chunk is None and parsed.recording_id in dead
    return _Found(key, parsed, chunk, REMAINS if remains else unexpected_kind(parsed, chunk.state if chunk else None))


def _note(sweep: Sweep, page: Sequence[_Found]) -> None:
    seen = sweep.seen
    _add(seen.unexpected, (found.kind for found in page if found.kind is not None))
    unknown = (found.parsed for found in page if found.parsed and found.kind == UNKNOWN)
    _add(seen.unknown_of_shards, (str(shard_of(key.recording_id)) for key in unknown))
    samples = [found.key for found in page if found.kind is not None]
    seen.samples += samples[: max(0, SAMPLES - len(seen.samples))]


def _add(counts: dict[str, int], names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        counts[name] = counts.get(name, 0) + count


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
        return UNKNOWN
    return {
        ChunkState.GRANTED: "unacked",
        ChunkState.MISSING: "missing_returned",
        ChunkState.LOST: "missing_returned",
    }.get(state)
