"""Ends processes by their ids: a process and everything below it, found in `/proc`."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

GONE_S = 5.0
POLL_S = 0.01


def descendants(pid: int) -> list[int]:
    """The ids of all processes below `pid`, parents before children."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, ()))
    return found[1:]


def kill_tree(pid: int) -> None:
    """SIGKILL for `pid` and all below it; returns when none of them runs any more. Harmless if they are gone.

    Raises `TimeoutError` if one of them survives for five seconds.
    """
    tree = [pid, *descendants(pid)]
    for each in tree:
        _kill(each)
    end = time.monotonic() + GONE_S
    while running := [each for each in tree if is_running(each)]:
        if time.monotonic() > end:
            raise TimeoutError(f"still running after SIGKILL: {running}")
        time.sleep(POLL_S)


def stand_still(pid: int) -> list[int]:
    """SIGSTOP for `pid` and all below it; returns their ids when each of them stands still, and nothing new comes.

    A parent that is stopped in the middle of a fork still makes its child: children are looked for once it has stopped.
    Raises `TimeoutError` if one of them does not stop in five seconds.
    """
    stopped: list[int] = []
    while fresh := [each for each in [pid, *descendants(pid)] if each not in stopped]:
        for each in fresh:
            _kill(each, signal.SIGSTOP)
        end = time.monotonic() + GONE_S
        while moving := [each for each in fresh if (stat := _stat(each)) is not None and stat[0] not in "TtZX"]:
            if time.monotonic() > end:
                raise TimeoutError(f"not stopped by SIGSTOP: {moving}")
            time.sleep(POLL_S)
        stopped += fresh
    return stopped


def go_on(pids: Iterable[int]) -> None:
    """SIGCONT for all of them. Harmless for one that is gone."""
    for pid in pids:
        _kill(pid, signal.SIGCONT)


def is_running(pid: int) -> bool:
    """False for a process that is gone, or that only waits for its parent to take note of its end."""
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            yield int(entry.name), int(stat[1])


def _stat(pid: int) -> list[str] | None:
    """State, parent and the rest of `/proc/<pid>/stat`; the name before may hold spaces and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
