"""A worker: takes sweeps and downloads from the queue and has them carried out, until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from control_plane.domain.models import SweepKind
from control_plane.domain.work import DOWNLOADS, DownloadWork, SweepWork
from control_plane.jobs.connecting import worded
from control_plane.jobs.heartbeat import BeatingManager
from control_plane.jobs.queue import TASKS, JobQueue

# A new job is told by a notification. A job that was put back is not: it waits so long at most.
POLL_S = 1.0
# Nobody aborts jobs of ours: as rarely as makes no difference.
ABORT_POLL_S = 3_600.0
# A database that went away is asked again so often.
AGAIN_S = 1.0
# One that worked for so long had the queue in between: that it is lost is said again.
WHOLE_S = 60.0
# For what a worker that has to end does at last: each of its statements has a limit, and longer than some of them it hangs.
CUT_OFF_S = 60.0

_log = logging.getLogger(__name__)

Carry = Callable[[Mapping[str, Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Line:
    """Work that waits in one line: its name, who carries it out (given what stands in the queue), and how much of it runs at once
    in this process.
    """

    name: str
    carry: Carry
    at_once: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a worker says that it lives, and after how long a silence it counts as gone."""

    heartbeat_s: float
    silent_s: float


class _PutBackWhenCutOff(BaseRetryStrategy):
    """What the end of a worker cuts off, another one does. What failed is not tried again: the clock's next is the retry."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002  # its signature
        return RetryDecision() if isinstance(exception, asyncio.CancelledError) else None


def sweep_lines(carry_out: Callable[[SweepWork], Awaitable[object]], *, at_once: int) -> Sequence[Line]:
    """A line for each kind of sweeps."""

    async def carry(given: Mapping[str, Any]) -> None:
        await carry_out(SweepWork.of_json(given))

    return [Line(kind.value, carry, at_once) for kind in SweepKind]


def download_line(make: Callable[[UUID], Awaitable[object]], *, at_once: int) -> Line:
    """The line of downloads."""

    async def carry(given: Mapping[str, Any]) -> None:
        await make(DownloadWork.of_json(given).download_id)

    return Line(DOWNLOADS, carry, at_once)


@asynccontextmanager
async def working(queue: JobQueue, lines: Sequence[Line], pace: Pace, *, finish_s: float) -> AsyncIterator[None]:
    """Takes work while open. Then takes no more, waits `finish_s` for those that run, and cuts off and puts back the rest.

    Each line has its own turns: a confirmation waits behind no audit, and neither behind a download.
    """
    serving = [asyncio.create_task(_serve(queue, line, pace, finish_s)) for line in lines]
    try:
        yield
    finally:
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve(queue: JobQueue, line: Line, pace: Pace, finish_s: float) -> None:
    """One line's work, for ever: also when the database was away."""
    lost = False
    while True:
        began = asyncio.get_running_loop().time()
        cause = await _until_lost(queue, line, pace, finish_s)
        if not lost or asyncio.get_running_loop().time() - began > WHOLE_S:
            _log.error("A worker lost the queue; it begins anew", extra={"line": line.name, "cause": cause})
        lost = True
        await asyncio.sleep(AGAIN_S)


async def _until_lost(queue: JobQueue, line: Line, pace: Pace, finish_s: float) -> str:
    """One worker, until the queue fails it, or until its heartbeat has for so long that others take it for dead; why it ended."""
    app = App(connector=queue.app.connector)
    app.job_manager = beating = BeatingManager(app.connector)
    app.task(name=TASKS[line.name], retry=_PutBackWhenCutOff())(_safely(line.carry))
    running = asyncio.create_task(
        app.run_worker_async(
            queues=[line.name],
            name=line.name,
            concurrency=line.at_once,
            delete_jobs="always",
            fetch_job_polling_interval=POLL_S,
            abort_job_polling_interval=ABORT_POLL_S,
            update_heartbeat_interval=pace.heartbeat_s,
            stalled_worker_timeout=pace.silent_s,
            shutdown_graceful_timeout=finish_s,
            install_signal_handlers=False,
        )
    )
    try:
        await _until_silent(running, beating, pace)
        cause = beating.trouble or "its heartbeat does not come through"
    finally:
        ended = running.done()
        running.cancel()
        await asyncio.wait({running}, timeout=finish_s + CUT_OFF_S)
    if not running.done():
        _log.error("A worker does not end; another takes its place", extra={"line": line.name})
    elif ended and not running.cancelled() and (exc := running.exception()) is not None:
        cause = worded(exc)
    return cause


async def _until_silent(running: "asyncio.Task[None]", beating: BeatingManager, pace: Pace) -> None:
    """Returns when it has ended, or was found silent twice: where only this process stood still, a heartbeat comes between."""
    found = 0
    while found < 2 and not running.done():
        await asyncio.wait({running}, timeout=pace.heartbeat_s)
        found = found + 1 if beating.silent_s > pace.silent_s else 0


def _safely(carry_out: Carry) -> Callable[..., Awaitable[None]]:
    async def work(**given: Any) -> None:
        try:
            await carry_out(given)
        except asyncio.CancelledError:
            _log.info("Work was cut off; another worker does it", extra=given)
            raise
        except Exception:  # noqa: BLE001  # logged whole, once; the clock has it tried again
            _log.exception("Work failed; the clock has it tried again", extra=given)

    return work
