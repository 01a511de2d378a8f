"""The command: runs a visit to its end or to a signal, and prints what it found."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from control_plane.config import Settings
from control_plane.doctor.examining import examine
from control_plane.doctor.findings import Report
from control_plane.doctor.printing import Printer, Silent, as_json

# As a shell tells of them: 128 and the signal's number.
STATUS_AFTER_SIGTERM = 128 + signal.SIGTERM
STATUS_AFTER_SIGPIPE = 128 + signal.SIGPIPE


def run(settings: Settings, origins: Sequence[str], *, json: bool, stack: Path | None = None) -> int:
    """Prints the findings to standard output; 0 if nothing is wrong, else 1. `KeyboardInterrupt` after Ctrl-C, tidied up."""
    printer = None if json else Printer(sys.stdout, sys.stderr)
    try:
        report = asyncio.run(_until_signal(settings, origins, printer or Silent(), stack))
        if printer is None:
            print(as_json(report), flush=True)
        else:
            printer.ends(report)
    except asyncio.CancelledError:
        return STATUS_AFTER_SIGTERM
    except BrokenPipeError:  # who reads has seen enough, as `| head` does; tidied up all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes it once more
        return STATUS_AFTER_SIGPIPE
    return 0 if report.well else 1


async def _until_signal(
    settings: Settings, origins: Sequence[str], watcher: Printer | Silent, stack: Path | None
) -> Report:
    """Ctrl-C ends the visit (asyncio cancels it, and it tidies up); SIGTERM does the same."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await examine(settings, origins, watcher, stack=stack)
