"""`safereel sweep`: one sweep, now."""

import argparse
import asyncio
import json
from dataclasses import asdict

from control_plane.config import Settings
from control_plane.domain.models import SweepOutcome
from control_plane.environment import settings_of_stack_or_environment
from control_plane.wiring import open_control_plane


def run(arguments: argparse.Namespace) -> int:
    """Prints its report; 1 if it decided nothing."""
    settings = settings_of_stack_or_environment(arguments.data_dir)
    report = asyncio.run(_sweep_once(settings, arguments.kind, dry_run=arguments.dry_run))
    print(json.dumps(report, indent=2, default=str))
    return 0 if report["outcome"] == SweepOutcome.DECIDED else 1


async def _sweep_once(settings: Settings, kind: str, *, dry_run: bool) -> dict[str, object]:
    async with open_control_plane(settings) as plane:
        run = {"confirm": plane.confirm.run, "audit": plane.audit.run, "fixity": plane.fixity.run}[kind]
        return asdict(await run(dry_run=dry_run))
