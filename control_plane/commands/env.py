"""`safereel env`: a running stack's addresses and keys, for other tools."""

import argparse
import shlex

from control_plane.embedded import read_running_stack
from control_plane.environment import DATA_DIR, environment_of


def run(arguments: argparse.Namespace) -> int:
    """Prints `NAME=value` lines that a shell or `env` takes."""
    for name, value in environment_of(read_running_stack(arguments.data_dir or DATA_DIR)).items():
        print(f"{name}={shlex.quote(value)}")
    return 0
