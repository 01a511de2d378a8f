"""`safereel retention`: what is older than the retention settings allow goes now."""

import argparse
import asyncio

from control_plane.commands.parts import settings_of_parts
from control_plane.config import Settings
from control_plane.environment import UsageError
from control_plane.wiring import open_control_plane


def run(arguments: argparse.Namespace) -> int:
    """Deletes it, or lists it as a table with tabs."""
    settings = settings_of_parts(arguments.data_dir)
    if not settings.retention.on:
        raise UsageError(
            "retention is off, so nothing goes by age: set SAFEREEL_RETAIN_COMPLETE_DAYS or SAFEREEL_RETAIN_EXPIRED_DAYS"
        )
    asyncio.run(_list_due(settings) if arguments.dry_run else _retain(settings))
    return 0


async def _list_due(settings: Settings) -> None:
    recordings = freed = 0
    async with open_control_plane(settings) as plane:
        print("recording\towner\tstate\tdays\tbytes")
        async for due in plane.retention.due():
            print(due.id, due.owner, due.state, due.age.days, due.bytes, sep="\t")
            recordings += 1
            freed += due.bytes
    print(f"{recordings} recordings of {freed} bytes would be deleted.")


async def _retain(settings: Settings) -> None:
    recordings = freed = 0
    async with open_control_plane(settings) as plane:
        while (run := await plane.retention.run()).recordings:
            recordings += run.recordings
            freed += run.freed_bytes
    print(f"{recordings} recordings of {freed} bytes are being deleted.")
