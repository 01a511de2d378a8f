"""Retention: recordings of a certain age are deleted by a setting. Off unless somebody sets it; open ones never go."""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from control_plane.db.retention import RetentionStore
from control_plane.domain.models import Retained, RetentionRules
from control_plane.services.deleting import DeletionService

# One run's share: a setting that is turned on after years must not fill the purge's queue at once.
DELETIONS_A_RUN = 500
# Listed together: a page of memory.
LISTED_TOGETHER = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """What one run began: deletions, and the bytes that owners have back."""

    recordings: int = 0
    freed_bytes: int = 0


class RetentionService:
    """Begins deletions with the cause `retention`; what follows is the same as for an owner's."""

    def __init__(self, retention: RetentionStore, deletions: DeletionService, *, rules: RetentionRules) -> None:
        self._retention = retention
        self._deletions = deletions
        self.rules = rules

    async def run(self) -> RetentionRun:
        """Deletes what is too old, the longest due first, at most some hundred recordings. Idempotent, safe to run twice."""
        begun = freed = 0
        async for due in self.due():
            # Revived, deleted by its owner, or taken by another run since it was listed: then it stays.
            if await self._deletions.retire(due.owner, due.id, self.rules):
                begun += 1
                freed += due.bytes
            if begun == DELETIONS_A_RUN:
                break
        if begun:
            _log.info("Recordings were deleted by retention", extra={"recordings": begun, "freed_bytes": freed})
        return RetentionRun(begun, freed)

    async def due(self) -> AsyncIterator[Retained]:
        """What would go now, the longest due first."""
        page: Sequence[Retained] = ()
        while page := await self._page(page[-1] if page else None):
            for due in page:
                yield due

    async def _page(self, after: Retained | None) -> Sequence[Retained]:
        if not self.rules.on:
            return ()
        return await self._retention.due(self.rules, after=after, limit=LISTED_TOGETHER)
