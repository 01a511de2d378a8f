"""`safereel migrate`: the database's schema, brought up to date."""

import argparse

from control_plane.environment import settings_from_environment
from control_plane.migrating import migrate


def run(_: argparse.Namespace) -> int:
    """Prints which migrations were applied."""
    settings = settings_from_environment()
    for migration in migrate(settings.database_url.get_secret_value()):
        print(f"applied {migration}")
    print("The schema is up to date.")
    return 0
