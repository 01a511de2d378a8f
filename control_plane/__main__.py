"""`python -m control_plane` is `safereel`."""

from control_plane.cli import command

command()
