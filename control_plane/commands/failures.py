"""Failures with a message for a person: printed without a traceback."""

from psycopg.errors import UndefinedTable

from control_plane.bucket.provision import ProvisionError
from control_plane.db.database import DatabaseUnreachable
from control_plane.db.migrations import MigrationError
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.errors import SweepUnknown
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
    SweepUnknown,
    WrongBucket,
)


# What its message leaves open: where to look, and what to do.
ADVICE = {
    BucketUnreachable: "Is the bucket up, and are S3_ENDPOINT, S3_BUCKET_NAME and the keys right? `safereel doctor` says more.",
    DatabaseUnreachable: "Start PostgreSQL, or mend DATABASE_URL; `safereel doctor` says more.",
    UndefinedTable: "The schema is not there, or is an older one: run `safereel migrate` first.",
    WrongBucket: "Where the database or the bucket was lost, docs/operations.md tells what to do (“When one side is lost”).",
}


def told(failure: Exception) -> tuple[int, str] | None:
    """The exit status and what to print: 2 for a command that was called wrongly, 1 for what may fail.

    None for a fault of ours, which wants its traceback.
    """
    if isinstance(failure, UsageError):
        return 2, str(failure)
    advice = next((words for kind, words in ADVICE.items() if isinstance(failure, kind)), "")
    if not advice and not isinstance(failure, EXPECTED):
        return None
    return 1, f"{_sentence(str(failure))} {advice}".strip()


def _sentence(message: str) -> str:
    """Of PostgreSQL's messages the first line: the others quote our statement."""
    first = message.splitlines()[0] if message else ""
    return first if first.endswith((".", "?", "!", ":")) else f"{first}."
