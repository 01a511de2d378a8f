"""The store of what retention settings say is too old."""

from collections.abc import Sequence

from control_plane.db.database import Database
from control_plane.domain.models import RecordingState, Retained, RetentionRules


class RetentionStore:
    """Reads of `recordings` by state and age."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, rules: RetentionRules, *, after: Retained | None, limit: int) -> Sequence[Retained]:
        """Recordings that are too old by the database's clock, the oldest first, those after `after`."""
        params = {
            "complete": rules.complete,
            "expired": rules.expired,
            "after_since": after and after.since,
            "after_id": after and after.id,
            "limit": limit,
        }
        return [
            Retained(row["id"], row["owner"], RecordingState(row["state"]), row["since"], row["age"], row["bytes"])
            for row in await self._database.rows("retention_due", params)
        ]
