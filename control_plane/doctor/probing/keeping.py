"""Overwrites, deletes and removes an object of its own, and reads how the bucket is set up."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from control_plane.bucket.inspecting import BucketInspector, Refused, StoredVersion
from control_plane.doctor.judging.keeping import Unread, VersionsSeen
from control_plane.doctor.probing.visit import Visit, in_thread
from control_plane.doctor.seen import done
from control_plane.domain.bucket import BucketUnreachable

Result = TypeVar("Result")


async def versions(visit: Visit) -> VersionsSeen:
    """The life of one object: written, overwritten, deleted, removed."""
    key, first, second = visit.key("versions"), visit.body("versions first"), visit.body("versions second")
    configured = await _configured(visit.inspector.versioning)
    for body in (first, second):
        await visit.asker.ask(visit.inside.put(key, body, overwrite=True))
    failed, overwritten, readable = "", list[StoredVersion](), False
    try:
        overwritten = await _of_key(visit.inspector, key)
        readable = await in_thread(lambda: _any_reads(visit.inspector, overwritten, first))
    except (Refused, BucketUnreachable) as exc:
        failed = f"versions could not be listed or read: {exc}"
    delete = await visit.asker.ask(visit.inside.delete(key))
    deleted, left = list[StoredVersion](), 0
    if failed:
        left = int(done(await visit.stored(key)))
    else:
        try:
            deleted = await _of_key(visit.inspector, key)
            await in_thread(lambda: _remove(visit.inspector, deleted))
            left = len(await _of_key(visit.inspector, key))
        except (Refused, BucketUnreachable) as exc:
            left, failed = len(deleted), f"versions could not be listed or removed: {exc}"
    return VersionsSeen(
        configured=configured,
        older_readable=readable,
        versions_after_overwrite=sum(not version.is_marker for version in overwritten),
        delete=delete,
        marker=any(version.is_marker for version in deleted),
        versions_after_delete=sum(not version.is_marker for version in deleted),
        left=left,
        failed=failed,
    )


async def lifecycle(visit: Visit) -> Sequence[Mapping[str, Any]] | Unread:
    """The bucket's rules."""
    return await _configured(visit.inspector.lifecycle_rules)


async def lock(visit: Visit) -> str | Unread | None:
    """The bucket's default retention."""
    return await _configured(visit.inspector.default_retention)


async def _configured(read: Callable[[], Result]) -> Result | Unread:
    try:
        return await in_thread(read)
    except Refused as exc:
        return Unread(exc.status, str(exc))
    except BucketUnreachable as exc:
        return Unread(0, str(exc))


async def _of_key(inspector: BucketInspector, key: str) -> list[StoredVersion]:
    found = await in_thread(lambda: inspector.versions(key))
    return [version for version in found if version.key == key]


def _any_reads(inspector: BucketInspector, versions: Sequence[StoredVersion], body: bytes) -> bool:
    kept = [version for version in versions if not version.is_marker]
    return len(kept) > 1 and any(inspector.read_version(version.key, version.version_id) == body for version in kept)


def _remove(inspector: BucketInspector, versions: Sequence[StoredVersion]) -> None:
    for version in versions:
        inspector.remove(version.key, version.version_id)
