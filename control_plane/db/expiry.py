"""The store of what time ends: unused grants, idle recordings."""

from collections.abc import Sequence
from uuid import UUID

from control_plane.db.database import Database


class ExpiryStore:
    """Statements that are bounded and may run anywhere, twice at once too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire_grants(self, *, limit: int) -> tuple[int, int]:
        """Frees what dead grants had reserved: how many they were, and their bytes. Their rows stay."""
        row = await self._database.row("grants_expire", {"limit": limit})
        assert row is not None, "an aggregate without grouping answers one row"
        return row["grants"], row["bytes"]

    async def expire_recordings(self, *, limit: int) -> Sequence[UUID]:
        """Makes idle recordings `expired`, with what was reserved for them freed; answers which."""
        return [row["id"] for row in await self._database.rows("recordings_expire", {"limit": limit})]
