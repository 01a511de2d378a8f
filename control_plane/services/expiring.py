"""Time: grants that died unused free their reservation, idle recordings expire. Nothing that was acked is ever touched."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.db.expiry import ExpiryStore, Place

# Keeps one statement, and the time for which it locks its owners' rows, small.
GRANTS_TOGETHER = 1_000
RECORDINGS_TOGETHER = 500
# Of each a run ends at most so many together: a quarter of a million grants, a backlog that no run has time for.
PAGES_A_RUN = 250
# Shorter than the interval, so that what is newly dead waits for the next run, not for a backlog; each of the two gets it.
RUN_S = 4.0

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
        """Ends what is due by the database's clock. A recorder that returns revives its recording.

        Grants first: a recording with live ones is not idle.
        """
        grants, freed = await self._grants()
        return Expired(grants, freed, await self._recordings())

    async def _grants(self) -> tuple[int, int]:
        grants = freed = 0
        after: Place | None = None
        for _ in _pages():
            page = await self._expiry.expire_grants(after=after, limit=GRANTS_TOGETHER)
            grants, freed, after = grants + page.grants, freed + page.bytes, page.end
            if after is None:
                break
        return grants, freed

    async def _recordings(self) -> Sequence[UUID]:
        expired: list[UUID] = []
        for _ in _pages():
            page = await self._expiry.expire_recordings(limit=RECORDINGS_TOGETHER)
            expired += page
            for recording_id in page:
                _log.info("A recording was idle and has expired", extra={"recording_id": str(recording_id)})
            if len(page) < RECORDINGS_TOGETHER:
                break
        return expired


def _pages() -> Iterator[int]:
    """Counts on while there is time for another page."""
    end = asyncio.get_running_loop().time() + RUN_S
    for page in range(PAGES_A_RUN):
        if page and asyncio.get_running_loop().time() > end:
            return
        yield page
