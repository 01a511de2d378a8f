"""The parts that a command works on and ends with: named by its arguments or the environment, and there."""

import logging
from pathlib import Path

from control_plane.config import Settings
from control_plane.db.reaching import reach
from control_plane.environment import settings_of_stack_or_environment


def settings_of_parts(data_dir: Path | None) -> Settings:
    """Those of the stack that was named, else of the environment, else of the stack that runs here.

    Raises `DatabaseUnreachable`, `EmbeddedError`, `UsageError`. From here on the pools do not log each try to connect: whoever
    called the command waits for its one sentence.
    """
    settings = settings_of_stack_or_environment(data_dir)
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    reach(settings.database_url.get_secret_value())
    return settings
