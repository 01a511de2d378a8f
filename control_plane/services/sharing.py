"""Links as owners decide on them: on, until when, off for ever. The bucket is told first, so that a lost ledger keeps to it.

A recording's link works from its start. What is decided later lies in `share.json` beside its description: written before the
row, and before the answer; who hears no answer asks again. One at a time decides on a recording, so that both get the same order.
"""

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from control_plane.db.recordings import RecordingStore
from control_plane.db.sharing import LockedLink, ShareStore
from control_plane.domain.bucket import Bucket, BucketUnreachable
from control_plane.domain.errors import ShareExpiryPast, StorageUnavailable
from control_plane.domain.keys import share_key
from control_plane.domain.models import Recording, ShareLink
from control_plane.domain.rebuilding import share_document
from control_plane.services.describing import DescriptionService, link_in_bucket
from control_plane.services.recordings import SHARE_ID_BYTES, require_alive

_log = logging.getLogger(__name__)


class SharingService:
    """Turns links on and off."""

    def __init__(
        self, shares: ShareStore, recordings: RecordingStore, descriptions: DescriptionService, bucket: Bucket
    ) -> None:
        self._shares = shares
        self._recordings = recordings
        self._descriptions = descriptions
        self._bucket = bucket

    async def share(self, owner: str, recording_id: UUID, expires_at: datetime | None) -> Recording:
        """The recording, whose link works until then. A link that was revoked stays so: there is a new one instead.

        Raises `RecordingUnknown`, `RecordingDeleted`, `ShareExpiryPast`, `StorageUnavailable`.
        """

        def wanted(link: ShareLink) -> ShareLink:
            share_id = link.share_id if link.shared else secrets.token_urlsafe(SHARE_ID_BYTES)
            return ShareLink(share_id, shared=True, expires_at=expires_at)

        return await self._decide(owner, recording_id, expires_at, wanted)

    async def revoke(self, owner: str, recording_id: UUID) -> Recording:
        """The recording, whose link never works again. Raises `RecordingUnknown`, `RecordingDeleted`, `StorageUnavailable`."""
        return await self._decide(owner, recording_id, None, lambda link: replace(link, shared=False, expires_at=None))

    async def write_again(self, recording_id: UUID) -> None:
        """Writes what the ledger knows over what the bucket has (or has no more). Raises `BucketUnreachable`."""
        async with self._shares.locked(recording_id) as locked:
            if (recording := await locked.any()) is not None:
                await self._tell(recording.id, recording.link)

    async def take(self, recording_id: UUID) -> None:
        """Has the ledger keep to what lies in the bucket: the ledger may be an older backup's."""
        async with self._shares.locked(recording_id) as locked:
            recording = await locked.any()
            if recording is None:
                return
            await locked.set(await link_in_bucket(self._bucket, recording.link, recording.id))

    async def _decide(
        self, owner: str, recording_id: UUID, expires_at: datetime | None, wanted: Callable[[ShareLink], ShareLink]
    ) -> Recording:
        # Of a recording without a description nothing is taken up, so nothing would be known of its link.
        await self._descriptions.ensure(require_alive(await self._recordings.get(owner, recording_id)))
        async with self._shares.locked(recording_id) as locked:
            found, is_past = await locked.judge(owner, expires_at)
            recording = require_alive(found)
            if is_past:
                raise ShareExpiryPast("Name a time to come, or null for no end. To end it now, revoke it.")
            return await self._settle(locked, recording, wanted(recording.link))

    async def _settle(self, locked: LockedLink, recording: Recording, link: ShareLink) -> Recording:
        try:
            await self._tell(recording.id, link)
        except BucketUnreachable as exc:
            raise StorageUnavailable("The bucket does not take writes. Nothing is changed so far: ask again.") from exc
        settled = require_alive(await locked.set(link) or await locked.any())
        if link.shared != recording.link.shared:
            words = "A recording is shared again" if link.shared else "A recording is not shared any more"
            _log.info(words, extra={"recording_id": str(recording.id)})
        return settled

    async def _tell(self, recording_id: UUID, link: ShareLink) -> None:
        body = json.dumps(share_document(recording_id, link), sort_keys=True).encode()
        await self._bucket.write(share_key(recording_id), body, content_type="application/json", overwrite=True)
