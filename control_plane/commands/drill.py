"""`safereel drill`: losses, rehearsed on a live deployment."""

import argparse

from control_plane import drill
from control_plane.commands.parts import settings_of_parts
from control_plane.environment import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Prints how each loss was repaired; 1 if one was not."""
    if arguments.owner == "":
        raise UsageError("--owner: name somebody, or leave it out")
    settings = settings_of_parts(arguments.data_dir)
    return drill.run(
        settings,
        owner=arguments.owner or drill.OWNER,
        deadline_s=arguments.deadline,
        sweeps=arguments.sweep,
        json=arguments.json,
    )
