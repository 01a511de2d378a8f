"""Time: grants that died unused free their reservation, idle recordings expire. Nothing that was acked is ever touched."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.db.expiry import ExpiryStore

# Keeps one statement, and the locks it holds, small; what is left is the next run's.
GRANTS_A_RUN = 5_000
RECORDINGS_A_RUN = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one run ended: how many unused grants of how many bytes, and which recordings."""

    grants: int
    freed_bytes: int
    recordings: Sequence[UUID]


class ExpiryService:
    """Bounded, idempotent, safe to run twice at once."""

    def __init__(self, expiry: ExpiryStore) -> None:
        self._expiry = expiry

    async def run(self) -> Expired:
        """Ends what is due by the database's clock. A recorder that returns revives its recording."""
        grants, freed = await self._expiry.expire_grants(limit=GRANTS_A_RUN)
        recordings = await self._expiry.expire_recordings(limit=RECORDINGS_A_RUN)
        for recording_id in recordings:
            _log.info("A recording was idle and has expired", extra={"recording_id": str(recording_id)})
        return Expired(grants, freed, recordings)
