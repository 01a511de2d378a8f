"""What commands say when a part is not as it should be: one sentence that names the cure, and no traceback."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.support import parts
from tests.support.live import free_port
from tests.support.plane import Running, admin_connection, database_url, environment

COMMAND = (sys.executable, "-m", "control_plane")


def run(*arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Exit status, and the last line on standard error."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=parts.ROOT, env=env, check=False, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.anyio
async def test_without_a_schema_they_say_how_to_make_it(stack: EmbeddedStack, running: Running) -> None:
    with admin_connection(stack) as connection:
        connection.execute("create database without_schema")
        try:
            env = environment(running.settings, DATABASE_URL=database_url(stack, "without_schema"))
            for arguments in (("sweep", "audit"), ("rebuild",)):
                status, said = await asyncio.to_thread(run, *arguments, "--dry-run", env=env)
                assert (status, "run `safereel migrate` first" in said) == (1, True), said
        finally:
            connection.execute("drop database without_schema with (force)")


def test_without_a_part_they_name_it(settings: Settings) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    status, said = run("sweep", "audit", env=environment(settings, DATABASE_URL=nowhere))
    assert (status, "DATABASE_URL" in said) == (1, True), said
    status, said = run("rebuild", "--dry-run", env=environment(settings, S3_BUCKET_NAME="there-is-no-such"))
    assert (status, "S3_BUCKET_NAME" in said) == (1, True), said


def test_what_is_empty_is_no_owner(settings: Settings) -> None:
    status, said = run("drill", "--owner", "", env=environment(settings))
    assert (status, "--owner" in said) == (2, True), said


def test_a_reader_that_has_read_enough_is_no_fault() -> None:
    with subprocess.Popen(
        [*COMMAND, "openapi"], cwd=parts.ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as printing:
        assert printing.stdout is not None
        assert printing.stderr is not None
        assert printing.stdout.read(10)
        printing.stdout.close()
        assert printing.stderr.read() == ""
        assert printing.wait(60) == 141
