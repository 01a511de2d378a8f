"""`recording.json`: what the bucket alone must tell of a recording, so that the ledger can be rebuilt from it."""

import json
from datetime import UTC

from control_plane.db.recordings import RecordingStore
from control_plane.domain.bucket import Bucket, BucketUnreachable, ObjectExists, ObjectTooLong
from control_plane.domain.errors import RecordingConflict, StorageUnavailable
from control_plane.domain.keys import recording_key
from control_plane.domain.models import Recording
from control_plane.domain.rebuilding import DESCRIPTION_LIMIT, Described, described


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
            found = await self._found(recording)
            if found is None:
                await self.write(recording)
            elif found.owner != recording.owner:
                raise RecordingConflict("Choose another recording id: this one is taken.") from None
            else:
                await self._recordings.take_description(found)

    async def _found(self, recording: Recording) -> Described | None:
        try:
            body = await self._bucket.read(recording_key(recording.id), limit=DESCRIPTION_LIMIT)
        except ObjectTooLong:
            return None
        return None if body is None else described(body, recording.id)

    async def write(self, recording: Recording) -> None:
        """Writes it, over what is there. Raises `BucketUnreachable`."""
        await self._write(recording, overwrite=True)

    async def _write(self, recording: Recording, *, overwrite: bool) -> None:
        body = json.dumps(description(recording), ensure_ascii=False, sort_keys=True).encode()
        await self._bucket.write(
            recording_key(recording.id), body, content_type="application/json", overwrite=overwrite
        )


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
        "share_id": recording.share_id,
        "created_at": recording.created_at.astimezone(UTC).isoformat(),
    }
