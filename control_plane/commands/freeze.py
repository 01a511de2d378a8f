"""`safereel freeze`: releases stop until somebody lets them go on."""

import argparse
import asyncio
import json
import logging

from control_plane.api.losses import releases_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.wording import at
from control_plane.config import Settings
from control_plane.domain.freezing import Freeze
from control_plane.wiring import open_control_plane


def run(arguments: argparse.Namespace) -> int:
    """Says since when they are frozen."""
    settings = settings_of_parts(arguments.data_dir)
    logging.getLogger("control_plane.services.freezing").setLevel(logging.CRITICAL)  # its words are printed here
    found = asyncio.run(_freeze(settings))
    print(json.dumps(releases_answer(found), indent=2) if arguments.json else words(found))
    return 0


def words(found: Freeze) -> str:
    """What it means."""
    return (
        f"Releases are frozen since {at(found.frozen_at)}: devices keep all they hold, recording and sending go on.\n"
        "`safereel thaw` ends it."
    )


async def _freeze(settings: Settings) -> Freeze:
    async with open_control_plane(settings) as plane:
        return await plane.services.freezing.freeze()
