"""One child process: started so that it dies with us, watched, stopped within a bounded time, found again if orphaned."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.embedded.errors import EmbeddedError

LAUNCHER = Path(__file__).with_name("launch.py")
# Both programs are ready within two seconds on two slow cores; ten times that is a fault.
START_S = 30.0
# SeaweedFS takes 1.3 s, PostgreSQL as long as its last checkpoint takes. After this comes SIGKILL.
STOP_S = 10.0
# How often readiness is asked for: short against the second that a start takes.
POLL_S = 0.02
TAIL_LINES = 12
# Logs are looked at from their end; older text than this is kept in one `.1` file.
LOG_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `marker` is an argument that no stranger's process has: it names our data."""

    name: str
    argv: Sequence[str]
    marker: str
    stop_signal: signal.Signals
    log: Path
    pid_file: Path
    account: tuple[int, int] | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A running program. `died` turns true when it ended without having been asked to."""

    def __init__(self, command: Command, process: Process, log_start: int) -> None:
        self.command = command
        self.died: asyncio.Future[EmbeddedError] = asyncio.get_running_loop().create_future()
        self._process = process
        self._log_start = log_start
        self._stopping = False
        self._watch = asyncio.create_task(self._notice_death(), name=f"watch {command.name}")

    @classmethod
    async def start(cls, command: Command) -> "Child":
        log_start = _rotate(command.log)
        order = {
            "pid_file": str(command.pid_file),
            "parent": os.getpid(),
            "death_signal": int(command.stop_signal),
            "account": command.account,
        }
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order)]
        with command.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *launcher,
                *command.argv,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **command.env},
                start_new_session=True,  # Ctrl-C in the terminal is for us alone; we stop the children
            )
        return cls(command, process, log_start)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self, check: Callable[[], Awaitable[bool]], deadline_s: float = START_S) -> None:
        """Returns when `check` does; `EmbeddedError` with the log's end if the program ends or is too slow."""
        name, end = self.command.name, time.monotonic() + deadline_s
        while not await check():
            if self.died.done():
                raise self.died.result()
            if time.monotonic() > end:
                raise EmbeddedError(f"{name} was not ready after {deadline_s:.0f} s.{self.tail()}")
            await asyncio.sleep(POLL_S)

    async def finished(self, deadline_s: float = START_S) -> None:
        """Returns when a program that ends by itself did so well; `EmbeddedError` if it did not, or not in time."""
        try:
            code = await asyncio.wait_for(self._process.wait(), deadline_s)
        except TimeoutError as exc:
            raise EmbeddedError(f"{self.command.name} did not end in {deadline_s:.0f} s.{self.tail()}") from exc
        finally:
            await asyncio.shield(self.stop())
        if code != 0:
            raise EmbeddedError(f"{self.command.name} ended with status {code}.{self.tail()}")

    async def stop(self, deadline_s: float = STOP_S) -> None:
        """Asks it to end, kills it after `deadline_s`. Safe to call twice, and on a child that has died."""
        self._stopping = True
        self._signal(self.command.stop_signal)
        try:
            await asyncio.wait_for(self._process.wait(), deadline_s)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await self._watch
        self.command.pid_file.unlink(missing_ok=True)

    def tail(self) -> str:
        """The end of what it logged since this start, for a message."""
        with self.command.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        shown = "".join(f"\n  {line}" for line in lines) or " (nothing was logged)"
        return f" The end of {self.command.log}:{shown}"

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _notice_death(self) -> None:
        code = await self._process.wait()
        if not self._stopping:
            what = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
            self.died.set_result(EmbeddedError(f"{self.command.name} {what}.{self.tail()}"))


def _rotate(log: Path) -> int:
    """Puts a long log aside; answers where the text of this start will begin."""
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return 0
    if size < LOG_LIMIT_BYTES:
        return size
    log.replace(log.with_name(f"{log.name}.1"))
    return 0


def stop_orphan(pid_file: Path, marker: str, stop_signal: signal.Signals) -> int | None:
    """Stops what an earlier run left behind; answers its process id.

    Only a process that was started with the argument `marker` is touched: the id may long belong to a
    stranger. Blocks up to `STOP_S`.
    """
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if not _is_ours(pid, marker):
        pid_file.unlink()
        return None
    for number, patience_s in ((stop_signal, STOP_S), (signal.SIGKILL, STOP_S)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if not _is_ours(pid, marker):
                pid_file.unlink(missing_ok=True)
                return pid
            time.sleep(POLL_S)
    raise EmbeddedError(f"Process {pid} of an earlier run does not end, even by SIGKILL. End it, then start again.")


def _is_ours(pid: int, marker: str) -> bool:
    return f" {marker} " in f" {_command_line(pid)} "


def _command_line(pid: int) -> str:
    """How `pid` was started; empty if there is no such process (or it is dead and not yet collected)."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed words
