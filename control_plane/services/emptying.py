"""Everything under a prefix, as what has to be removed for good: every version, or what a store lets us see."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from control_plane.domain.bucket import Bucket, ObjectVersion, VersionsHidden

# What a bucket takes at once (see `Bucket.remove`).
REMOVED_TOGETHER = 500


async def removable_pages(
    bucket: Bucket, prefix: str, hidden: Callable[[str], None]
) -> AsyncIterator[Sequence[ObjectVersion]]:
    """Pages of what is to be removed. Where the store hides versions: of what a plain listing shows, and `hidden` is told why,
    unless the bucket keeps none.
    """
    try:
        async for page in bucket.version_pages(prefix):
            yield page
    except VersionsHidden as exc:
        async for listed in bucket.list_pages(prefix):
            yield [ObjectVersion(item.key, None) for item in listed]
        if await bucket.keeps_versions() is not False:
            hidden(str(exc))


def removed_together(page: Sequence[ObjectVersion]) -> Iterator[Sequence[ObjectVersion]]:
    """The page in portions that a bucket takes."""
    for first in range(0, len(page), REMOVED_TOGETHER):
        yield page[first : first + REMOVED_TOGETHER]
