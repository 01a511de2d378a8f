"""`safereel` commands as child processes that end by themselves, on the parts of a test."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from control_plane.config import Settings
from tests.support import parts
from tests.support.plane import environment

COMMAND = (sys.executable, "-m", "control_plane")
# On a machine that does much else at the same time.
DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


def safereel(settings: Settings, *arguments: str, **variables: str) -> Said:
    """Runs a command with these settings in its environment, and some variables beside them."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=parts.ROOT,
        env=environment(settings, **variables),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


async def printed(settings: Settings, *arguments: str, **variables: str) -> str:
    """What a command prints that succeeds and has nothing to complain of."""
    said = await asyncio.to_thread(lambda: safereel(settings, *arguments, SAFEREEL_SETTLE_MS="0", **variables))
    assert (said.status, said.err) == (0, ""), said
    return said.out


def cells(table: str, column: str) -> list[Any]:
    """What stands in a column of a printed table whose rows are lines each."""
    lines = table.partition("\n\n")[0].splitlines()
    start = lines[0].index(column)
    return [line[start:].partition("  ")[0] for line in lines[1:]]
