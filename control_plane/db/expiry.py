"""The store of what time ends: unused grants, idle recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.db.database import Database


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of dead grants ended, in the order in which they died."""

    expires_at: datetime
    recording_id: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class DeadGrants:
    """A page of dead grants: how many and how many bytes were freed, and where it ended (None: it was the last page)."""

    grants: int
    bytes: int
    end: Place | None


class ExpiryStore:
    """Statements that are bounded and may run anywhere, twice at once too. They pass over what somebody has locked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire_grants(self, *, after: Place | None, limit: int) -> DeadGrants:
        """Frees what dead grants had reserved, those that died after `after` did. Their rows stay."""
        row = await self._database.row(
            "grants_expire",
            {
                "after_expires_at": after and after.expires_at,
                "after_recording_id": after and after.recording_id,
                "after_seq": after and after.seq,
                "limit": limit,
            },
        )
        assert row is not None, "an aggregate without grouping answers one row"
        end = Place(row["expires_at"], row["recording_id"], row["seq"]) if row["looked_at"] == limit else None
        return DeadGrants(row["grants"], row["bytes"], end)

    async def expire_recordings(self, *, limit: int) -> Sequence[UUID]:
        """Makes idle recordings without live grants `expired`; answers which."""
        return [row["id"] for row in await self._database.rows("recordings_expire", {"limit": limit})]
