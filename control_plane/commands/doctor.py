"""`safereel doctor`: bucket, database and clocks, examined."""

import argparse

from control_plane import doctor
from control_plane.environment import UsageError, settings_of_stack_or_environment


def run(arguments: argparse.Namespace) -> int:
    """Prints each finding; 1 if something is wrong."""
    settings = settings_of_stack_or_environment(arguments.data_dir)
    try:
        origins = [doctor.origin_of(text) for text in arguments.origin]
    except ValueError as exc:
        raise UsageError(f"--origin: {exc}") from exc
    return doctor.run(settings, origins, json=arguments.json, stack=arguments.data_dir)
