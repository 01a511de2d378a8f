"""Removes what doctor wrote, every version of it, and what a killed one left behind."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from control_plane.bucket.inspecting import BucketInspector, Refused
from control_plane.doctor.probing.visit import DOCTOR_PREFIX, in_thread
from control_plane.domain.bucket import BucketUnreachable

# Another doctor may be at work right now: none takes this long.
OLD = timedelta(hours=1)
# Listings may lag behind the first; what can never be removed must not keep us here.
PASSES = 3
FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Removed:
    """How many objects and versions were removed, of this visit and of earlier ones; what is left, or why nobody knows."""

    own: int = 0
    old: int = 0
    left: int = 0
    failed: str = ""


@dataclass(frozen=True, slots=True)
class _Thing:
    key: str
    version_id: str | None
    last_modified: datetime


async def clear(inspector: BucketInspector, prefix: str, bucket_now: datetime) -> Removed:
    """Removes all under `prefix`, and of other visits what is older than an hour by the bucket's clock."""
    try:
        return await in_thread(lambda: _clear(inspector, prefix, bucket_now - OLD))
    except (Refused, BucketUnreachable) as exc:
        return Removed(failed=str(exc))


def _clear(inspector: BucketInspector, prefix: str, old_before: datetime) -> Removed:
    own = old = 0
    for _ in range(PASSES):
        found = [
            thing
            for thing in _things(inspector, DOCTOR_PREFIX)
            if thing.key.startswith(prefix) or thing.last_modified < old_before
        ]
        if not found:
            return Removed(own, old, failed=_hidden(inspector, prefix))
        for thing in found:
            _remove(inspector, thing)
        mine = sum(thing.key.startswith(prefix) for thing in found)
        own, old = max(own, mine), max(old, len(found) - mine)
    return Removed(own, old, left=sum(1 for _ in _things(inspector, prefix)))


def _hidden(inspector: BucketInspector, prefix: str) -> str:
    """Why older versions may lie there unseen; empty where there can be none."""
    try:
        inspector.versions(prefix)
    except Refused as exc:
        return f"older versions may still be there: they could not be listed ({exc})" if exc.status == FORBIDDEN else ""
    return ""


def _things(inspector: BucketInspector, prefix: str) -> Iterator[_Thing]:
    """Every version and, from stores that list no versions, every object."""
    versions = []
    with suppress(Refused):
        versions = list(inspector.versions(prefix))
    for version in versions:
        yield _Thing(version.key, version.version_id, version.last_modified)
    listed = {version.key for version in versions}
    for key, last_modified in inspector.keys(prefix).items():
        if key not in listed:
            yield _Thing(key, None, last_modified)


def _remove(inspector: BucketInspector, thing: _Thing) -> None:
    """What stays although it was removed is counted afterwards."""
    try:
        inspector.remove(thing.key, thing.version_id)
    except Refused:
        with suppress(Refused):  # a store that names versions in listings and does not know them elsewhere
            inspector.remove(thing.key)
