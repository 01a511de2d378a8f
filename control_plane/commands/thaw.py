"""`safereel thaw`: releases go on."""

import argparse
import asyncio
import json
import logging

from control_plane.api.losses import releases_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.wording import at
from control_plane.config import Settings
from control_plane.domain.freezing import Freeze, FreezeCause
from control_plane.wiring import open_control_plane


def run(arguments: argparse.Namespace) -> int:
    """Says what had stopped them."""
    settings = settings_of_parts(arguments.data_dir)
    logging.getLogger("control_plane.services.freezing").setLevel(logging.CRITICAL)  # its words are printed here
    before, now = asyncio.run(_thaw(settings))
    print(json.dumps(releases_answer(now), indent=2) if arguments.json else words(before))
    return 0


def words(before: Freeze | None) -> str:
    """What became of it."""
    if before is None:
        return "Releases were not frozen: nothing was changed."
    if before.cause is FreezeCause.BUCKET:
        return (
            f"Releases go on with what is seen in the bucket from now on. They were frozen since {at(before.frozen_at)} (cause: "
            f"{before.cause}).\nWhat was confirmed before is released once an audit has found it there; `safereel at-risk` says "
            "whether sweeps decide again."
        )
    return (
        f"Releases go on. They were frozen since {at(before.frozen_at)} (cause: {before.cause}).\n"
        "Only what audits find from now on freezes them again."
    )


async def _thaw(settings: Settings) -> tuple[Freeze | None, Freeze | None]:
    async with open_control_plane(settings) as plane:
        freezing = plane.services.freezing
        before = await freezing.now()
        await freezing.thaw()
        return before, await freezing.now()
