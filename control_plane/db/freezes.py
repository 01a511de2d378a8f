"""The store of freezes: since when releases are stopped, and what audits saw of late."""

from collections.abc import Mapping
from datetime import timedelta

from psycopg.types.json import Jsonb

from control_plane.db.database import Database, Row
from control_plane.domain.freezing import Evidence, Freeze, FreezeCause, ThawedBy, Unknown
from control_plane.domain.keys import SHARDS


class FreezeStore:
    """Rows of `freezes`, and sums over the reports of audits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> Freeze | None:
        """The freeze that is in force."""
        row = await self._database.row("freeze_now", {})
        return _freeze_of(row) if row else None

    async def begin(self, cause: FreezeCause, detail: Mapping[str, object]) -> Freeze | None:
        """Stops releases; None where they were stopped already."""
        row = await self._database.row("freeze_begin", {"cause": cause, "detail": Jsonb(detail)})
        return _freeze_of(row) if row else None

    async def doubt(self) -> None:
        """What was confirmed until now is released only once it was seen in the bucket again."""
        await self._database.execute("deployment_doubt", {})

    async def end(self, by: ThawedBy, *, unknown: int) -> Freeze | None:
        """Lets releases go on, with so many unknown keys in the bucket; None where they were not stopped."""
        row = await self._database.row("freeze_end", {"thawed_by": by, "unknown": unknown})
        return _freeze_of(row) if row else None

    async def seen(self, window: timedelta) -> Evidence:
        """What audits looked at, and found for the first time, within `window` and since the last thaw."""
        row = await self._database.row("freeze_evidence", {"window": window})
        assert row is not None, "sums have a row"
        return Evidence(**row)

    async def acked(self) -> int:
        """How many chunks the bucket should hold: all of them are counted, so only where it matters."""
        row = await self._database.row("ledger_acked", {})
        assert row is not None, "a count answers one row"
        chunks: int = row["chunks"]
        return chunks

    async def unknown(self, window: timedelta) -> Unknown:
        """Keys that the ledger does not know, as the latest audits within `window` counted them."""
        row = await self._database.row("freeze_unknown", {"window": window})
        assert row is not None, "sums have a row"
        return Unknown(**row)

    async def all_covered(self) -> bool:
        """Whether audits went through the whole bucket since the freeze and since one of them found something new."""
        row = await self._database.row("freeze_covered", {})
        covered = row["shards"] if row else None
        return covered is not None and sum(span.upper - span.lower for span in covered) == SHARDS


def _freeze_of(row: Row) -> Freeze:
    return Freeze(row["frozen_at"], FreezeCause(row["cause"]), row["detail"])
