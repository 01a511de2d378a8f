"""What `safereel` offers is there, and is imported only when it is asked for."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Coroutine
from importlib import import_module

import pytest

from control_plane import __version__
from control_plane.cli import command_names, main
from control_plane.config import Settings
from control_plane.drill.command import run as drill


@pytest.mark.parametrize("name", command_names())
def test_each_command_can_be_run(name: str) -> None:
    assert callable(import_module(f"control_plane.commands.{name.replace('-', '_')}").run)


def test_help_waits_for_no_part() -> None:
    code = "import sys; from control_plane import cli; cli.command_names(); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    heavy = {"aiohttp", "boto3", "psycopg", "pydantic", "procrastinate", "starlette"}
    assert heavy.isdisjoint(printed.split())


def test_the_program_ends_with_its_status_whatever_threads_are_doing() -> None:
    """A thread of the bucket client that wakes Python while the interpreter is taken down has ended commands with SIGABRT."""
    code = """
import threading
from control_plane import cli

def main():
    threading.Thread(target=threading.Event().wait).start()
    print("whole", end="")
    return 3

cli.main = main
cli.command()
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "whole", "")


@pytest.mark.parametrize(
    ("argv", "usage", "words"),
    [
        (["sweep", "adit"], "usage: safereel sweep", "'adit'"),
        (["sweep", "audit", "--dryrun"], "usage: safereel sweep", "unrecognized arguments: --dryrun"),
        (["tickets", "--recording", "seven"], "usage: safereel tickets", "seven is no id"),
        (["tickets", "--limit", "0"], "usage: safereel tickets", "0 is no number to list"),
        (["events", "--after", "yesterday"], "usage: safereel events", "yesterday is no cursor"),
        (["swep", "audit"], "usage: safereel [-h]", "there is no command “swep”: do you mean “sweep”?"),
        (["atrisk"], "usage: safereel [-h]", "do you mean “at-risk”?"),
        (["xyzzy"], "usage: safereel [-h]", "there is no command “xyzzy”\n"),
        ([], "usage: safereel [-h]", "COMMAND"),
    ],
)
def test_what_is_called_wrongly_is_told_beside_its_usage(
    argv: list[str], usage: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith(usage)
    assert words in said.err
    program = usage.removeprefix("usage: ").partition(" [")[0]
    assert said.err.endswith(f"`{program} --help` says more.\n")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"safereel {__version__}\n")


def test_a_drill_that_is_interrupted_says_what_becomes_of_its_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def interrupted(work: Coroutine[object, object, object]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", interrupted)
    quiet = caplog.at_level(logging.CRITICAL, logger="control_plane")  # as a drill sets it: put back in the end
    with quiet, pytest.raises(KeyboardInterrupt):
        drill(Settings.model_construct(), owner="me", deadline_s=1, sweeps=False, json=False)
    assert "its recording was deleted" in capsys.readouterr().err
