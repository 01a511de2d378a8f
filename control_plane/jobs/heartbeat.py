"""A worker's heartbeat and its ear: whatever fails, they go on.

procrastinate's worker watches neither: its watch over what runs beside the sweeps ends with the first of these that has
nothing to do, as without periodic tasks there is one. So one heartbeat that failed would have been the last, of a worker that
takes sweeps for as long as it likes and that everybody takes for dead.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager, NotificationCallback

from control_plane.jobs.connecting import worded

# What listens is waited for by nobody: polls find work meanwhile.
LISTEN_AGAIN_S = 1.0


class BeatingManager(JobManager):
    """What one worker does with the queue; knows how long its heartbeat has failed, and why."""

    def __init__(self, connector: BaseConnector) -> None:
        super().__init__(connector)
        self.trouble: str | None = None
        self._beaten_at: float | None = None

    @property
    def silent_s(self) -> float:
        """Since the last heartbeat that was written; 0 before the first."""
        return 0.0 if self._beaten_at is None else asyncio.get_running_loop().time() - self._beaten_at

    async def register_worker(self) -> int:
        """The first heartbeat; the worker's id."""
        worker_id = await super().register_worker()
        self._beat()
        return worker_id

    async def update_heartbeat(self, worker_id: int) -> None:
        """The next one is tried where this one fails: who is silent for too long is ended by whoever looks at `silent_s`."""
        try:
            await super().update_heartbeat(worker_id)
        except ConnectorException as exc:
            self.trouble = worded(exc)
        else:
            self._beat()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Until cancelled, on one connection after another."""
        while True:
            with suppress(ConnectorException):
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            await asyncio.sleep(LISTEN_AGAIN_S)

    def _beat(self) -> None:
        self._beaten_at, self.trouble = asyncio.get_running_loop().time(), None
