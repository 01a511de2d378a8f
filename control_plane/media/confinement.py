"""What the child does to itself before it reads what strangers made: limits, and an alarm against hanging."""

import os
import re
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from control_plane.media.orders import Order

# Three pipes, the scratch file, and what Python opens in passing.
MAX_DESCRIPTORS = 16


class Alarmed:
    """Both pipes, and an alarm that ends this process where too much time passes between two uses of them."""

    def __init__(self, source: BinaryIO, target: BinaryIO, silence_s: float) -> None:
        self._source, self._target = source, target
        self._silence_s = silence_s
        self._set()

    def read(self, count: int) -> bytes:
        """As the source's; to wait for the parent is no silence."""
        self._stop()
        data = self._source.read(count)
        self._set()
        return data

    def write(self, data: bytes | memoryview) -> int:
        """As the target's; likewise."""
        self._stop()
        written = self._target.write(data)
        self._set()
        return written

    def flush(self) -> None:
        """As the target's; likewise."""
        self._stop()
        self._target.flush()
        self._set()

    def _set(self) -> None:
        # Nobody handles the signal: its default ends a process wherever it is, within a C library too.
        signal.setitimer(signal.ITIMER_REAL, self._silence_s)

    def _stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


def take_stdout() -> BinaryIO:
    """The pipe to the parent; what prints meanwhile prints to stderr."""
    mine = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(mine, "wb")


def confine(order: Order) -> None:
    """Sets the limits of this process, for good."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: order.scratch_bytes,
        resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
    }
    if sys.platform == "linux":  # others have no such limit, or refuse to set it
        limits[resource.RLIMIT_AS] = order.memory_bytes
    for what, limit in limits.items():
        resource.setrlimit(what, (limit, limit))


def memory_left(order: Order) -> int:
    """How much more than ever before this process could have taken."""
    if sys.platform != "linux":
        return order.memory_bytes
    found = re.search(r"VmPeak:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
    return order.memory_bytes - int(found[1]) * 1024 if found else order.memory_bytes
