"""`manifest.json`: what a complete recording consists of, so that the bucket alone can tell what is missing of it.

Written after the commit that completed it, never inside: a bucket that is down must not keep a recording from being
complete. A recording without one is found again at every run.
"""

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, timedelta
from uuid import UUID

from control_plane.db.deployment import DeploymentStore
from control_plane.db.manifests import ManifestContent, ManifestStore
from control_plane.domain.bucket import Bucket, BucketUnreachable
from control_plane.domain.keys import manifest_key
from control_plane.services.deployment import DeploymentService, WrongBucket

# Each is a statement and a PUT: some seconds for all of them.
MANIFESTS_A_RUN = 200
# Where the bucket is slow, or recordings are long: what is left is the next run's.
RUN = timedelta(minutes=1)
# A bucket that refuses so many is down: the rest waits for the next run.
FAILURES_A_RUN = 3
# 55 MB, at 110 bytes a chunk. Longer recordings (a month of 5 s chunks) have totals and ranges only: keys tell the rest.
LISTED_CHUNKS = 500_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manifested:
    """What one run did: manifests written, failures, and how many complete recordings wait for theirs after it."""

    written: int
    failed: int
    waiting: int


class ManifestService:
    """Bounded, idempotent, safe to run twice at once: the same is written twice."""

    def __init__(
        self, manifests: ManifestStore, deployments: DeploymentStore, deployment: DeploymentService, bucket: Bucket
    ) -> None:
        self._manifests = manifests
        self._deployments = deployments
        self._deployment = deployment
        self._bucket = bucket

    async def run(self, *, within: timedelta = RUN) -> Manifested:
        """Writes the manifests of complete recordings that have none yet, for about so long."""
        ends_at = time.monotonic() + within.total_seconds()
        written = failed = 0
        for recording_id in await self._manifests.without(limit=MANIFESTS_A_RUN):
            try:
                written += await self._write(recording_id)
            except (BucketUnreachable, WrongBucket) as exc:
                failed += 1
                fields = {"recording_id": str(recording_id), "cause": str(exc)}
                _log.error("The manifest of a complete recording could not be written; it is tried again", extra=fields)
            if failed == FAILURES_A_RUN or time.monotonic() >= ends_at:
                break
        return Manifested(written, failed, await self._manifests.waiting())

    async def _write(self, recording_id: UUID) -> bool:
        """Whether it was written; False where the recording is no longer complete (it was deleted)."""
        await self._deployment.require(await self._deployments.id())
        content = await self._manifests.content(recording_id, listed=LISTED_CHUNKS)
        if content is None:
            return False
        body = manifest(content)
        await self._bucket.write(manifest_key(recording_id), body, content_type="application/json", overwrite=True)
        await self._manifests.written(recording_id)
        return True


def manifest(content: ManifestContent) -> bytes:
    """The content of `manifest.json`. `chunks` (rows of `columns`, times null where nobody told) are as the database wrote
    them, for there may be many; null where there are too many. `lost` are those that were accepted as lost.
    """
    told = {
        "version": 1,
        "id": str(content.id),
        "chunk_count": content.chunk_count,
        "total_bytes": content.total_bytes,
        "created_at": content.created_at.astimezone(UTC).isoformat(),
        "completed_at": content.completed_at.astimezone(UTC).isoformat(),
        "lost": content.lost,
        "columns": ["seq", "segment", "size", "sha256", "start_ms", "duration_ms"],
    }
    return f'{json.dumps(told)[:-1]}, "chunks": {content.chunks or "null"}}}'.encode()
