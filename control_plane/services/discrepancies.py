"""What becomes of findings: the first sighting is remembered, the second opens a resend ticket."""

from collections.abc import Sequence
from datetime import datetime

from control_plane.db.sweeps import SweepStore
from control_plane.domain.findings import Finding, Handled


class DiscrepancyService:
    """Shared by confirm and audit sweeps, so that both judge by the same rules."""

    def __init__(self, sweeps: SweepStore) -> None:
        self._sweeps = sweeps

    async def handle(self, findings: Sequence[Finding], started_at: datetime, *, dry_run: bool) -> Handled:
        """Records or escalates what a sweep that began at `started_at` found by HEAD.

        Two sweeps at once never make two sightings of one moment: only what was recorded before this sweep began
        counts as the first.
        """
        if not findings:
            return Handled()
        before = await self._sweeps.sighted_before(findings, started_at)
        again = [finding for finding in findings if _id(finding) in before]
        first = [finding for finding in findings if _id(finding) not in before]
        if dry_run:
            return Handled(first_sightings=len(first), would_open=len(again))
        return Handled(
            first_sightings=await self._sweeps.record_sightings(first) if first else 0,
            tickets=await self._sweeps.open_tickets(again) if again else (),
        )


def _id(finding: Finding) -> tuple[object, int]:
    return finding.chunk.recording_id, finding.chunk.seq
