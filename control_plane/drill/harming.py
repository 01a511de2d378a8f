"""The harm: what careless hands, rules and stores do to objects. To the drill's own alone."""

import os

from control_plane.domain.bucket import Bucket, ObjectVersion, VersionsHidden
from control_plane.drill.cases import Case


async def harm(case: Case, bucket: Bucket, key: str, size: int) -> None:
    """Does to the object under `key` what the case says. Raises `BucketUnreachable`."""
    match case:
        case Case.PURGED:
            await _remove_versions(bucket, key, kept=0)
        case Case.CORRUPTED:
            await _write_over(bucket, key, size)
            await _remove_versions(bucket, key, kept=1)
        case Case.OVERWRITTEN:
            await _write_over(bucket, key, size)
        case Case.TRUNCATED:
            await _write_over(bucket, key, size // 2)
            await _remove_versions(bucket, key, kept=1)
        case Case.HIDDEN:
            await bucket.remove([ObjectVersion(key, None)])
        case Case.UNACKED:
            pass  # it was done by leaving something out


async def _write_over(bucket: Bucket, key: str, size: int) -> None:
    await bucket.write(key, os.urandom(size), content_type="video/webm", overwrite=True)


async def _remove_versions(bucket: Bucket, key: str, *, kept: int) -> None:
    """All but the newest `kept`."""
    try:
        versions = [ObjectVersion(key, version.version_id) for version in await bucket.history(key)]
    except VersionsHidden:
        versions = [ObjectVersion(key, None)]
    if doomed := versions[kept:]:
        await bucket.remove(doomed)
