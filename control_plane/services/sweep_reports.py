"""Reports of sweeps, for administrators: what ran, what it found, who ran it; and how far the audit is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.work import WorkStore
from control_plane.domain.errors import SweepUnknown
from control_plane.domain.models import SweepKind
from control_plane.domain.work import AuditRound, Distrust, StoredSweep, SweepStanding


class SweepReportService:
    """Reads reports, and forgets old ones."""

    def __init__(self, work: WorkStore, *, keep: timedelta) -> None:
        self._work = work
        self._keep = keep

    async def page(
        self, *, kind: SweepKind | None, outcome: SweepStanding | None, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[StoredSweep]:
        """Sweeps, newest first; an outcome `waiting` is of those that were asked for and have not run yet."""
        return await self._work.page(kind=kind, outcome=outcome, before=before, limit=limit)

    async def read(self, sweep_id: UUID) -> StoredSweep:
        """One sweep. Raises `SweepUnknown`."""
        found = await self._work.sweep(sweep_id)
        if found is None:
            raise SweepUnknown("No sweep has this id, or its report is older than reports are kept.")
        return found

    async def distrust(self) -> Distrust | None:
        """Since when and why sweeps decide nothing; None where the latest did."""
        return await self._work.distrust()

    async def newest_round(self) -> AuditRound | None:
        """The round of the audit that runs, or else the last one."""
        return await self._work.newest_round()

    async def forget(self) -> int:
        """Deletes some of the oldest reports; how many."""
        return await self._work.forget(self._keep)
