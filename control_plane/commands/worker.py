"""`safereel worker`: what is due, done."""

import argparse

from control_plane.config import Settings
from control_plane.environment import settings_from_environment
from control_plane.migrating import migrate
from control_plane.signals import run_until_stopped
from control_plane.wiring import open_control_plane
from control_plane.working import work_until_cancelled


def run(_: argparse.Namespace) -> int:
    """Works until it is told to stop."""
    settings = settings_from_environment()
    migrate(settings.database_url.get_secret_value())
    return run_until_stopped(lambda: _work(settings), stop_s=settings.safereel_shutdown_ms / 1000)


async def _work(settings: Settings) -> None:
    async with open_control_plane(settings) as plane:
        await work_until_cancelled(plane, settings)
