"""When releases stop because too much is missing at once, and when they go on.

A release lets a device drop what may be the last copy. Where the bucket has just lost many chunks, nobody knows yet what it
will lose next; so nothing is released until audits find nothing new. What devices hold costs them space, no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class FreezeCause(StrEnum):
    """Why releases stopped: chunks missing, keys that the ledger does not know, a bucket that does not show this deployment's
    mark, or an administrator's word.
    """

    MISSING = "missing"
    UNKNOWN = "unknown"
    BUCKET = "bucket"
    ADMINISTRATOR = "administrator"


class ThawedBy(StrEnum):
    AUDIT = "audit"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class FreezeRules:
    """How much is too much: more than `percent` of what was looked at, and at least `chunks`."""

    percent: float
    chunks: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What audits of late summed up to: so many looks at chunks (or keys), so many newly found missing (or unknown)."""

    looked_at: int
    found: int

    def plus(self, other: "Evidence") -> "Evidence":
        """Both together."""
        return Evidence(self.looked_at + other.looked_at, self.found + other.found)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Well-formed keys that the ledger does not know, and how many of them were there at the last thaw."""

    unknown: int
    looked_at: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Releases are stopped."""

    frozen_at: datetime
    cause: FreezeCause
    detail: Mapping[str, object] = field(default_factory=dict)


def missing_of(seen: Evidence, *, known: int) -> Evidence:
    """How much is missing of how much. What several audits looked at is counted once: there are no more chunks than the ledger
    has `known` to be in the bucket, and no fewer than were found.
    """
    return Evidence(max(seen.found, min(seen.looked_at, known)), seen.found)


def unknown_of(unknown: Unknown) -> Evidence:
    """How many keys are unknown of how many that were seen; those that somebody has thawed in spite of do not count."""
    return Evidence(unknown.looked_at + unknown.unknown, max(0, unknown.unknown - unknown.accepted))


def is_mass(evidence: Evidence, rules: FreezeRules) -> bool:
    """Whether so much was found that releases must stop. The minimum keeps two chunks, one of them missing, from stopping all."""
    return evidence.found >= rules.chunks and evidence.found * 100 > evidence.looked_at * rules.percent


def may_thaw(freeze: Freeze, *, all_covered: bool, still_unknown: bool) -> bool:
    """Whether audits have thawed it: they went through everything since and found nothing new. What an administrator froze,
    an administrator thaws.
    """
    return freeze.cause is not FreezeCause.ADMINISTRATOR and all_covered and not still_unknown
