"""What becomes of findings: the first sighting is remembered, the second is healed from the bucket or opens a resend ticket."""

from collections.abc import Sequence

from control_plane.db.sweeps import SweepStore
from control_plane.domain.findings import Finding, Handled
from control_plane.domain.freezing import Evidence
from control_plane.domain.models import SweepKind
from control_plane.services.freezing import FreezeService
from control_plane.services.healing import Healing, HealService
from control_plane.services.sweeping import Sweep


class DiscrepancyService:
    """Shared by confirm and audit sweeps, so that both judge by the same rules."""

    def __init__(
        self, sweeps: SweepStore, healing: HealService, freezing: FreezeService, *, tickets_per_sweep: int
    ) -> None:
        """`tickets_per_sweep`: what one sweep finds beyond that is the next one's; it is not released meanwhile."""
        self._sweeps = sweeps
        self._healing = healing
        self._freezing = freezing
        self._tickets_per_sweep = tickets_per_sweep

    async def handle(self, findings: Sequence[Finding], sweep: Sweep) -> Handled:
        """Records or escalates what a sweep found by HEAD, and notes in `sweep` what became of it.

        Two sweeps at once never make two sightings of one moment: only what was recorded before this sweep began
        counts as the first. Where so much is missing that releases must stop, they stop before anything is written.
        """
        if not findings:
            return Handled()
        sweep.handled.append(handled := await self._handle(findings, sweep))
        return handled

    async def _handle(self, findings: Sequence[Finding], sweep: Sweep) -> Handled:
        before = await self._sweeps.sighted_before(findings, sweep.started_at)
        again = [finding for finding in findings if _id(finding) in before]
        first = [finding for finding in findings if _id(finding) not in before]
        freezes = await self._freezes(first, sweep)
        healing = await self._heal(again, sweep)
        due = healing.left[: self._tickets_per_sweep - sweep.tickets_due]
        sweep.tickets_due += len(due)
        left = len(healing.left) - len(due)
        if sweep.dry_run:
            return Handled(len(first), healing.healed, would_open=len(due), left=left, would_freeze=freezes)
        tickets = await self._sweeps.open_tickets(due) if due else ()
        opened = {(ticket.recording_id, ticket.seq) for ticket in tickets}
        # An ack has made the others void meanwhile. Its look may be the older one: what was seen stays a doubt.
        doubted = first + [finding for finding in due if _id(finding) not in opened]
        return Handled(
            first_sightings=await self._sweeps.record_sightings(doubted) if doubted else 0,
            healed=healing.healed,
            tickets=tickets,
            left=left,
        )

    async def _freezes(self, first: Sequence[Finding], sweep: Sweep) -> bool:
        """Whether so much is newly missing that releases stop, if they had not. That is for audits to judge, which look at
        everything: confirm sweeps look at what was acked just now, and is not released anyway.
        """
        if sweep.kind is not SweepKind.AUDIT or not first:
            return False
        sweep.newly_missing += len(first)
        return await self._freezing.weigh(Evidence(sweep.seen.looked_at, sweep.newly_missing), dry_run=sweep.dry_run)

    async def _heal(self, again: Sequence[Finding], sweep: Sweep) -> Healing:
        """The bucket first, then the recorder. What is beyond a sweep's share has its ticket at once, and is tried later."""
        share = again[: sweep.heals_left]
        if not share:
            return Healing(0, again)
        sweep.heals_left -= len(share)
        await sweep.require_right_bucket()
        healing = await self._healing.heal(share, sweep.require_right_bucket, dry_run=sweep.dry_run)
        return Healing(healing.healed, [*healing.left, *again[len(share) :]])


def _id(finding: Finding) -> tuple[object, int]:
    return finding.chunk.recording_id, finding.chunk.seq
