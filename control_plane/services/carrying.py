"""What a worker does with a sweep that it took from the queue."""

from control_plane.domain.findings import SweepReport
from control_plane.domain.models import SweepKind
from control_plane.domain.work import SweepWork
from control_plane.services.auditing import AuditService
from control_plane.services.confirming import ConfirmService
from control_plane.services.fixity import FixityService


class CarryService:
    """Runs sweeps as they are described."""

    def __init__(self, confirm: ConfirmService, audit: AuditService, fixity: FixityService) -> None:
        self._confirm = confirm
        self._audit = audit
        self._fixity = fixity

    async def carry_out(self, work: SweepWork) -> SweepReport:
        """Runs it; its report is stored."""
        if work.kind is SweepKind.FIXITY:
            return await self._fixity.run(dry_run=work.dry_run, sweep_id=work.sweep_id)
        service = self._confirm if work.kind is SweepKind.CONFIRM else self._audit
        return await service.run(dry_run=work.dry_run, shards=work.shards, sweep_id=work.sweep_id)
