"""The frame of every sweep: the right bucket first and last, one report stored, no retries inside.

A sweep takes no input, is bounded and idempotent, and may run beside another of its kind: the next sweep is the retry.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from control_plane.db.sweeps import SweepStore
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.findings import Handled, Observation, SweepReport, combined, report_detail
from control_plane.domain.models import SweepKind, SweepOutcome
from control_plane.domain.work import ALL_SHARDS, Shards
from control_plane.services.deployment import DeploymentService, WrongBucket
from control_plane.services.freezing import FreezeService

# Reading older versions costs up to some megabytes each: what a sweep may spend on it. More is the next one's.
HEALS_PER_SWEEP = 200

_log = logging.getLogger(__name__)


class Sweep:
    """One sweep under way, as its kind's code sees it."""

    def __init__(
        self,
        kind: SweepKind,
        started_at: datetime,
        deployment_id: UUID,
        deployment: DeploymentService,
        *,
        shards: Shards,
        dry_run: bool,
    ) -> None:
        self.kind = kind
        self.started_at = started_at
        self.shards = shards
        self.dry_run = dry_run
        self.heals_left = HEALS_PER_SWEEP
        self.seen = Observation()
        # So far: findings that nobody had made before, and tickets that were opened.
        self.newly_missing = 0
        self.tickets_due = 0
        # What became of findings so far: written, whatever ends the sweep.
        self.handled: list[Handled] = []
        self._deployment_id = deployment_id
        self._deployment = deployment

    async def require_right_bucket(self) -> None:
        """Returns if the bucket shows our mark at this moment: to be called first, and before anything is written."""
        await self._deployment.require(self._deployment_id)


SweepBody: TypeAlias = Callable[[Sweep], Awaitable[None]]


class SweepRunner:
    """Runs a kind's body inside the frame."""

    def __init__(
        self, sweeps: SweepStore, deployment: DeploymentService, freezing: FreezeService, *, worker: str
    ) -> None:
        """`worker`: the name under which reports say who ran them."""
        self._sweeps = sweeps
        self._worker = worker
        self._deployment = deployment
        self._freezing = freezing

    async def run(
        self,
        kind: SweepKind,
        body: SweepBody,
        *,
        dry_run: bool,
        shards: Shards = ALL_SHARDS,
        audit_round: int | None = None,
        sweep_id: UUID | None = None,
    ) -> SweepReport:
        """Runs one sweep and stores its report, which it answers. A bucket not to be trusted makes it `undecided`.

        `sweep_id`: under which somebody waits for the report.
        """
        started_at, deployment_id = await self._sweeps.begin()
        sweep = Sweep(kind, started_at, deployment_id, self._deployment, shards=shards, dry_run=dry_run)
        stopped = await _guarded(sweep, body)
        if stopped is not None and not dry_run:
            await self._freezing.doubt()
        if isinstance(stopped, WrongBucket) and not dry_run:
            await self._freezing.distrust(str(stopped))
        cause = None if stopped is None else str(stopped)
        handled = combined(sweep.handled)
        report = SweepReport(
            id=sweep_id,
            kind=kind,
            shards=shards,
            round=audit_round,
            worker=self._worker,
            dry_run=dry_run,
            outcome=SweepOutcome.DECIDED if cause is None else SweepOutcome.UNDECIDED,
            cause=cause,
            started_at=started_at,
            looked_at=sweep.seen.looked_at,
            detail=report_detail(sweep.seen, handled),
            covered=sweep.seen.shards,
        )
        if _worth_keeping(report):
            await self._sweeps.store(report)
        await self._freezing.judge(report)
        _say(report, handled)
        return report


async def _guarded(sweep: Sweep, body: SweepBody) -> WrongBucket | BucketUnreachable | None:
    """Runs it. What ended it early, if something did: what it handled before stays handled, and is told."""
    try:
        await sweep.require_right_bucket()
        await body(sweep)
    except (WrongBucket, BucketUnreachable) as exc:
        return exc
    return None


def _worth_keeping(report: SweepReport) -> bool:
    """A frequent sweep that had nothing to look at says nothing, unless somebody asked: it would only bury the others."""
    asked = report.id is not None
    return asked or report.looked_at > 0 or report.cause is not None or report.kind is SweepKind.AUDIT


def _say(report: SweepReport, handled: Handled) -> None:
    fields = {"kind": report.kind.value, "looked_at": report.looked_at, **report.detail}
    if report.outcome is SweepOutcome.UNDECIDED:
        _log.error("A sweep decided nothing more", extra={**fields, "cause": report.cause})
    elif handled.tickets:
        _log.warning("A sweep opened resend tickets", extra=fields)
    elif report.looked_at:
        # Every few seconds, and stored: whoever wants to read all of them has the table.
        _log.debug("A sweep has finished", extra=fields)
