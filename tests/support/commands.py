"""`safereel` commands as child processes that end by themselves, on the parts of a test."""

import asyncio
from dataclasses import dataclass
from typing import Any

from control_plane.config import Settings
from tests.support import warm
from tests.support.plane import environment
from tests.support.warm import COMMAND

__all__ = ["COMMAND", "DEADLINE_S", "Said", "cells", "printed", "safereel"]
# On a machine that does much else at the same time.
DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


def safereel(settings: Settings, *arguments: str, fresh: bool = False, **variables: str) -> Said:
    """Runs a command with these settings in its environment, and some variables beside them.

    `fresh`: by an interpreter of its own, as a user does.
    """
    done = warm.run(arguments, env=environment(settings, **variables), timeout=DEADLINE_S, fresh=fresh)
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


async def printed(settings: Settings, *arguments: str, **variables: str) -> str:
    """What a command prints that succeeds and has nothing to complain of."""
    said = await asyncio.to_thread(
        lambda: safereel(settings, *arguments, fresh=False, SAFEREEL_SETTLE_MS="0", **variables)
    )
    assert (said.status, said.err) == (0, ""), said
    return said.out


def cells(table: str, column: str) -> list[Any]:
    """What stands in a column of a printed table whose rows are lines each."""
    lines = table.partition("\n\n")[0].splitlines()
    start = lines[0].index(column)
    return [line[start:].partition("  ")[0] for line in lines[1:]]
