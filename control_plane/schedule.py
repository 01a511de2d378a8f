"""APScheduler decides when sweeps and other work of the clock run; it only calls. What they may do never rests on it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from control_plane.db.database import DatabaseUnreachable

# A statement that is under way when its sweep is cut off gets this long to roll back.
UNWIND_S = 1.0

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
    under_way = _UnderWay()
    for job in jobs:
        scheduler.add_job(under_way.job(_safely(job)), "interval", seconds=job.every.total_seconds(), id=job.name)
    scheduler.start()
    try:
        yield
    finally:
        await under_way.stop()
        scheduler.shutdown(wait=False)


class _UnderWay:
    """The jobs that run now. They are cut off before the pool they use is closed: what they wrote is whole statements."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def job(self, run: Callable[[], Coroutine[None, None, None]]) -> Callable[[], Awaitable[None]]:
        """`run` as the scheduler calls it: cut off, it ends without an error."""

        async def job() -> None:
            if self._stopped:
                return
            task = asyncio.create_task(run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.wait({task})

        return job

    async def stop(self) -> None:
        """Returns when none runs any more, or one of them takes too long to roll back."""
        self._stopped = True
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=UNWIND_S)
            _log.info("Scheduled work was cut off; the next runs do it", extra={"jobs": len(tasks)})


def _safely(job: Job) -> Callable[[], Coroutine[None, None, None]]:
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
