"""What `safereel` offers is there, and is imported only when it is asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

from control_plane.cli import command_names


@pytest.mark.parametrize("name", command_names())
def test_each_command_can_be_run(name: str) -> None:
    assert callable(import_module(f"control_plane.commands.{name}").run)


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
