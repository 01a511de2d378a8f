"""The command: runs a drill to its end or to a signal, and prints what it found."""

import asyncio
import logging
import signal
import sys

from control_plane import wiring
from control_plane.config import Settings
from control_plane.domain.errors import Refusal
from control_plane.drill.cases import Report
from control_plane.drill.printing import Progress, as_json, table
from control_plane.drill.recorder import DrillFailed
from control_plane.drill.rehearsing import Plan, rehearse

OWNER = "safereel-drill"
# As a shell tells of it: 128 and the signal's number.
STATUS_AFTER_SIGTERM = 128 + signal.SIGTERM


def run(settings: Settings, *, owner: str, deadline_s: float, sweeps: bool, json: bool) -> int:
    """0 if everything was recovered, else 1. `KeyboardInterrupt` after Ctrl-C, with the recording deleted."""
    # What the services say of damage is what was ordered; the report tells of it.
    logging.getLogger("control_plane").setLevel(logging.CRITICAL)
    plan = Plan(owner, deadline_s, settings.safereel_heartbeat_interval_ms / 1_000, sweeps)
    progress = Progress(sys.stderr)
    try:
        report = asyncio.run(_until_signal(settings, plan, progress))
    except asyncio.CancelledError:
        _say_ended(progress)
        return STATUS_AFTER_SIGTERM
    except KeyboardInterrupt:
        _say_ended(progress)
        raise
    except (DrillFailed, Refusal) as exc:
        progress.end()
        print(f"safereel: the drill could not be held: {exc}", file=sys.stderr)
        return 1
    finally:
        progress.end()
    print(as_json(report) if json else table(report), flush=True)
    return 0 if report.recovered else 1


def _say_ended(progress: Progress) -> None:
    progress.end()
    words = "safereel: the drill was ended before it was over; its recording was deleted, or will be by the next one"
    print(words, file=sys.stderr)


async def _until_signal(settings: Settings, plan: Plan, progress: Progress) -> Report:
    """Ctrl-C ends the drill (asyncio cancels it, and it deletes its recording); SIGTERM does the same."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with wiring.open_control_plane(settings) as plane, wiring.bucket(settings) as bucket:
        return await rehearse(plane, bucket, plan, progress.tell)
