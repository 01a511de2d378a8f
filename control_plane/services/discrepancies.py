"""What becomes of findings: the first sighting is remembered, the second is healed from the bucket or opens a resend ticket."""

from collections.abc import Sequence

from control_plane.db.sweeps import SweepStore
from control_plane.domain.findings import Finding, Handled
from control_plane.services.healing import Healing, HealService
from control_plane.services.sweeping import Sweep


class DiscrepancyService:
    """Shared by confirm and audit sweeps, so that both judge by the same rules."""

    def __init__(self, sweeps: SweepStore, healing: HealService) -> None:
        self._sweeps = sweeps
        self._healing = healing

    async def handle(self, findings: Sequence[Finding], sweep: Sweep) -> Handled:
        """Records or escalates what a sweep found by HEAD.

        Two sweeps at once never make two sightings of one moment: only what was recorded before this sweep began
        counts as the first.
        """
        if not findings:
            return Handled()
        before = await self._sweeps.sighted_before(findings, sweep.started_at)
        again = [finding for finding in findings if _id(finding) in before]
        first = [finding for finding in findings if _id(finding) not in before]
        healing = await self._heal(again, sweep)
        if sweep.dry_run:
            return Handled(first_sightings=len(first), healed=healing.healed, would_open=len(healing.left))
        return Handled(
            first_sightings=await self._sweeps.record_sightings(first) if first else 0,
            healed=healing.healed,
            tickets=await self._sweeps.open_tickets(healing.left) if healing.left else (),
        )

    async def _heal(self, again: Sequence[Finding], sweep: Sweep) -> Healing:
        """The bucket first, then the recorder. What is beyond a sweep's share has its ticket at once, and is tried later."""
        share = again[: sweep.heals_left]
        if not share:
            return Healing(0, again)
        sweep.heals_left -= len(share)
        await sweep.require_right_bucket()
        healing = await self._healing.heal(share, dry_run=sweep.dry_run)
        return Healing(healing.healed, [*healing.left, *again[len(share) :]])


def _id(finding: Finding) -> tuple[object, int]:
    return finding.chunk.recording_id, finding.chunk.seq
