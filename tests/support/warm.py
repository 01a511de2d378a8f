"""`safereel` as a process of its own that need not import anything: a server that has imported all of it forks for each.

What is imported takes more of a command's time than what it does. All else is as in a process that was started anew: its
arguments, environment, files, signals, session and end. That each command also starts by itself is for the tests that ask for
it (`fresh`).
"""

import atexit
import contextlib
import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, NoReturn

from tests.support import parts

COMMAND = (sys.executable, "-m", "control_plane")
# What a request has beside its files.
MAX_REQUEST = 1 << 20
# Long enough to import everything on a machine that does much else at the same time.
START_S = 60.0
Ended = subprocess.CompletedProcess[str]


class Warm:
    """A command that was forked; what is here is as in `subprocess.Popen`."""

    def __init__(self, status: socket.socket, pid: int) -> None:
        self._status = status
        self._lock = threading.Lock()
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its status if it has ended: negative, the signal that ended it."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its status once it has ended; raises `subprocess.TimeoutExpired`."""
        end = None if timeout is None else time.monotonic() + timeout
        if (status := self._ended(None if end is None else max(0, end - time.monotonic()))) is None:
            raise subprocess.TimeoutExpired(["safereel"], timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Harmless where it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                told = self._status.recv(MAX_REQUEST)
                assert told, "the server that forks commands has ended"
                self.returncode = int(told)
                self._status.close()
            return self.returncode


class _Server:
    """The process that forks, and the way to it."""

    def __init__(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            # It ends when our end is closed: with this process at the latest.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm"],
                cwd=parts.ROOT,
                stdin=its.fileno(),
                start_new_session=True,
            )
        self._way = ours
        atexit.register(self._end)

    def _end(self) -> None:
        self._way.close()
        self._process.wait(START_S)

    def start(
        self, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, out: int, err: int, session: bool
    ) -> Warm:
        request = json.dumps({"arguments": [*arguments], "env": {**env}, "cwd": str(cwd), "session": session}).encode()
        assert len(request) < MAX_REQUEST
        status, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its, Path(os.devnull).open("rb") as nothing:
            socket.send_fds(self._way, [request], [nothing.fileno(), out, err, its.fileno()])
            ready = select.select([status], [], [], START_S)[0]
        told = status.recv(MAX_REQUEST) if ready else b""
        assert told, "the server that forks commands does not answer"
        return Warm(status, int(told))


@cache
def _server() -> _Server:
    return _Server()


def start(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    out: BinaryIO,
    err: BinaryIO,
    cwd: Path = parts.ROOT,
    session: bool = False,
    fresh: bool = False,
) -> "Warm | subprocess.Popen[bytes]":
    """Starts `safereel` with these arguments; `env` is all of its environment, `session` gives it one of its own.

    `fresh`: by an interpreter of its own, as a user starts it.
    """
    if not fresh:
        return _server().start(arguments, env=env, cwd=cwd, out=out.fileno(), err=err.fileno(), session=session)
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=session,
    )


def run(arguments: Sequence[str], *, env: Mapping[str, str], timeout: float, fresh: bool = False) -> Ended:
    """Starts `safereel` and waits for its end; raises `subprocess.TimeoutExpired`, and kills it, where that does not come."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(arguments, env=env, out=out, err=err, fresh=fresh)
        try:
            status = process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait(START_S)
            raise
        said = [_read(file) for file in (out, err)]
    return subprocess.CompletedProcess(["safereel", *arguments], status, *said)


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


# In the server ------------------------------------------------------------------------------------------------------


def _serve(way: socket.socket) -> None:
    """Forks for each request until the other end is closed."""
    cli = import_module("control_plane.cli")
    for name in cli.command_names():
        import_module(f"control_plane.commands.{name.replace('-', '_')}")
    import_module("control_plane.commands.failures")
    import_module("control_plane.telemetry")
    # What is there is never collected: looking at it would copy it into each child.
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a thread's locks do not live through a fork"
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        ready = select.select([way.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
        _tell_ends(running)
        if way.fileno() in ready:
            request, files, _, _ = socket.recv_fds(way, MAX_REQUEST, 4)
            if not request:
                return
            status = socket.socket(fileno=files[3])
            if (pid := os.fork()) == 0:
                for kept in (way, status, *running.values()):
                    kept.close()
                for pipe in (woken, wake):
                    os.close(pipe)
                _be_command(json.loads(request), files[:3])
            for file in files[:3]:
                os.close(file)
            running[pid] = status
            status.send(str(pid).encode())


def _tell_ends(running: dict[int, socket.socket]) -> None:
    for pid, status in list(running.items()):
        ended, how = os.waitpid(pid, os.WNOHANG)
        if ended:
            with contextlib.suppress(BrokenPipeError), running.pop(pid):  # who started it may not care
                status.send(str(os.waitstatus_to_exitcode(how)).encode())


def _be_command(request: Mapping[str, object], files: Sequence[int]) -> NoReturn:
    """In the child: as if the interpreter had just been started."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for standard, file in enumerate(files):
            os.dup2(file, standard)
            os.close(file)
        if request["session"]:
            os.setsid()
        env, arguments = request["env"], request["arguments"]
        assert isinstance(env, dict)
        assert isinstance(arguments, list)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(str(request["cwd"]))
        sys.argv = [str(parts.ROOT / "control_plane" / "__main__.py"), *arguments]
        unbuffered = bool(env.get("PYTHONUNBUFFERED"))
        sys.stdout = sys.__stdout__ = _text(1, unbuffered)  # type: ignore[misc]  # as the interpreter does at its start
        sys.stderr = sys.__stderr__ = _text(2, unbuffered, errors="backslashreplace")  # type: ignore[misc]
        import_module("control_plane.cli").command()
    finally:
        os._exit(70)


def _text(file: int, unbuffered: bool, errors: str = "strict") -> io.TextIOWrapper:
    lines = file == 2 or os.isatty(file)
    raw = open(file, "wb", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115  # a descriptor, to stay open
    return io.TextIOWrapper(raw, "utf-8", errors, line_buffering=lines, write_through=unbuffered)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as asked:
        _serve(asked)
