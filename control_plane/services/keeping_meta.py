"""What lies beside the chunks is kept as well: the descriptions and manifests from which a lost ledger would be made anew.

An audit that misses one of them has it written again: a lifecycle rule or a colleague may have removed it, or the bucket was
emptied and recorders are refilling it.
"""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from control_plane.db.recordings import RecordingStore
from control_plane.domain.bucket import Bucket
from control_plane.domain.keys import (
    META_PREFIX,
    SHARDS,
    manifest_key,
    meta_shard_prefix,
    recording_key,
    share_key,
)
from control_plane.services.at_once import at_once
from control_plane.services.describing import DescriptionService
from control_plane.services.sharing import SharingService
from control_plane.services.sweeping import Sweep

# Each is a small PUT: some seconds. More are the next audit's.
WRITTEN_PER_UNIT = 1_000

_log = logging.getLogger(__name__)


class MetaKeeper:
    """Compares `meta/recordings/` with the ledger."""

    def __init__(
        self,
        recordings: RecordingStore,
        descriptions: DescriptionService,
        sharing: SharingService,
        bucket: Bucket,
        *,
        settle: timedelta,
    ) -> None:
        self._recordings = recordings
        self._sharing = sharing
        self._descriptions = descriptions
        self._bucket = bucket
        self._settle = settle

    async def keep(self, sweep: Sweep, first_shard: int, last_shard: int) -> None:
        """Has what is missing written again (in a dry run: only counts it). Raises `BucketUnreachable`, `WrongBucket`."""
        expected = await self._recordings.described(first_shard, last_shard, settle=self._settle)
        if not expected:
            return
        listed = {key async for key in self._listed(first_shard, last_shard)}
        undescribed = [each.recording_id for each in expected if recording_key(each.recording_id) not in listed]
        unlisted = [
            each.recording_id for each in expected if each.manifested and manifest_key(each.recording_id) not in listed
        ]
        links = [
            each.recording_id for each in expected if each.share_told and share_key(each.recording_id) not in listed
        ]
        sweep.seen.meta_missing += len(undescribed) + len(unlisted) + len(links)
        if sweep.dry_run or not (undescribed or unlisted or links):
            return
        await sweep.require_right_bucket()
        await self._recordings.forget_manifests(unlisted)  # the job that writes them does
        await at_once(self._sharing.write_again, links[:WRITTEN_PER_UNIT])
        await self._describe(undescribed[:WRITTEN_PER_UNIT])
        fields = {"descriptions": len(undescribed), "manifests": len(unlisted), "links": len(links)}
        _log.warning("Descriptions, links or manifests were missing in the bucket and are written again", extra=fields)

    async def _listed(self, first_shard: int, last_shard: int) -> AsyncIterator[str]:
        everything = (first_shard, last_shard) == (0, SHARDS - 1)
        shards = range(first_shard, last_shard + 1)
        for prefix in [META_PREFIX] if everything else [meta_shard_prefix(shard) for shard in shards]:
            async for page in self._bucket.list_pages(prefix):
                for listed in page:
                    yield listed.key

    async def _describe(self, recording_ids: list[UUID]) -> None:
        """Not those that were deleted meanwhile; what is written in that moment, the purge finds."""
        await at_once(self._descriptions.write, await self._recordings.alive(recording_ids))
