"""`safereel sweep`: one sweep, now."""

import argparse
import asyncio
import json
import logging
from uuid import uuid4

from control_plane.api.sweeps import sweep_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.sweep_words import sentences, what_releases_did
from control_plane.config import Settings
from control_plane.domain.freezing import Freeze
from control_plane.domain.work import StoredSweep, SweepStanding
from control_plane.wiring import open_control_plane

# Services whose log tells what is printed here in words.
WORDED = ("sweeping", "freezing", "looking", "keeping_meta")


def run(arguments: argparse.Namespace) -> int:
    """Says what it found and did; 1 if it decided nothing."""
    settings = settings_of_parts(arguments.data_dir)
    for worded in WORDED:
        logging.getLogger(f"control_plane.services.{worded}").setLevel(logging.CRITICAL)
    swept, before, after = asyncio.run(_sweep_once(settings, arguments.kind, dry_run=arguments.dry_run))
    told = [*sentences(swept), *what_releases_did(before, after)]
    print(json.dumps(sweep_answer(swept), indent=2) if arguments.json else "\n".join(told))
    return 0 if swept.standing is SweepStanding.DECIDED else 1


async def _sweep_once(
    settings: Settings, kind: str, *, dry_run: bool
) -> tuple[StoredSweep, Freeze | None, Freeze | None]:
    """Its report, as it is kept, since an administrator has asked for it; and what kept releases frozen before and after."""
    sweep_id = uuid4()
    async with open_control_plane(settings) as plane:
        sweep = {"confirm": plane.confirm.run, "audit": plane.audit.run, "fixity": plane.fixity.run}[kind]
        before = await plane.services.freezing.now()
        await sweep(dry_run=dry_run, sweep_id=sweep_id)
        return await plane.services.sweep_reports.read(sweep_id), before, await plane.services.freezing.now()
