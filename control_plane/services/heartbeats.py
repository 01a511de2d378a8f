"""Heartbeats: what a recorder holds comes in; tickets to serve and chunks to release go out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.heartbeats import HeartbeatStore
from control_plane.domain.bucket import PresignedRequest, Presigner
from control_plane.domain.limits import MAX_FROZEN_TICKETS, MAX_RELEASES, MAX_TICKETS
from control_plane.domain.models import DELETED, Beat, Chunk, Permit, Release, Ticket, Verdict
from control_plane.services.granting import put_for
from control_plane.services.tickets import TicketService


@dataclass(frozen=True, slots=True)
class ServedTicket:
    """A ticket as delivered: with a fresh grant."""

    id: UUID
    recording_id: UUID
    seq: int
    sha256: str
    reason: Verdict
    put: PresignedRequest
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BeatAnswer:
    """The answer to one heartbeat, of recordings held: `discard` were deleted, `unknown` this owner does not have here."""

    counter: int
    server_time: datetime
    tickets: Sequence[ServedTicket]
    releases: Sequence[Release]
    discard: Sequence[UUID]
    unknown: Sequence[UUID]


class HeartbeatService:
    """Answers beats. Nothing is remembered as delivered: a lost answer costs nothing."""

    def __init__(
        self, heartbeats: HeartbeatStore, tickets: TicketService, presigner: Presigner, *, grant_ttl: timedelta
    ) -> None:
        self._heartbeats = heartbeats
        self._lost = tickets
        self._presigner = presigner
        self._grant_ttl = grant_ttl

    async def beat(self, owner: str, beat: Beat) -> BeatAnswer:
        """Keeps what the recorder says and computes what it may delete and what it must send again."""
        recorded = await self._heartbeats.record(owner, beat)
        if recorded.holds_lost:
            await self._lost.welcome_back(owner, beat)
        states = recorded.states
        return BeatAnswer(
            counter=beat.counter,
            server_time=recorded.server_time,
            tickets=await self._tickets(owner, beat) if beat.holding else [],
            releases=await self._heartbeats.releases(owner, beat, limit=MAX_RELEASES) if beat.holding else [],
            discard=[held.recording_id for held in beat.holding if states.get(held.recording_id) in DELETED],
            unknown=[held.recording_id for held in beat.holding if held.recording_id not in states],
        )

    async def _tickets(self, owner: str, beat: Beat) -> Sequence[ServedTicket]:
        tickets = await self._heartbeats.tickets(owner, beat, limit=MAX_TICKETS, frozen_limit=MAX_FROZEN_TICKETS)
        if not tickets:
            return []
        granted = await self._heartbeats.deliver([ticket.id for ticket in tickets], self._grant_ttl)
        return [
            self._served(ticket, granted[ticket.chunk.recording_id, ticket.chunk.seq])
            for ticket in tickets
            if (ticket.chunk.recording_id, ticket.chunk.seq) in granted  # else it was closed this moment
        ]

    def _served(self, ticket: Ticket, chunk: Chunk) -> ServedTicket:
        permit = Permit(chunk.overwrite, chunk.granted_at, chunk.expires_at)
        return ServedTicket(
            id=ticket.id,
            recording_id=chunk.recording_id,
            seq=chunk.seq,
            sha256=chunk.sha256,
            reason=ticket.reason,
            put=put_for(self._presigner, chunk.recording_id, chunk, ticket.mime_type, permit),
            expires_at=chunk.expires_at,
        )
