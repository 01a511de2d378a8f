"""`recording.json`: what the bucket alone must tell of a recording, so that the ledger can be rebuilt from it."""

import json
import logging
from dataclasses import replace
from datetime import UTC
from uuid import UUID

from control_plane.db.recordings import RecordingStore
from control_plane.domain.bucket import Bucket, BucketUnreachable, ObjectExists, ObjectTooLong
from control_plane.domain.errors import RecordingConflict, StorageUnavailable
from control_plane.domain.keys import recording_key, share_key
from control_plane.domain.models import Recording, ShareLink
from control_plane.domain.rebuilding import DESCRIPTION_LIMIT, Described, described, told_link

_log = logging.getLogger(__name__)


class DescriptionService:
    """Writes each recording's description before its first grant is answered."""

    def __init__(self, recordings: RecordingStore, bucket: Bucket) -> None:
        self._recordings = recordings
        self._bucket = bucket

    async def ensure(self, recording: Recording) -> None:
        """Returns once the bucket has the description. Raises `StorageUnavailable`: no grant without it.

        Raises `RecordingConflict` where the bucket has another owner's: this ledger has forgotten it.
        """
        if recording.described_at is not None:
            return
        try:
            await self._write_or_take(recording)
        except BucketUnreachable as exc:
            raise StorageUnavailable("The bucket does not take writes. Keep the chunks and ask again.") from exc
        await self._recordings.mark_described(recording.id)

    async def _write_or_take(self, recording: Recording) -> None:
        """Writes it, unless a readable one is there, from before the ledger was lost: that one holds."""
        try:
            await self._write(recording, overwrite=False)
        except ObjectExists:
            found = await described_in_bucket(self._bucket, recording.id)
            if found is None:
                await self.write(recording)
            elif found.owner != recording.owner:
                raise RecordingConflict("Choose another recording id: this one is taken.") from None
            else:
                await self._recordings.take_description(found)

    async def write(self, recording: Recording) -> None:
        """Writes it, over what is there. Raises `BucketUnreachable`."""
        await self._write(recording, overwrite=True)

    async def _write(self, recording: Recording, *, overwrite: bool) -> None:
        body = json.dumps(description(recording), ensure_ascii=False, sort_keys=True).encode()
        await self._bucket.write(
            recording_key(recording.id), body, content_type="application/json", overwrite=overwrite
        )


async def described_in_bucket(bucket: Bucket, recording_id: UUID) -> Described | None:
    """The recording as the bucket tells it, its link with it; None where it has no description that can be read.

    Raises `BucketUnreachable`.
    """
    try:
        body = await bucket.read(recording_key(recording_id), limit=DESCRIPTION_LIMIT)
    except ObjectTooLong:
        return None
    found = None if body is None else described(body, recording_id)
    return None if found is None else replace(found, link=await link_in_bucket(bucket, found.link, recording_id))


async def link_in_bucket(bucket: Bucket, made: ShareLink, recording_id: UUID) -> ShareLink:
    """The recording's link as its owner decided last: `made` where nothing was decided, and none where that cannot be read.

    Not to know whether something was revoked means that it was.
    """
    try:
        body = await bucket.read(share_key(recording_id), limit=DESCRIPTION_LIMIT)
        if body is None:
            return made
        if (told := told_link(body, recording_id)) is not None:
            return told
        cause = "It is nothing that we write."
    except (BucketUnreachable, ObjectTooLong) as exc:
        cause = str(exc)
    _log.error(
        "Whether a recording is shared cannot be read: it is not",
        extra={"recording_id": str(recording_id), "cause": cause},
    )
    return replace(made, shared=False, expires_at=None)


def description(recording: Recording) -> dict[str, object]:
    """The content of `recording.json`: everything of the row that a chunk's key does not tell."""
    return {
        "version": 1,
        "id": str(recording.id),
        "owner": recording.owner,
        "recorder_id": str(recording.recorder_id),
        "source": recording.source.value,
        "mime_type": recording.mime_type,
        "title": recording.title,
        "expected_bytes": recording.expected_bytes,
        "share_id": recording.link.share_id,
        "created_at": recording.created_at.astimezone(UTC).isoformat(),
    }
