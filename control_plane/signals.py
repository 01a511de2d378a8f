"""A command that runs until it is told to stop, and stops in order: the signals of a terminal, `make` or a supervisor."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

from control_plane.serving import CLOSING_S

# make and a terminal send the same stop twice, within moments; a person who sends another one has waited.
ONE_STOP_S = 0.5


def run_until_stopped(run: Callable[[], Awaitable[None]], *, stop_s: float | None = None) -> int:
    """Runs until SIGINT or SIGTERM, which unwind everything in order: a clean stop is status 0.

    What is not unwound after `stop_s` ends where it stands, with status 1. A second signal, a while after the first, does the
    same at once, with the status a shell gives to such an end (130, 143). Neither loses anything: the ledger's statements
    are whole or not there, and parts of an embedded stack stop with us (`embedded/launch.py`).
    """

    async def until_signal() -> None:
        task = asyncio.ensure_future(run())
        loop = asyncio.get_running_loop()
        began: float | None = None

        def stop(number: signal.Signals) -> None:
            nonlocal began
            if began is None:
                began = loop.time()
                if stop_s is not None:
                    _cut_short_after(max(stop_s, CLOSING_S))
                task.cancel()
            elif loop.time() - began > ONE_STOP_S:
                os._exit(128 + number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        with suppress(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_signal())
    return 0


def _cut_short_after(seconds: float) -> None:
    """In a thread: whatever hangs may be what holds the loop."""

    def end() -> None:
        print("The stop took longer than SAFEREEL_SHUTDOWN_MS: what was not done is left.", flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
