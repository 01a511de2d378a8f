"""APScheduler decides when sweeps run; it only calls. What a sweep may do never rests on it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.findings import SweepReport
from control_plane.services.auditing import AuditService
from control_plane.services.confirming import ConfirmService

_log = logging.getLogger(__name__)


@asynccontextmanager
async def scheduled(
    confirm: ConfirmService, audit: AuditService, *, confirm_every: timedelta, audit_every: timedelta
) -> AsyncIterator[None]:
    """Runs sweeps at their intervals while open; a sweep that takes longer than its interval is not run twice."""
    # That a run was left out because the last one still goes on is how it is meant to be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = AsyncIOScheduler(
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}, timezone="UTC"
    )
    scheduler.add_job(_safely(confirm.run), "interval", seconds=confirm_every.total_seconds(), id="confirm")
    scheduler.add_job(_safely(audit.run), "interval", seconds=audit_every.total_seconds(), id="audit")
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


def _safely(run: Callable[[], Awaitable[SweepReport]]) -> Callable[[], Awaitable[None]]:
    async def job() -> None:
        try:
            await run()
        except DatabaseUnreachable as exc:
            _log.error("A sweep could not reach the database; the next one tries again", extra={"cause": str(exc)})
        except Exception:  # noqa: BLE001  # logged whole; a job that raised would only be dropped by the scheduler
            _log.exception("A sweep failed; the next one tries again")

    return job
