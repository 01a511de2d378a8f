"""APScheduler decides when sweeps and other work of the clock run; it only calls. What they may do never rests on it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from control_plane.db.database import DatabaseUnreachable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What runs again and again: its name, its work, and how often."""

    name: str
    run: Callable[[], Awaitable[object]]
    every: timedelta


@asynccontextmanager
async def scheduled(jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Runs jobs at their intervals while open; one that takes longer than its interval is not run twice."""
    # That a run was left out because the last one still goes on is how it is meant to be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = AsyncIOScheduler(
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}, timezone="UTC"
    )
    for job in jobs:
        scheduler.add_job(_safely(job), "interval", seconds=job.every.total_seconds(), id=job.name)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


def _safely(job: Job) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        try:
            await job.run()
        except DatabaseUnreachable as exc:
            _log.error(
                "Scheduled work could not reach the database; the next run tries again",
                extra={"job": job.name, "cause": str(exc)},
            )
        except Exception:  # noqa: BLE001  # logged whole; a job that raised would only be dropped by the scheduler
            _log.exception("Scheduled work failed; the next run tries again", extra={"job": job.name})

    return run
