"""When a resend ticket can no longer be served, and how far it has come before that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from control_plane.domain.models import TicketState, Verdict

# A recorder is asked with each heartbeat and sends at once: what was not sent for so long needs somebody to look.
UNSERVED_AFTER = timedelta(minutes=10)
# A page in the background still beats every 90 s or so; who did not for so long is switched off, or has no network.
AWAY_AFTER = timedelta(minutes=10)


class LostCause(StrEnum):
    """Why nobody can serve a ticket: all who had the chunk said it is gone; some say nothing any more; nobody ever held it."""

    GONE = "gone"
    SILENT = "silent"
    UNHELD = "unheld"


class Prospect(StrEnum):
    """How far the repair of a recording has come, the best first.

    `asked`: its holders are there and are being asked. `unserved`: one was asked long ago, and has not sent. `away`: all
    who hold it have not called for a while. `unheld`: nobody says that they hold it. `lost`: nothing is asked for any more.
    """

    ASKED = "asked"
    UNSERVED = "unserved"
    AWAY = "away"
    UNHELD = "unheld"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Holder:
    """A recorder that has to do with a ticket's chunk: it `holds` it by its last beat, said that it is `gone`, or made the
    recording.
    """

    recorder_id: UUID
    holds: bool
    gone: bool
    last_beat_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """An open ticket and all who are known to have to do with its chunk, the recording's maker among them."""

    id: UUID
    recording_id: UUID
    seq: int
    generation: int
    opened_at: datetime
    holders: Sequence[Holder]


@dataclass(frozen=True, slots=True)
class LostTicket:
    """A ticket that ended as lost."""

    id: UUID
    recording_id: UUID
    seq: int
    cause: LostCause


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets: None is any."""

    state: TicketState | None = None
    owner: str | None = None
    recording_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ListedTicket:
    """A ticket as an administrator sees it: `holders` recorders say that they hold the chunk, `gone_reports` said it is gone."""

    id: UUID
    owner: str
    recording_id: UUID
    seq: int
    reason: Verdict
    state: TicketState
    reopened: bool
    opened_at: datetime
    delivered_at: datetime | None
    closed_at: datetime | None
    cause: str | None
    holders: int
    gone_reports: int


@dataclass(frozen=True, slots=True)
class HolderAtRisk:
    """A recorder that says it holds `chunks` of what a recording misses."""

    recorder_id: UUID
    chunks: int
    last_beat_at: datetime


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A recording that the bucket does not hold whole."""

    recording_id: UUID
    owner: str
    title: str | None
    missing_chunks: int
    missing_bytes: int
    lost_chunks: int
    lost_bytes: int
    oldest_ticket_at: datetime | None
    undelivered: int
    oldest_delivered_at: datetime | None
    holders: Sequence[HolderAtRisk]
    read_at: datetime

    @property
    def prospect(self) -> Prospect:
        """How far its repair has come."""
        if self.missing_chunks == 0:
            return Prospect.LOST
        if not self.holders:
            return Prospect.UNHELD
        if all(self.read_at - holder.last_beat_at > AWAY_AFTER for holder in self.holders):
            return Prospect.AWAY
        asked = self.oldest_delivered_at
        return Prospect.UNSERVED if asked and self.read_at - asked > UNSERVED_AFTER else Prospect.ASKED


def lost_cause(ticket: OpenTicket, now: datetime, silent_after: timedelta) -> LostCause | None:
    """Why nobody can serve the ticket any more; None while somebody might.

    Somebody might: whoever holds the chunk and has beaten within `silent_after`; the recording's maker, who may have crashed
    before its first beat about the chunk, until it has beaten since the ticket was opened or that time has gone by since then.
    Where nobody was ever known to hold it, the same time passes before it is given up.
    """
    might = [holder for holder in ticket.holders if _might_have(holder, ticket.opened_at)]
    since = [holder.last_beat_at if holder.holds and holder.last_beat_at else ticket.opened_at for holder in might]
    if any(now - last <= silent_after for last in since):
        return None
    if any(holder.holds for holder in might):
        return LostCause.SILENT
    if any(holder.gone for holder in ticket.holders):
        return LostCause.GONE
    return LostCause.UNHELD if now - ticket.opened_at > silent_after else None


def _might_have(holder: Holder, opened_at: datetime) -> bool:
    told_since = holder.last_beat_at is not None and holder.last_beat_at >= opened_at
    return not holder.gone and (holder.holds or not told_since)
