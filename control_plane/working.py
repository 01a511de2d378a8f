"""What the clock has done, and by whom: sweeps by workers, everything else by whichever replica is first."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from control_plane.config import Settings
from control_plane.jobs import worker
from control_plane.schedule import Job
from control_plane.serving import CLOSING_S
from control_plane.wiring import ControlPlane, worker_name

# A run takes so many owners: several runs within the time in which each is to be looked at.
RECOUNTS_A_ROUND = 20
# Reports are kept for days: it does not matter when one goes, and thousands go at once.
FORGET_EVERY = timedelta(minutes=10)

_log = logging.getLogger(__name__)


def clock_jobs(plane: ControlPlane, settings: Settings) -> Sequence[Job]:
    """The work of the clock. Each replica asks at its own times; one of them gets the turn."""
    services, dispatch = plane.services, plane.services.dispatch
    jobs = [
        Job("confirm", dispatch.confirm, timedelta(milliseconds=settings.safereel_confirm_interval_ms)),
        Job("audit", dispatch.audit, timedelta(milliseconds=settings.safereel_audit_interval_ms)),
        Job("take over", dispatch.take_over, timedelta(milliseconds=settings.safereel_worker_heartbeat_ms)),
        Job("forget reports", services.sweep_reports.forget, FORGET_EVERY),
        Job("fixity", dispatch.fixity, timedelta(milliseconds=settings.safereel_fixity_interval_ms)),
        Job("tickets", services.tickets.run, timedelta(milliseconds=settings.safereel_tickets_interval_ms)),
        Job("expire", services.expiry.run, timedelta(milliseconds=settings.safereel_expire_interval_ms)),
        Job("purge", services.purges.run, timedelta(milliseconds=settings.safereel_purge_interval_ms)),
        Job("manifest", services.manifests.run, timedelta(milliseconds=settings.safereel_manifest_interval_ms)),
        Job("retention", plane.retention.run, timedelta(milliseconds=settings.safereel_retention_interval_ms)),
        Job("downloads", plane.download_dispatch.run, settings.downloads_interval),
        Job("clean downloads", plane.download_cleaning.run, settings.downloads_interval),
        Job("recount", services.quotas.recount_due, settings.recount_every / RECOUNTS_A_ROUND),
    ]
    if plane.webhooks:
        jobs.append(Job("webhooks", plane.webhooks.run, settings.downloads_interval))
    return [Job(job.name, plane.ticks.claimed(job.name, job.every, job.run), job.every) for job in jobs]


@asynccontextmanager
async def working(plane: ControlPlane, settings: Settings, *, finish_s: float = 0.0) -> AsyncIterator[None]:
    """A worker in this process while open; at the end it has `finish_s` for what it has begun."""
    pace = worker.Pace(
        heartbeat_s=settings.safereel_worker_heartbeat_ms / 1_000,
        silent_s=settings.worker_silent.total_seconds(),
    )
    name = worker_name()
    lines = [
        *worker.sweep_lines(plane.carry.carry_out, at_once=settings.safereel_worker_sweeps),
        worker.download_line(_and_the_next(plane), at_once=settings.safereel_worker_downloads),
    ]
    try:
        async with worker.working(plane.queue, lines, pace, finish_s=finish_s):
            _log.info("A worker takes sweeps and downloads", extra={"worker": name})
            yield
    finally:
        _log.info("The worker has stopped", extra={"worker": name})


def _and_the_next(plane: ControlPlane) -> Callable[[UUID], Awaitable[None]]:
    """Makes a download; its owner's next one need not wait for the clock then."""

    async def make(download_id: UUID) -> None:
        await plane.assembly.run(download_id)
        await plane.download_dispatch.run()

    return make


async def work_until_cancelled(plane: ControlPlane, settings: Settings) -> None:
    """`safereel worker`: stops within the time that a stop may take, and finishes in it what it can."""
    shutdown_s = settings.safereel_shutdown_ms / 1_000
    await plane.deployment.claim_bucket()
    async with working(plane, settings, finish_s=max(shutdown_s - CLOSING_S, shutdown_s / 2)):
        await asyncio.Event().wait()
