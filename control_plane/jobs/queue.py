"""The queue: sweeps and downloads are put here and taken from here. What is lost of it is lost without harm: the next tick puts
it there anew.

Its connections are its own, with nothing but procrastinate's schema in their search path: with another one before it, its
functions would find, or make, tables there.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Status

from control_plane.domain.models import SweepKind
from control_plane.domain.work import DOWNLOADS, LINES, DownloadWork, SweepWork
from control_plane.jobs.connecting import QueuePool, worded

# By the line in which they wait; what they are to do is in their arguments. The names stay, or jobs of another version are not
# found.
TASKS = {line: "download" if line == DOWNLOADS else "sweep" for line in LINES}
# What a worker takes beside its pools: one connection listens for each line.
LISTENERS = len(LINES)

_log = logging.getLogger(__name__)


class QueueUnreachable(Exception):
    """The queue's tables did not answer, or the statement was refused: whether it took effect is unknown."""


class JobQueue:
    """Work that waits and work that runs; use as `async with JobQueue.open(...)`."""

    def __init__(self, app: App) -> None:
        self.app = app

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator["JobQueue"]:
        """Opens without waiting for the database, and takes no connection before it is used."""
        # Each sweep would be a line or three of its own; ours say what happened.
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        pool = QueuePool(database_url)
        await pool.open(wait=False)
        connector = PsycopgConnector()
        app = App(connector=connector)
        try:
            await connector.open_async(pool)
            yield cls(app)
        finally:
            await pool.close()

    async def put(self, work: Sequence[SweepWork] | Sequence[DownloadWork]) -> int:
        """Puts these there, but for those of which one waits already; how many. Raises `QueueUnreachable`."""
        try:
            return sum([await self._put_one(one) for one in work])
        except ConnectorException as exc:
            raise QueueUnreachable(worded(exc)) from exc

    async def under_way(self, kind: SweepKind) -> Sequence[SweepWork]:
        """Sweeps that wait or that a worker has taken, also one that has died since. Raises `QueueUnreachable`."""
        try:
            jobs = await self.app.job_manager.list_jobs_async(queue=kind.value)
        except ConnectorException as exc:
            raise QueueUnreachable(worded(exc)) from exc
        return [SweepWork.of_json(job.task_kwargs) for job in jobs]

    async def take_over(self, overdue: Sequence[int], *, silent_s: float) -> int:
        """Puts back jobs of workers without a heartbeat for so long, and those that are overdue; how many.

        Where one like it waits already, that one will do: the one taken over is dropped. Raises `QueueUnreachable`.
        """
        manager = self.app.job_manager
        try:
            stalled = [job.id for job in await manager.get_stalled_jobs(seconds_since_heartbeat=silent_s) if job.id]
            found = {*stalled, *overdue}
            for job_id in sorted(found):
                await self._put_back(job_id)
            return len(found)
        except ConnectorException as exc:
            raise QueueUnreachable(worded(exc)) from exc

    async def _put_one(self, work: SweepWork | DownloadWork) -> bool:
        lock = work.turn if work.alone else None
        deferrer = self.app.configure_task(TASKS[work.line], queue=work.line, queueing_lock=work.turn, lock=lock)
        try:
            await deferrer.defer_async(**work.as_json())
        except AlreadyEnqueued:
            return False
        return True

    async def _put_back(self, job_id: int) -> None:
        manager = self.app.job_manager
        try:
            await manager.retry_job_by_id_async(job_id, retry_at=datetime.now(UTC))
        except UniqueViolation:
            await manager.finish_job_by_id_async(job_id, status=Status.FAILED, delete_job=True)
        _log.warning("Work was taken over from a worker that went silent", extra={"job": job_id})
