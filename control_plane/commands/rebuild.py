"""`safereel rebuild`: the ledger, made anew from the bucket alone."""

import argparse

from control_plane import rebuild
from control_plane.commands.parts import settings_of_parts


def run(arguments: argparse.Namespace) -> int:
    """Prints what was taken up and what is left."""
    settings = settings_of_parts(arguments.data_dir)
    return rebuild.run(settings, dry_run=arguments.dry_run, as_json=arguments.json)
