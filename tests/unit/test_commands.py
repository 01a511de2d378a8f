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
