"""What doctor finds: one line for each check, in words for a person and in a shape for a machine."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# Commands of ours that advice names, and that take a stack's folder.
MENDING = ("migrate", "provision")
OF_PAGES = (
    "The stack sets this rule anew whenever it starts: give SAFEREEL_PAGE_ORIGINS to `make run` (`safereel up`) as well, which "
    "also lets these pages call."
)


class Check(StrEnum):
    """Every check there is, in the order in which they are shown; docs/operations.md has a row for each."""

    SETTINGS_ADDRESS = "settings.address"
    SETTINGS_GRANTS = "settings.grants"
    IDENTITY_KEYS = "identity.keys"
    DATABASE_REACH = "database.reach"
    DATABASE_VERSION = "database.version"
    DATABASE_WRITABLE = "database.writable"
    DATABASE_MIGRATIONS = "database.migrations"
    DATABASE_QUEUE = "database.queue"
    DATABASE_DURABILITY = "database.durability"
    DATABASE_CONNECTIONS = "database.connections"
    DATABASE_LATENCY = "database.latency"
    DATABASE_CLOCK = "database.clock"
    BUCKET_REACH = "bucket.reach"
    BUCKET_PUBLIC = "bucket.public"
    BUCKET_CREDENTIALS = "bucket.credentials"
    BUCKET_PERMISSIONS = "bucket.permissions"
    BUCKET_CLOCK = "bucket.clock"
    BUCKET_MARKER = "bucket.marker"
    BUCKET_SIGNATURES = "bucket.signatures"
    GRANTS_PUT = "grants.put"
    GRANTS_DIGEST = "grants.digest"
    GRANTS_LENGTH = "grants.length"
    GRANTS_KEY = "grants.key"
    GRANTS_EXPIRY = "grants.expiry"
    GRANTS_ONCE = "grants.once"
    GRANTS_RACE = "grants.race"
    GRANTS_OVERWRITE = "grants.overwrite"
    OBJECTS_HEAD = "objects.head"
    OBJECTS_SHA256 = "objects.sha256"
    OBJECTS_RANGE = "objects.range"
    OBJECTS_LIST = "objects.list"
    OBJECTS_DOWNLOAD = "objects.download"
    CORS_PUT = "cors.put"
    CORS_ETAG = "cors.etag"
    CORS_GET = "cors.get"
    CORS_STRANGER = "cors.stranger"
    KEEPING_VERSIONS = "keeping.versions"
    KEEPING_REMOVAL = "keeping.removal"
    KEEPING_LIFECYCLE = "keeping.lifecycle"
    KEEPING_LOCK = "keeping.lock"
    DOCTOR_REMAINS = "doctor.remains"


class Standing(StrEnum):
    """How it stands: only `wrong` makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `mend` says what to do, and is empty where nothing is wrong; it may have several lines."""

    check: Check
    standing: Standing
    tried: str
    seen: str
    mend: str = ""


def ok(check: Check, tried: str, seen: str) -> Finding:
    """As it should be."""
    return Finding(check, Standing.OK, tried, seen)


def warning(check: Check, tried: str, seen: str, mend: str) -> Finding:
    """Safereel works with it, with less of a margin."""
    return Finding(check, Standing.WARNING, tried, seen, mend)


def wrong(check: Check, tried: str, seen: str, mend: str) -> Finding:
    """Safereel cannot live with it."""
    return Finding(check, Standing.WRONG, tried, seen, mend)


def skipped(check: Check, because: str) -> Finding:
    """Not examined: something before it was wrong, and its own answer would say nothing."""
    return Finding(check, Standing.SKIPPED, "not examined", because)


def beside_stack(mend: str, data_dir: Path) -> str:
    """The same advice, with commands as they work beside the stack of that folder."""
    for command in MENDING:
        mend = mend.replace(f"safereel {command}", f"safereel {command} --data-dir {shlex.quote(str(data_dir))}")
    return f"{mend}\n{OF_PAGES}" if "$ SAFEREEL_PAGE_ORIGINS=" in mend else mend


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one visit. `examined` names what was looked at, without secrets."""

    examined: Mapping[str, str]
    findings: Sequence[Finding]

    @property
    def well(self) -> bool:
        """Whether nothing is wrong; warnings do not count, and nor does what was skipped (its cause does)."""
        return self.count(Standing.WRONG) == 0

    def count(self, standing: Standing) -> int:
        """How many findings stand so."""
        return Counter(finding.standing for finding in self.findings)[standing]
