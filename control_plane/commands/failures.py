"""Failures with a message for a person: printed without a traceback."""

from control_plane.bucket.provision import ProvisionError
from control_plane.db.database import DatabaseUnreachable
from control_plane.db.migrations import MigrationError
from control_plane.domain.bucket import BucketUnreachable
from control_plane.embedded import EmbeddedError
from control_plane.environment import UsageError
from control_plane.jobs.schema import QueueSchemaError
from control_plane.services.deployment import WrongBucket
from control_plane.services.limiting import LimitStoreMissing
from control_plane.serving import PortTaken
from control_plane.wiring import IssuerForbidden

EXPECTED = (
    BucketUnreachable,
    DatabaseUnreachable,
    EmbeddedError,
    IssuerForbidden,
    LimitStoreMissing,
    MigrationError,
    PortTaken,
    ProvisionError,
    QueueSchemaError,
    WrongBucket,
)


def exit_status(failure: Exception) -> int | None:
    """2 for a command that was called wrongly, 1 for what may fail; None for a fault of ours, which wants its traceback."""
    if isinstance(failure, UsageError):
        return 2
    return 1 if isinstance(failure, EXPECTED) else None
