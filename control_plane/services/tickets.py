"""Resend tickets to the end: lost only when nobody who is known to have had the chunk can send it any more, and loudly."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.tickets import TicketStore
from control_plane.domain.findings import OpenedTicket
from control_plane.domain.models import Beat
from control_plane.domain.tickets import AtRisk, ListedTicket, LostTicket, TicketFilter, lost_cause

# One run's share: a statement of some ten milliseconds. A million open tickets are gone through in an afternoon at one run a
# minute, and what ends them is counted in days.
JUDGED_A_RUN = 5_000
# What one beat may bring back: its tickets are served at a bounded rate anyway, and the next beat brings the rest.
REOPENED_A_BEAT = 1_000
# Enough for a person to see which recordings it is about; the event log has all.
SAMPLES = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TicketRun:
    """What one run did: tickets looked at, those that ended as lost, and missing chunks that had no ticket."""

    judged: int
    lost: Sequence[LostTicket]
    mended: int


class TicketService:
    """Ends tickets, reopens them, and tells of them."""

    def __init__(self, tickets: TicketStore, *, silent_after: timedelta) -> None:
        """`silent_after`: how long a recorder that holds a chunk is waited for."""
        self._tickets = tickets
        self._silent_after = silent_after

    async def run(self) -> TicketRun:
        """Judges open tickets, those not looked at for the longest first. Bounded, idempotent, safe to run twice at once."""
        mended = await self._tickets.mend(JUDGED_A_RUN)
        if mended:
            # A statement forgot it, or somebody changed the ledger by hand: mended, and worth a look.
            _log.error("Missing chunks had no ticket; they have one now", extra=_fields(mended))
        tickets, read_at = await self._tickets.to_judge(JUDGED_A_RUN)
        if read_at is None:
            return TicketRun(0, (), len(mended))
        causes = [(ticket, lost_cause(ticket, read_at, self._silent_after)) for ticket in tickets]
        over = [(ticket, cause) for ticket, cause in causes if cause is not None]
        lost = await self._tickets.lose(over, read_at) if over else ()
        if lost:
            _log.error("Chunks are lost: nobody is known to have them any more", extra=_fields(lost))
        await self._tickets.looked(tickets)
        return TicketRun(len(tickets), lost, len(mended))

    async def welcome_back(self, owner: str, beat: Beat) -> None:
        """Asks for lost chunks that this beat says are held after all."""
        if reopened := await self._tickets.reopen(owner, beat.recorder_id, beat.holding, REOPENED_A_BEAT):
            _log.warning("A recorder holds chunks that were lost; it is asked for them", extra=_fields(reopened))

    async def page(
        self, wanted: TicketFilter, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[ListedTicket]:
        """Tickets that were opened before `before`, the newest first."""
        return await self._tickets.page(wanted, before=before, limit=limit)

    async def at_risk(self, *, after: UUID | None, limit: int) -> Sequence[AtRisk]:
        """Recordings that the bucket does not hold whole, by id."""
        return await self._tickets.at_risk(after=after, limit=limit)


def _fields(tickets: Sequence[LostTicket] | Sequence[OpenedTicket]) -> dict[str, object]:
    return {
        "chunks": len(tickets),
        "samples": [f"{ticket.recording_id}/{ticket.seq}" for ticket in tickets[:SAMPLES]],
    }
