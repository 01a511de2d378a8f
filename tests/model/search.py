"""Builds and runs SPIN's search of the model, exhaustively within bounds.

`python -m tests.model.search` searches all of `FULL` and prints what it went through; it fails at the first error.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.parts import gcc, spin

HERE = Path(__file__).parent
SOURCE = "protocol.pml"
# No search of ours is deeper; one that were would say so, and count as incomplete.
DEEPEST = 10_000_000
# What a search may use before it gives up, which counts as incomplete.
MEMORY_MB = 6_000

Bounds = Mapping[str, int]

FULL: Mapping[str, Bounds] = {
    "two sweeps and an ack at once": {"SWEEPS": 2, "VANISHES": 1},
    "a sweep and two acks at once": {"ACKS": 2, "VANISHES": 1},
    "sweeps and heartbeats that overtake each other": {"ACKS": 0, "BEATS": 2, "VANISHES": 1, "EVICTIONS": 1},
    "two recorders of one chunk": {"HOLDERS": 2, "BEATS": 2, "ACKS": 0, "VANISHES": 1},
    "a recorder that is silent, and is back": {
        "BEATS": 1,
        "ACKS": 0,
        "VANISHES": 1,
        "EVICTIONS": 1,
        "RETURNS": 1,
        "SILENCES": 1,
    },
    "deletion": {"BEATS": 1, "VANISHES": 1, "DELETIONS": 1},
    "a bucket that loses, damages and lies": {"VANISHES": 1, "CORRUPTIONS": 1, "LIES": 2},
}

# Rules that take so many states to be missed that the test suite has no time for them.
MISSED_LATE: Mapping[str, Bounds] = {"REFUSED_TICKET_NO_DOUBT": {"SWEEPS": 2, "VANISHES": 2}}


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search saw. `error` None and `complete`: every state within the bounds was visited, and none is wrong."""

    complete: bool
    error: str | None
    states: int
    transitions: int
    depth: int
    elapsed_s: float


class Model:
    """The model within some bounds, compiled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def search(self, *, broken: int = 0, timeout_s: float = 3_600, deepest: int = DEEPEST) -> Searched:
        """Goes through its states until one is wrong, or all were seen. `broken`: the rule of ledger.pml to take away."""
        found = subprocess.run(
            ["./pan", f"-m{deepest}", "-E"],
            cwd=self._folder,
            env=os.environ | {"BREAK": str(broken)},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return _read(found.stdout)


@contextmanager
def built(bounds: Bounds, *, optimized: bool) -> Iterator[Model]:
    """The model with these bounds; those that are not named are the model's own."""
    with tempfile.TemporaryDirectory(prefix="safereel-model-") as temporary:
        folder = Path(temporary)
        for source in HERE.glob("*.pml"):
            shutil.copy(source, folder)
        _run(folder, str(spin()), "-a", *(f"-D{name}={value}" for name, value in bounds.items()), SOURCE)
        options = ["-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=1024", f"-DMEMLIM={MEMORY_MB}"]
        _run(folder, str(gcc()), "-O2" if optimized else "-O0", "-w", *options, "-o", "pan", "pan.c")
        yield Model(folder)


def rules() -> Mapping[str, int]:
    """The rules that can be taken away, by name."""
    text = (HERE / "ledger.pml").read_text()
    return {name: int(number) for name, number in re.findall(r"^#define ([A-Z_]+) (\d+) +/\*", text, re.MULTILINE)}


def main() -> int:
    """0 if every search was complete and found nothing wrong, and rules that were taken away were missed."""
    return 0 if all(_holds(name, bounds) for name, bounds in FULL.items()) and _are_missed() else 1


def _holds(name: str, bounds: Bounds) -> bool:
    with built(bounds, optimized=True) as model:
        seen = model.search()
    verdict = seen.error or ("complete, nothing wrong" if seen.complete else "NOT COMPLETE")
    _say(
        f"{name}: {verdict}; {seen.states:,} states, {seen.transitions:,} transitions, depth {seen.depth:,}, "
        f"{seen.elapsed_s:.0f} s ({', '.join(f'{key} {value}' for key, value in bounds.items())})"
    )
    return seen.error is None and seen.complete


def _are_missed() -> bool:
    for rule, bounds in MISSED_LATE.items():
        with built(bounds, optimized=True) as model:
            seen = model.search(broken=rules()[rule])
        _say(f"without {rule}: {seen.error or 'NOT MISSED'}; after {seen.states:,} states, {seen.elapsed_s:.0f} s")
        if seen.error is None:
            return False
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _read(output: str) -> Searched:
    def number(pattern: str) -> float:
        found = re.search(pattern, output)
        return float(found[1]) if found else 0

    error = re.search(r"^pan:\d+: (.*)$", output, re.MULTILINE)
    incomplete = "Search not completed" in output or "max search depth too small" in output
    return Searched(
        complete="Full statespace search" in output and not incomplete,
        error=error[1] if error else None,
        states=int(number(r"(\d+) states, stored")),
        transitions=int(number(r"(\d+) transitions")),
        depth=int(number(r"depth reached (\d+)")),
        elapsed_s=number(r"elapsed time ([\d.]+) seconds"),
    )


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
