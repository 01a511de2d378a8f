"""What commands say when a part is not as it should be: one sentence that names the cure, and no traceback."""

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from control_plane.cli import command_names
from control_plane.config import Settings
from control_plane.db.migrations import migrations
from control_plane.embedded import EmbeddedStack
from tests.support import parts, warm
from tests.support.commands import COMMAND, DEADLINE_S, safereel
from tests.support.databases import admin_connection, database_url
from tests.support.live import free_port
from tests.support.plane import Running, environment


def run(*arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Exit status, and the last line on standard error."""
    done = warm.run(arguments, env=env, timeout=DEADLINE_S)
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


# Each that ends by itself or begins with the database. `up` brings its own; `env`, `token` and `openapi` need none.
ON_A_DATABASE: Mapping[str, Sequence[str]] = {
    "serve": (),
    "worker": (),
    "migrate": (),
    "provision": (),
    "at-risk": (),
    "sweeps": (),
    "tickets": (),
    "events": ("--follow",),
    "sweep": ("audit",),
    "freeze": (),
    "thaw": (),
    "rebuild": ("--dry-run",),
    "retention": ("--dry-run",),
    "drill": (),
}
WITHOUT = {"up", "env", "token", "openapi", "doctor"}


def test_it_is_known_which_commands_need_a_database() -> None:
    assert {*ON_A_DATABASE, *WITHOUT} == set(command_names())


@pytest.mark.parametrize("command", ON_A_DATABASE)
def test_without_a_database_each_says_one_sentence(settings: Settings, command: str) -> None:
    """Each by an interpreter of its own: what it needs to start is imported by itself."""
    nowhere = {"DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none"}
    said = safereel(
        settings, command, *ON_A_DATABASE[command], fresh=True, SAFEREEL_RETAIN_COMPLETE_DAYS="1", **nowhere
    )
    assert (said.status, said.out) == (1, "")
    (sentence,) = said.err.splitlines()
    assert sentence.startswith("safereel: connection failed")
    assert "refused" in sentence
    assert sentence.endswith("Start PostgreSQL, or mend DATABASE_URL; `safereel doctor` says more.")


def test_without_a_database_doctor_finds_that_out(settings: Settings) -> None:
    said = safereel(settings, "doctor", DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    assert (said.status, said.err) == (1, "")
    assert "database.reach" in said.out


def test_migrate_tells_ours_and_one_line_for_the_queue(stack: EmbeddedStack, settings: Settings) -> None:
    with admin_connection(stack) as connection:
        connection.execute("create database to_migrate")
        try:
            first, again = (
                safereel(settings, "migrate", DATABASE_URL=database_url(stack, "to_migrate")) for _ in range(2)
            )
        finally:
            connection.execute("drop database to_migrate with (force)")
    ours = [f"Applied {migration.number:04d} {migration.name}." for migration in migrations()]
    assert first.out.splitlines() == [*ours, "Brought the queue's tables up to date.", "The schema is up to date."]
    assert again.out == "The schema is already up to date: nothing was applied.\n"


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
