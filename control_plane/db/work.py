"""The store of shared work: whose turn it is, rounds of the audit, what became of jobs and sweeps."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.database import Database, Row
from control_plane.domain.keys import SHARDS
from control_plane.domain.models import SweepKind, SweepOutcome
from control_plane.domain.work import AuditRound, Distrust, Shards, Silence, StoredSweep, SweepStanding

# Rows that one statement deletes: milliseconds.
FORGOTTEN_TOGETHER = 5_000


class WorkStore:
    """Rows of `ticks`, `audit_rounds`, `audited_shards` and stored `sweeps`, and a look at the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, name: str, every: timedelta) -> bool:
        """Whether it is due and the caller's to do: of many who ask, one is told so in each interval."""
        return await self._database.row("tick_claim", {"name": name, "every": every}) is not None

    async def begin_or_join_round(self, stale: timedelta) -> tuple[AuditRound, bool]:
        """The round that runs, and whether it began just now. One without progress for `stale` is given up first."""
        given_up, begun, running = await self._database.together(
            ("round_give_up", {"stale": stale}), ("round_begin", {}), ("round_running", {})
        )
        if not running:  # another one finished it in this moment: the next tick begins a new one
            running = await self._database.rows("round_newest", {})
        return AuditRound(**running[0]), bool(begun) or bool(given_up)

    async def running_round(self) -> int | None:
        """The id of the round that runs."""
        row = await self._database.row("round_running", {})
        return None if row is None else row["id"]

    async def newest_round(self) -> AuditRound | None:
        """The round that runs, or else the last one; None before the first."""
        row = await self._database.row("round_newest", {})
        return None if row is None else AuditRound(**row)

    async def uncovered(self, audit_round: int) -> Sequence[int]:
        """Shards that this round has not gone through yet."""
        return [row["shard"] for row in await self._database.rows("round_uncovered", {"round": audit_round})]

    async def covered(self, shards: Shards, audit_round: int | None, started_at: datetime, *, decided: bool) -> bool:
        """An audit that began at `started_at` has gone through these shards; whether that finished the round."""
        params = {"first_shard": shards.first, "last_shard": shards.last, "round": audit_round, "shards": SHARDS}
        row = await self._database.row("shards_covered", {**params, "started_at": started_at, "decided": decided})
        return row is not None and row["finished_at"] is not None

    async def overdue_jobs(self, *, confirm: timedelta, other: timedelta) -> Sequence[int]:
        """Ids of jobs that were taken longer ago than any sweep of their queue lasts."""
        return [row["id"] for row in await self._database.rows("jobs_overdue", {"confirm": confirm, "other": other})]

    async def silence(self) -> Silence:
        """How long nobody has worked, and for how long work waits."""
        row = await self._database.row("work_silence", {})
        assert row is not None, "a select without from answers one row"
        return Silence(**row)

    async def request(self, sweep_id: UUID, kind: SweepKind, shards: Shards, *, dry_run: bool) -> None:
        """Keeps a place for the report of a sweep that was asked for."""
        where = {"first_shard": shards.first, "last_shard": shards.last}
        await self._database.execute("sweep_request", {"id": sweep_id, "kind": kind, "dry_run": dry_run, **where})

    async def page(
        self, *, kind: SweepKind | None, outcome: SweepStanding | None, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[StoredSweep]:
        """Sweeps, newest first. An outcome `waiting` is of those that have not run yet."""
        at, before_id = before or (None, None)
        params = {"kind": kind, "outcome": outcome, "before": at, "before_id": before_id, "limit": limit}
        return [_sweep_of(row) for row in await self._database.rows("sweeps_page", params)]

    async def sweep(self, sweep_id: UUID) -> StoredSweep | None:
        """One sweep; None where there is none, or its report is forgotten."""
        row = await self._database.row("sweep_by_id", {"id": sweep_id})
        return None if row is None else _sweep_of(row)

    async def distrust(self) -> Distrust | None:
        """Since when and why sweeps decide nothing; None where the latest did."""
        row = await self._database.row("sweeps_distrust", {})
        return None if row is None else Distrust(**row)

    async def forget(self, keep: timedelta) -> int:
        """Deletes the oldest of the reports older than `keep`; how many."""
        return await self._database.execute("sweeps_forget", {"keep": keep, "limit": FORGOTTEN_TOGETHER})


def _sweep_of(row: Row) -> StoredSweep:
    outcome = row["outcome"]
    known = {**row, "kind": SweepKind(row["kind"]), "outcome": outcome and SweepOutcome(outcome)}
    return StoredSweep(**known)
