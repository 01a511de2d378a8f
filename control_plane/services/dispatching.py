"""What becomes work for the workers, and when a round of the audit begins. Nothing here looks at the bucket."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from control_plane.db.database import DatabaseUnreachable
from control_plane.db.sweeps import SweepStore
from control_plane.db.work import WorkStore
from control_plane.domain.keys import SHARDS
from control_plane.domain.models import SweepKind
from control_plane.domain.work import (
    ALL_SHARDS,
    COUNTED_CHUNKS,
    MUCH_TO_CONFIRM,
    SweepWork,
    audit_parts,
    confirm_parts,
    cut,
)
from control_plane.jobs.queue import JobQueue, QueueUnreachable

# A confirmation is bounded to some ten seconds of HEADs, a unit of an audit to some minutes: what is taken for longer than a
# few times that was finished, and its end got lost.
CONFIRM_OVERDUE = timedelta(minutes=1)
AUDIT_OVERDUE = timedelta(minutes=15)
# Longer than a worker takes to start. Until then it may just be so.
NOBODY_WORKS_S = 30.0
SAY_AGAIN_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Staleness:
    """When a worker counts as gone, and when a round of the audit is given up."""

    worker: timedelta
    audit_round: timedelta


class DispatchService:
    """Puts sweeps into the queue: at their time, and when somebody asks."""

    def __init__(
        self, sweeps: SweepStore, work: WorkStore, queue: JobQueue, *, settle: timedelta, stale: Staleness
    ) -> None:
        self._sweeps = sweeps
        self._work = work
        self._queue = queue
        self._settle = settle
        self._stale = stale
        self._said_at = -SAY_AGAIN_S

    async def confirm(self) -> int:
        """Has chunks confirmed that wait for it, if any do; how many sweeps were put into the queue."""
        waiting = await self._sweeps.confirm_waiting(settle=self._settle, limit=MUCH_TO_CONFIRM)
        parts = confirm_parts(waiting)
        return (
            await self._put([SweepWork(SweepKind.CONFIRM, part) for part in cut(range(SHARDS), parts)]) if parts else 0
        )

    async def fixity(self) -> int:
        """Has chunks read back, as many as may be read now; how many sweeps were put into the queue."""
        return await self._put([SweepWork(SweepKind.FIXITY, ALL_SHARDS)])

    async def audit(self) -> int:
        """Begins a round, or sees to it that everything missing of the one that runs is under way; how many were put there."""
        audit_round, begun = await self._work.begin_or_join_round(self._stale.audit_round)
        if audit_round.given_up:
            return 0
        parts = audit_parts(await self._sweeps.ledger_size(COUNTED_CHUNKS))
        # First what is under way, then what is not covered: a part is covered before its job ends, so that none is done twice.
        # What was under way before the round began looked at an older ledger.
        under_way = [] if begun else await self._under_way(SweepKind.AUDIT)
        busy = [one.shards for one in under_way if not one.dry_run]
        uncovered = await self._work.uncovered(audit_round.id)
        missing = [shard for shard in uncovered if not any(one.first <= shard <= one.last for one in busy)]
        return await self._put([SweepWork(SweepKind.AUDIT, part) for part in cut(missing, parts)])

    async def run_now(self, kind: SweepKind, *, dry_run: bool) -> Sequence[UUID]:
        """Has one sweep of everything run; the ids under which its reports will be, one for each part of it.

        Raises `DatabaseUnreachable`.
        """
        if kind is SweepKind.AUDIT:
            parts = audit_parts(await self._sweeps.ledger_size(COUNTED_CHUNKS))
        elif kind is SweepKind.FIXITY:
            parts = 1
        else:
            parts = confirm_parts(await self._sweeps.confirm_waiting(settle=self._settle, limit=MUCH_TO_CONFIRM)) or 1
        asked = [SweepWork(kind, shards, dry_run, uuid4()) for shards in cut(range(SHARDS), parts)]
        for one in asked:
            assert one.sweep_id is not None, "each was given one just now"
            await self._work.request(one.sweep_id, kind, one.shards, dry_run=dry_run)
        await self._put(asked)
        return [one.sweep_id for one in asked if one.sweep_id]

    async def take_over(self) -> int:
        """Puts back what workers that died had taken; how much. Says loudly where nobody works at all."""
        overdue = await self._work.overdue_jobs(confirm=CONFIRM_OVERDUE, other=AUDIT_OVERDUE)
        silent_s = self._stale.worker.total_seconds()
        with _as_the_database():
            taken = await self._queue.take_over(overdue, silent_s=silent_s)
        silence = await self._work.silence()
        gone = silence.workers_silent_s is None or silence.workers_silent_s > silent_s
        if gone and silence.oldest_waiting_s > NOBODY_WORKS_S and time.monotonic() - self._said_at > SAY_AGAIN_S:
            self._said_at = time.monotonic()
            _log.error(
                "No worker runs, so that nothing is confirmed or audited: start `safereel worker`",
                extra={"oldest_waiting_s": round(silence.oldest_waiting_s)},
            )
        return taken

    async def _put(self, work: Sequence[SweepWork]) -> int:
        with _as_the_database():
            return await self._queue.put(work)

    async def _under_way(self, kind: SweepKind) -> Sequence[SweepWork]:
        with _as_the_database():
            return await self._queue.under_way(kind)


@contextmanager
def _as_the_database() -> Iterator[None]:
    """The queue is in the database: who asks is told the same."""
    try:
        yield
    except QueueUnreachable as exc:
        raise DatabaseUnreachable(str(exc)) from exc
