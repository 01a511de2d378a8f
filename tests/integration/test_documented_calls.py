"""The calls of docs/operations.md, made as they stand there, on real parts."""

import asyncio
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import parts
from tests.support.commands import DEADLINE_S, safereel
from tests.support.plane import Running, environment
from tests.support.tickets import recorded

pytestmark = pytest.mark.anyio

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def block_of(heading: str) -> str:
    """The first shell block below a heading."""
    below = (parts.ROOT / "docs/operations.md").read_text().partition(f"\n{heading}\n")[2]
    found = BLOCK.search(below)
    assert found is not None
    return found[1]


def commands_of(heading: str) -> list[list[str]]:
    """What the lines of such a block call `safereel` with: none of them calls anything else."""
    words = [shlex.split(line, comments=True) for line in block_of(heading).splitlines()]
    assert all(program == "safereel" for program, *_ in words)
    return [arguments for _, *arguments in words]


async def shell(running: Running, script: str, folder: Path) -> str:
    """What the script prints, with `safereel` in its path and the parts of the test in its environment. No call may fail."""
    program = folder / "safereel"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{parts.ROOT}" exec "{sys.executable}" -m control_plane "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    env = environment(running.settings)
    done = await asyncio.to_thread(
        subprocess.run,
        ["/bin/sh", "-eu", "-c", script],
        env={**env, "PATH": f"{folder}:{env['PATH']}"},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=10 * DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_operators_commands(running: Running) -> None:
    async with recorded(running):
        said = [await asyncio.to_thread(safereel, running.settings, *line) for line in commands_of("## Commands")]
    assert {each.status for each in said} == {0}, said
    out = "".join(each.out for each in said)
    assert "All is safe" in out
    assert "There are no such tickets." in out
    assert "This was a dry run" in out


async def test_the_calls_of_the_admin_api(running: Running, tmp_path: Path) -> None:
    script = block_of("### By HTTP")
    assert script.count("curl ") == 9
    out = await shell(running, script.replace("http://localhost:8000", running.endpoint), tmp_path)
    assert '"frozen":true' in out.replace(" ", "")
    assert (await running.sql("select limit_bytes from owners where id = 'alice'")) == [
        {"limit_bytes": 107_374_182_400}
    ]
    assert await running.plane.services.freezing.now() is None
