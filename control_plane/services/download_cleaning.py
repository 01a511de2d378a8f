"""What downloads leave behind: files whose time is over are removed, and so is all that was made of those that came to nothing.

Only below the download's own prefix, which holds nothing but what was made of chunks. Bounded, idempotent, safe to run twice.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from control_plane.db.deployment import DeploymentStore
from control_plane.db.downloads import DownloadStore, Unclean
from control_plane.domain.assembly import prefix_of
from control_plane.domain.bucket import Bucket, BucketUnreachable
from control_plane.services.deployment import DeploymentService, WrongBucket
from control_plane.services.emptying import removable_pages, removed_together

# One run's share; removal is slow, and nobody waits for it.
CLEANED_A_RUN = 50
TOGETHER = 500
# Longer than it takes to remove one; and the wait before one that could not be is tried again.
LEASE = timedelta(minutes=1)
# How long a download is told of after it came to an end.
KEEP = timedelta(days=7)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What one run did: downloads that expired, those of which nothing is left now, those that failed, and rows forgotten."""

    expired: int
    cleaned: int
    failed: int
    forgotten: int


class DownloadCleaning:
    """Expires, removes and forgets."""

    def __init__(
        self, downloads: DownloadStore, deployments: DeploymentStore, deployment: DeploymentService, bucket: Bucket
    ) -> None:
        self._downloads = downloads
        self._deployments = deployments
        self._deployment = deployment
        self._bucket = bucket

    async def run(self) -> Cleaned:
        """One bounded run. A failure is logged and tried again later; it stops nobody else's."""
        expired = await self._downloads.expire(limit=TOGETHER)
        cleaned = failed = 0
        while cleaned + failed < CLEANED_A_RUN:
            unclean = await self._downloads.to_clean(lease=LEASE)
            if unclean is None:
                break
            try:
                await self._clean(unclean)
                cleaned += 1
            except (BucketUnreachable, WrongBucket) as exc:
                failed += 1
                fields = {"download_id": str(unclean.id), "cause": str(exc)}
                _log.warning("A download could not be removed from the bucket; it is tried again", extra=fields)
        return Cleaned(expired, cleaned, failed, await self._downloads.forget(KEEP, limit=TOGETHER))

    async def _clean(self, unclean: Unclean) -> None:
        """Ends its uploads, then removes its files. Raises `BucketUnreachable`, `WrongBucket`."""
        await self._deployment.require(await self._deployments.id())
        uploads = [(unclean.object_key, unclean.upload_id)]
        uploads += [(file.key, file.upload_id) for file in await self._downloads.files_of(unclean.id)]
        for key, upload_id in uploads:
            if key and upload_id:
                await self._bucket.abort_upload(key, upload_id)
        async for page in removable_pages(self._bucket, prefix_of(unclean.id, unclean.recording_ids), _say_hidden):
            for portion in removed_together(page):
                refused = await self._bucket.remove(portion)
                if refused:
                    raise BucketUnreachable(
                        f"{len(refused)} versions were not removed, the first for {refused[0].code}"
                    )
        await self._downloads.cleaned(unclean.id)


def _say_hidden(cause: str) -> None:
    _log.warning("Older versions of a download's files may be left in the bucket", extra={"cause": cause})
