"""Deletion: committed first, with everything it frees; only then does anybody touch the bucket."""

import logging
from datetime import timedelta
from uuid import UUID

from control_plane.db.deletion import DeletionStore, LockedForDeletion
from control_plane.domain.errors import RecordingUnknown
from control_plane.domain.models import DeleteCause, Recording, RetentionRules

# Whether a URL has expired is asked when a PUT begins: 128 MiB on a line of 300 kbit/s take an hour.
LATE_PUT = timedelta(hours=1)
# What the control plane itself may be writing of a recording (its description, its manifest): no such call takes longer.
OWN_WRITES = timedelta(minutes=2)

_log = logging.getLogger(__name__)


class DeletionService:
    """Begins deletions. From its commit on nothing is granted, acked or read, and the quota is free."""

    def __init__(self, deletions: DeletionStore, *, grant_ttl: timedelta) -> None:
        self._deletions = deletions
        self._grant_ttl = grant_ttl

    async def delete(self, owner: str, recording_id: UUID) -> Recording:
        """The recording, `deleting` (or `deleted`, where that was long ago). Raises `RecordingUnknown`."""
        async with self._deletions.locked(owner, recording_id) as locked:
            if locked is None:
                raise RecordingUnknown("There is no such recording among yours.")
            if locked.recording.deleted:
                return locked.recording
            return await self._begin(locked, DeleteCause.OWNER)

    async def retire(self, owner: str, recording_id: UUID, rules: RetentionRules) -> bool:
        """Deletes the recording where it is too old by these rules at this moment; whether it was."""
        async with self._deletions.locked_if_due(owner, recording_id, rules) as locked:
            if locked is None:
                return False
            await self._begin(locked, DeleteCause.RETENTION)
            return True

    async def _begin(self, locked: LockedForDeletion, cause: DeleteCause) -> Recording:
        begun = await locked.begin(cause, grant_ttl=self._grant_ttl, late_put=LATE_PUT, own_writes=OWN_WRITES)
        fields = {"recording_id": str(begun.id), "was": locked.recording.state.value, "cause": cause.value}
        _log.info("A recording is being deleted", extra=fields)
        return begun
