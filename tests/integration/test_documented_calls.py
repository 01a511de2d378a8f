"""The calls of docs/operations.md, made as they stand there, on real parts."""

import asyncio
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import parts
from tests.support.commands import DEADLINE_S
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


async def test_the_operators_commands(running: Running, tmp_path: Path) -> None:
    async with recorded(running):
        out = await shell(running, block_of("## Commands"), tmp_path)
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
