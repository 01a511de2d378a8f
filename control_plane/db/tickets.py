"""The store of resend tickets after they were opened: who can serve them, their ends, and what is at risk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from control_plane.db.database import Database, Row
from control_plane.db.rows import multirange_text
from control_plane.domain.findings import OpenedTicket
from control_plane.domain.models import Holding, TicketState, Verdict
from control_plane.domain.tickets import (
    AtRisk,
    Holder,
    HolderAtRisk,
    ListedTicket,
    LostCause,
    LostTicket,
    OpenTicket,
    TicketFilter,
)


class TicketStore:
    """Rows of `tickets`, with `gone_reports` and `holdings` as far as they are about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to_judge(self, limit: int) -> tuple[Sequence[OpenTicket], datetime | None]:
        """Open tickets, those not looked at for the longest first, and when they were read (None: there are none)."""
        rows = await self._database.rows("tickets_to_judge", {"limit": limit})
        return [_open_ticket_of(row) for row in rows], rows[0]["read_at"] if rows else None

    async def looked(self, tickets: Sequence[OpenTicket]) -> None:
        """Puts these tickets at the end of the queue."""
        await self._database.execute("tickets_looked", {"ticket_ids": [ticket.id for ticket in tickets]})

    async def lose(self, judged: Sequence[tuple[OpenTicket, LostCause]], read_at: datetime) -> Sequence[LostTicket]:
        """Ends tickets as lost, and their chunks, where nothing was acked and nobody said that they hold it since `read_at`."""
        judged_of = {
            "recording_ids": [ticket.recording_id for ticket, _ in judged],
            "seqs": [ticket.seq for ticket, _ in judged],
        }
        _, rows = await self._database.together(
            ("chunks_ack_lock", judged_of),
            (
                "tickets_lose",
                {
                    **judged_of,
                    "ticket_ids": [ticket.id for ticket, _ in judged],
                    "generations": [ticket.generation for ticket, _ in judged],
                    "causes": [cause for _, cause in judged],
                    "read_at": read_at,
                },
            ),
        )
        return [LostTicket(row["id"], row["recording_id"], row["seq"], LostCause(row["cause"])) for row in rows]

    async def mend(self, limit: int) -> Sequence[OpenedTicket]:
        """Opens the tickets of missing chunks that have none: there should be none such."""
        return [_opened_of(row) for row in await self._database.rows("tickets_mend", {"limit": limit})]

    async def reopen(
        self, owner: str, recorder_id: UUID, holding: Sequence[Holding], limit: int
    ) -> Sequence[OpenedTicket]:
        """Lost chunks that the recorder holds are missing again, with a new ticket; at most `limit`."""
        held: Mapping[str, object] = {
            "recording_ids": [held.recording_id for held in holding],
            "chunks": [multirange_text(held.there) for held in holding],
        }
        params = {"owner": owner, "recorder_id": recorder_id, "limit": limit, **held}
        return [_opened_of(row) for row in await self._database.rows("tickets_reopen", params)]

    async def page(
        self, wanted: TicketFilter, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[ListedTicket]:
        """Tickets opened before `before`, the newest first."""
        opened_at, ticket_id = before or (None, None)
        params = {"before_opened_at": opened_at, "before_id": ticket_id, "limit": limit, **_filter(wanted)}
        return [_listed_of(row) for row in await self._database.rows("tickets_page", params)]

    async def at_risk(self, *, after: UUID | None, limit: int) -> Sequence[AtRisk]:
        """Recordings with missing or lost chunks, by id."""
        rows = await self._database.rows("at_risk_page", {"after": after, "limit": limit})
        return [_at_risk_of(row) for row in rows]


def _filter(wanted: TicketFilter) -> dict[str, object]:
    return {"state": wanted.state, "owner": wanted.owner, "recording_id": wanted.recording_id}


def _opened_of(row: Row) -> OpenedTicket:
    return OpenedTicket(row["id"], row["recording_id"], row["seq"], Verdict(row["reason"]))


def _open_ticket_of(row: Row) -> OpenTicket:
    return OpenTicket(
        id=row["id"],
        recording_id=row["recording_id"],
        seq=row["seq"],
        generation=row["generation"],
        opened_at=row["opened_at"],
        holders=[
            Holder(UUID(k["recorder_id"]), k["holds"], k["gone"], _time_of(k["last_beat_at"])) for k in row["holders"]
        ],
    )


def _listed_of(row: Row) -> ListedTicket:
    return ListedTicket(
        id=row["id"],
        owner=row["owner"],
        recording_id=row["recording_id"],
        seq=row["seq"],
        reason=Verdict(row["reason"]),
        state=TicketState(row["state"]),
        reopened=row["reopened"],
        opened_at=row["opened_at"],
        delivered_at=row["delivered_at"],
        closed_at=row["closed_at"],
        cause=row["cause"],
        holders=row["holders"],
        gone_reports=row["gone_reports"],
    )


def _at_risk_of(row: Row) -> AtRisk:
    return AtRisk(
        recording_id=row["recording_id"],
        owner=row["owner"],
        title=row["title"],
        missing_chunks=row["missing_chunks"],
        missing_bytes=row["missing_bytes"],
        lost_chunks=row["lost_chunks"],
        lost_bytes=row["lost_bytes"],
        oldest_ticket_at=row["oldest_ticket_at"],
        undelivered=row["undelivered"],
        oldest_delivered_at=row["oldest_delivered_at"],
        holders=[
            HolderAtRisk(UUID(k["recorder_id"]), k["chunks"], datetime.fromisoformat(k["last_beat_at"]))
            for k in row["holders"]
        ],
        read_at=row["read_at"],
    )


def _time_of(text: Any) -> datetime | None:
    """A time inside of JSON, as PostgreSQL writes it there."""
    return datetime.fromisoformat(text) if text else None
