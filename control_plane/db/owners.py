"""The store of owners: what each has of its quota."""

from collections.abc import Sequence
from datetime import timedelta

from control_plane.db.database import Database, Row
from control_plane.domain.models import OwnerUsage, Recount, Usage


class OwnerStore:
    """Rows of `owners`. The counters themselves change with grants, acks, expiry and deletion, in their statements."""

    def __init__(self, database: Database, *, quota: int | None) -> None:
        """`quota`: the limit of owners that have none of their own, in bytes; None is no limit."""
        self._database = database
        self._quota = quota

    async def usage(self, owner: str) -> Usage:
        """What the owner has of its quota: nothing yet for one who has not recorded."""
        row = await self._database.row("owner_usage", {"owner": owner, "default_limit": self._quota})
        return Usage(self._quota, 0, 0) if row is None else _usage_of(row)

    async def set_limit(self, owner: str, limit: int | None) -> OwnerUsage:
        """Gives the owner a limit of its own in bytes, or (None) that of everybody."""
        params = {"owner": owner, "limit_bytes": limit, "default_limit": self._quota}
        row = await self._database.row("owner_set_limit", params)
        assert row is not None, "an upsert without a condition returns its row"
        return _owner_of(row)

    async def page(self, *, after: str | None, limit: int) -> Sequence[OwnerUsage]:
        """Owners by id, those after `after`."""
        params = {"after": after, "limit": limit, "default_limit": self._quota}
        return [_owner_of(row) for row in await self._database.rows("owners_page", params)]

    async def due(self, *, every: timedelta, limit: int) -> Sequence[str]:
        """Owners whose counters were not compared with the ledger for `every`, the longest first."""
        return [row["id"] for row in await self._database.rows("owners_due", {"every": every, "limit": limit})]

    async def recount(self, owner: str) -> Recount:
        """Makes the counters anew from the ledger; answers by how much they were off."""
        _, rows = await self._database.together(
            ("owners_lock", {"owners": [owner]}), ("owner_recount", {"owner": owner})
        )
        if not rows:
            return Recount(owner, 0, 0, 0)
        return Recount(owner, rows[0]["used_off"], rows[0]["reserved_off"], rows[0]["chunks_off"])


def _usage_of(row: Row) -> Usage:
    return Usage(row["limit_bytes"], row["used_bytes"], row["reserved_bytes"])


def _owner_of(row: Row) -> OwnerUsage:
    return OwnerUsage(
        owner=row["id"],
        usage=_usage_of(row),
        live_grants=row["reserved_chunks"],
        own_limit=row["own_limit"],
        recounted_at=row["recounted_at"],
        drift=row["drift_bytes"],
        drift_grants=row["drift_chunks"],
        drifted_times=row["drifted_times"],
    )
