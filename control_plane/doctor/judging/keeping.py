"""Does the bucket keep what it is given, for as long as nobody deletes it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane.doctor.findings import Check, Finding, ok, warning, wrong
from control_plane.doctor.seen import Outcome, Place, done

OURS = ("v1/", "meta/")
"""Where recordings and what describes them lie: no rule may expire anything there."""
NOT_THERE = frozenset({405, 501})
"""What a store answers that has no such thing."""
LOCK_NOT_THERE = NOT_THERE | {400, 404}
"""Stores have also said so of buckets that were made without it."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A configuration that could not be read: status (0: no answer) and the store's words."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class VersionsSeen:
    """One key, written twice, deleted, and then removed with every version."""

    configured: str | Unread
    older_readable: bool
    versions_after_overwrite: int
    delete: Outcome
    marker: bool
    versions_after_delete: int
    left: int
    failed: str = ""


def versions(place: Place, seen: VersionsSeen) -> Finding:
    """Older versions heal what was overwritten or deleted by mistake."""
    tried = "overwrite and delete of an object, and what is left of it"
    mend = (
        "Turn versioning on, as `safereel provision` does; a store without versions has nothing to heal from: use another.\n"
        f"$ aws s3api put-bucket-versioning --bucket {place.bucket} --endpoint-url {place.endpoint} "
        "--versioning-configuration Status=Enabled\n"
        f"$ mc version enable ALIAS/{place.bucket}"
    )
    told = seen.configured.said if isinstance(seen.configured, Unread) else seen.configured or "off"
    if seen.failed:
        return wrong(Check.KEEPING_VERSIONS, tried, f"versioning is {told}; {seen.failed}", mend)
    if seen.versions_after_overwrite < 2 or not seen.older_readable:
        return wrong(
            Check.KEEPING_VERSIONS, tried, f"versioning is {told}: after an overwrite the older bytes were gone", mend
        )
    if not seen.marker or seen.versions_after_delete < 2:
        return wrong(
            Check.KEEPING_VERSIONS, tried, f"versioning is {told}: a delete removed the bytes, and left no marker", mend
        )
    return ok(Check.KEEPING_VERSIONS, tried, f"versioning is {told}: older bytes stay, and a delete leaves a marker")


def removal(place: Place, seen: VersionsSeen) -> Finding:
    """An owner's deletion must be able to remove every version."""
    tried = "removal of every version of an object"
    mend = (
        f"Allow s3:DeleteObject and s3:DeleteObjectVersion on arn:aws:s3:::{place.bucket}/*, and no retention on the bucket: "
        "without it a recording that its owner deletes stays."
    )
    if not done(seen.delete):
        return wrong(Check.KEEPING_REMOVAL, tried, f"DELETE: {seen.delete}", mend)
    if seen.left:
        return wrong(Check.KEEPING_REMOVAL, tried, f"{seen.left} versions are still there", mend)
    return ok(Check.KEEPING_REMOVAL, tried, "nothing is left")


def lifecycle(place: Place, found: Sequence[Mapping[str, Any]] | Unread) -> Finding:
    """Rules that would expire, move or thin out our objects."""
    tried = "the bucket's lifecycle rules"
    if isinstance(found, Unread):
        if found.status in NOT_THERE:
            return ok(Check.KEEPING_LIFECYCLE, tried, f"this store has none ({found.said})")
        return warning(
            Check.KEEPING_LIFECYCLE,
            tried,
            f"they could not be read: {found.said}",
            "Allow s3:GetLifecycleConfiguration, or see for yourself that no rule expires anything:\n"
            f"$ aws s3api get-bucket-lifecycle-configuration --bucket {place.bucket} --endpoint-url {place.endpoint}",
        )
    ours = [rule for rule in found if _touches_ours(rule)]
    if expiring := [_name(rule) for rule in ours if _expires(rule)]:
        return wrong(
            Check.KEEPING_LIFECYCLE,
            tried,
            f"{', '.join(expiring)} will delete recordings by their age",
            "Take the Expiration out of these rules, or give them another prefix than v1/ and meta/ (downloads/ may expire). "
            "Retention of recordings is for Safereel's own settings.",
        )
    if thinning := [_name(rule) for rule in ours if "NoncurrentVersionExpiration" in rule]:
        return warning(
            Check.KEEPING_LIFECYCLE,
            tried,
            f"{', '.join(thinning)} removes older versions, which damaged chunks are healed from",
            "Let it keep them for longer than an audit and a fixity round take, some weeks at least.",
        )
    if moving := [_name(rule) for rule in ours if rule.get("Transitions") or rule.get("NoncurrentVersionTransitions")]:
        return warning(
            Check.KEEPING_LIFECYCLE,
            tried,
            f"{', '.join(moving)} moves objects to another storage class",
            "Classes that must be restored first (Glacier) cannot be played or read back: move to one that reads at once.",
        )
    aborting = any("AbortIncompleteMultipartUpload" in rule for rule in ours)
    rules = f"{len(found)} rules, none touches recordings" if found else "none"
    return ok(Check.KEEPING_LIFECYCLE, tried, f"{rules}{'; unfinished uploads are tidied' if aborting else ''}")


def lock(place: Place, found: str | Unread | None) -> Finding:
    """Retention that keeps objects from being removed."""
    tried = "the bucket's object lock"
    if isinstance(found, Unread):
        if found.status in LOCK_NOT_THERE:
            return ok(Check.KEEPING_LOCK, tried, f"this store has none ({found.said})")
        return warning(
            Check.KEEPING_LOCK,
            tried,
            f"it could not be read: {found.said}",
            "Allow s3:GetBucketObjectLockConfiguration, or see for yourself that nothing is retained:\n"
            f"$ aws s3api get-object-lock-configuration --bucket {place.bucket} --endpoint-url {place.endpoint}",
        )
    if found is None:
        return ok(Check.KEEPING_LOCK, tried, "no retention")
    return warning(
        Check.KEEPING_LOCK,
        tried,
        f"every new object is kept ({found})",
        "Until then nobody can remove a recording that its owner deleted, nor what doctor wrote. If that is not meant:\n"
        f"$ aws s3api put-object-lock-configuration --bucket {place.bucket} --endpoint-url {place.endpoint} "
        "--object-lock-configuration ObjectLockEnabled=Enabled",
    )


def remains(own: str, removed: int, old: int, left: int, failed: str) -> Finding:
    """What doctor itself left behind."""
    tried = f"removal of what doctor wrote ({own})"
    if failed or left:
        return warning(
            Check.DOCTOR_REMAINS,
            tried,
            failed or f"{left} objects or versions are still there",
            "The next doctor removes what is older than an hour; nothing but doctor looks there.",
        )
    return ok(
        Check.DOCTOR_REMAINS,
        tried,
        f"{removed} objects and versions removed{f', {old} of an earlier visit' if old else ''}",
    )


def _touches_ours(rule: Mapping[str, Any]) -> bool:
    if rule.get("Status") != "Enabled":
        return False
    chosen = rule.get("Filter", {})
    both = chosen.get("And", {})
    if "Tag" in chosen or both.get("Tags"):
        return False  # nothing of ours bears a tag
    prefix = str(rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or "")
    if prefix.startswith("meta/doctor/"):
        return False
    return any(ours.startswith(prefix) or prefix.startswith(ours) for ours in OURS)


def _expires(rule: Mapping[str, Any]) -> bool:
    expiration = rule.get("Expiration", {})
    return "Days" in expiration or "Date" in expiration


def _name(rule: Mapping[str, Any]) -> str:
    return f"rule {rule['ID']}" if rule.get("ID") else "a rule without a name"
