"""Real parts from their wheels: PostgreSQL and SeaweedFS on this machine, for `safereel up` and the tests."""

from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.folder import read_running_stack
from control_plane.embedded.seaweed import S3Access
from control_plane.embedded.stack import EmbeddedStack

__all__ = ["EmbeddedError", "EmbeddedStack", "S3Access", "read_running_stack"]
