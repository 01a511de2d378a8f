"""`safereel migrate`: the database's schema, brought up to date."""

import argparse

from control_plane.environment import settings_of_stack_or_environment
from control_plane.migrating import Applied, migrate


def run(arguments: argparse.Namespace) -> int:
    """Prints which migrations were applied."""
    settings = settings_of_stack_or_environment(arguments.data_dir)
    print(worded(migrate(settings.database_url.get_secret_value())))
    return 0


def worded(applied: Applied) -> str:
    """A line for each migration of ours, and one for the queue's, whose names would tell nobody anything."""
    lines = [f"Applied {migration}." for migration in applied.migrations]
    if applied.of_queue:
        lines.append("Brought the queue's tables up to date.")
    if not lines:
        return "The schema is already up to date: nothing was applied."
    return "\n".join([*lines, "The schema is up to date."])
