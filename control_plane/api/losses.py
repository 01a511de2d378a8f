"""`/v1/admin/overview`, `tickets`, `at-risk` and `releases`: what the bucket lost, who can bring it back, and what stops."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Count, Id, Time, answer, maybe_rfc3339, rfc3339
from control_plane.api.auth import ADMIN, administrator_of
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import Cursor, OneId, OneOf, OwnerName, WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.freezing import Freeze, FreezeCause
from control_plane.domain.limits import MAX_PAGE
from control_plane.domain.models import Figures, TicketState, Verdict
from control_plane.domain.tickets import AtRisk, ListedTicket, Prospect, TicketFilter
from control_plane.domain.work import Distrust

STATE = OneOf(
    name="state", description="Only tickets in this state.", words=TicketState, example=TicketState.OPEN.value
)
OWNER = OwnerName(name="owner", description="Only tickets of this owner's recordings.", example="alice")
RECORDING = OneId(
    name="recording", description="Only tickets of this recording.", example=examples.RECORDING_ID.example
)
CURSOR = Cursor(
    name="cursor",
    description="`next_cursor` of the page before; left out: the newest tickets.",
    example="MjAyNi0xMS0wMlQxMDowMDowMCswMDowMCAwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTc=",
)
LIMIT = WholeNumber(name="limit", description="How many a page has at most.", default=MAX_PAGE, low=1, high=MAX_PAGE)
AFTER = OneId(
    name="after",
    description="`next_after` of the page before; left out: the first page.",
    example=examples.RECORDING_ID.example,
)


class TicketAnswer(TypedDict):
    """A resend ticket. `holders` recorders say that they hold the chunk, `gone_reports` have said that it is gone; `cause` is
    why it ended. `reopened`: the chunk had been lost.
    """

    id: Id
    owner: str
    recording_id: Id
    seq: Count
    reason: Verdict
    state: TicketState
    reopened: bool
    opened_at: Time
    delivered_at: Time | None
    closed_at: Time | None
    cause: str | None
    holders: Count
    gone_reports: Count


class TicketPage(TypedDict):
    """Tickets, the newest first. `next_cursor` is null on the last page."""

    tickets: list[TicketAnswer]
    next_cursor: str | None


class HolderAnswer(TypedDict):
    """A recorder that says it holds so many of the chunks that are missing or lost, and when it last called."""

    recorder_id: Id
    chunks: Count
    last_beat_at: Time


class AtRiskAnswer(TypedDict):
    """A recording that the bucket does not hold whole. `prospect`: `asked`, its holders are being asked; `unserved`, one was
    asked ten minutes ago or more and has not sent; `away`, none of them has called for ten minutes; `unheld`, nobody says
    that they hold it; `lost`, nothing is asked for any more.
    """

    recording_id: Id
    owner: str
    title: str | None
    prospect: Prospect
    missing_chunks: Count
    missing_bytes: Count
    lost_chunks: Count
    lost_bytes: Count
    oldest_ticket_at: Time | None
    oldest_delivered_at: Time | None
    undelivered_tickets: Count
    holders: list[HolderAnswer]


class DistrustAnswer(TypedDict):
    """Sweeps decide nothing `since` then; `cause` is why the latest of them did not."""

    since: Time
    cause: str


class DoubtsAnswer(TypedDict):
    """What nobody is asked for yet. `sighted_chunks` were seen missing or damaged once: a second look decides. `doubted_chunks`
    were read back wrong, and not right since. `undecided` is null while sweeps trust the bucket.
    """

    sighted_chunks: Count
    doubted_chunks: Count
    undecided: DistrustAnswer | None


class AtRiskPage(DoubtsAnswer):
    """Recordings by id, and what is in doubt in all. `next_after` is null on the last page."""

    recordings: list[AtRiskAnswer]
    next_after: str | None


class FreezeAnswer(TypedDict):
    """Since when and why releases are stopped; `detail`: what was counted."""

    frozen_at: Time
    cause: FreezeCause
    detail: Mapping[str, object]


class ReleasesAnswer(TypedDict):
    """Whether releases are stopped, and by what."""

    frozen: bool
    freeze: FreezeAnswer | None


class OverviewAnswer(ReleasesAnswer):
    """How the deployment is, in a few numbers, at most five seconds old."""

    unconfirmed_chunks: Count
    oldest_unconfirmed_ms: Count
    open_tickets: Count
    oldest_ticket_ms: Count
    lost_chunks: Count
    used_bytes: int
    reserved_bytes: int
    deletions: Count
    deletions_failing: Count


async def overview(request: Request[State]) -> Response:
    """What is at risk, and whether releases are stopped."""
    await administrator_of(request)
    figures, _ = await services(request).figures.read()
    return answer(overview_answer(figures, await services(request).freezing.now()))


async def tickets(request: Request[State]) -> Response:
    """Open ones and those that ended, the newest first."""
    await administrator_of(request)
    limit = LIMIT.read(request)
    wanted = TicketFilter(STATE.read(request), OWNER.in_query(request), RECORDING.read(request))
    found = await services(request).tickets.page(wanted, before=CURSOR.read(request), limit=limit)
    told: TicketPage = {
        "tickets": [ticket_answer(ticket) for ticket in found],
        "next_cursor": Cursor.after(found[-1].opened_at, found[-1].id) if len(found) == limit else None,
    }
    return answer(told)


async def at_risk(request: Request[State]) -> Response:
    """Recordings with chunks that are missing or lost, and the recorders that could send them."""
    await administrator_of(request)
    limit = LIMIT.read(request)
    found = await services(request).tickets.at_risk(after=AFTER.read(request), limit=limit)
    figures, _ = await services(request).figures.read()
    told: AtRiskPage = {
        **doubts_answer(figures, await services(request).sweep_reports.distrust()),
        "recordings": [at_risk_answer(recording) for recording in found],
        "next_after": str(found[-1].recording_id) if len(found) == limit else None,
    }
    return answer(told)


async def freeze(request: Request[State]) -> Response:
    """Stops releases until an administrator lets them go on; nothing else stops. Repeated, it changes nothing."""
    await administrator_of(request)
    return answer(releases_answer(await services(request).freezing.freeze()))


async def thaw(request: Request[State]) -> Response:
    """Lets releases go on. What audits have found so far does not stop them again; what they find from now on does."""
    await administrator_of(request)
    await services(request).freezing.thaw()
    return answer(releases_answer(await services(request).freezing.now()))


def overview_answer(figures: Figures, freeze: Freeze | None) -> OverviewAnswer:
    """How the deployment is."""
    return {
        **releases_answer(freeze),
        "unconfirmed_chunks": figures.unconfirmed_chunks,
        "oldest_unconfirmed_ms": round(figures.oldest_unconfirmed_s * 1000),
        "open_tickets": figures.open_tickets,
        "oldest_ticket_ms": round(figures.oldest_ticket_s * 1000),
        "lost_chunks": figures.lost_chunks,
        "used_bytes": figures.used_bytes,
        "reserved_bytes": figures.reserved_bytes,
        "deletions": figures.deletions,
        "deletions_failing": figures.deletions_failing,
    }


def doubts_answer(figures: Figures, distrust: Distrust | None) -> DoubtsAnswer:
    """What is in doubt, and whether sweeps can tell at all."""
    undecided: DistrustAnswer | None = None
    if distrust is not None:
        undecided = {"since": rfc3339(distrust.since), "cause": distrust.cause}
    return {"sighted_chunks": figures.sighted, "doubted_chunks": figures.read_wrong, "undecided": undecided}


def releases_answer(found: Freeze | None) -> ReleasesAnswer:
    """Whether releases are stopped."""
    if found is None:
        return {"frozen": False, "freeze": None}
    told: FreezeAnswer = {"frozen_at": rfc3339(found.frozen_at), "cause": found.cause, "detail": found.detail}
    return {"frozen": True, "freeze": told}


def ticket_answer(ticket: ListedTicket) -> TicketAnswer:
    """A ticket."""
    return {
        "id": str(ticket.id),
        "owner": ticket.owner,
        "recording_id": str(ticket.recording_id),
        "seq": ticket.seq,
        "reason": ticket.reason,
        "state": ticket.state,
        "reopened": ticket.reopened,
        "opened_at": rfc3339(ticket.opened_at),
        "delivered_at": maybe_rfc3339(ticket.delivered_at),
        "closed_at": maybe_rfc3339(ticket.closed_at),
        "cause": ticket.cause,
        "holders": ticket.holders,
        "gone_reports": ticket.gone_reports,
    }


def at_risk_answer(found: AtRisk) -> AtRiskAnswer:
    """A recording that the bucket does not hold whole."""
    return {
        "recording_id": str(found.recording_id),
        "owner": found.owner,
        "title": found.title,
        "prospect": found.prospect,
        "missing_chunks": found.missing_chunks,
        "missing_bytes": found.missing_bytes,
        "lost_chunks": found.lost_chunks,
        "lost_bytes": found.lost_bytes,
        "oldest_ticket_at": maybe_rfc3339(found.oldest_ticket_at),
        "oldest_delivered_at": maybe_rfc3339(found.oldest_delivered_at),
        "undelivered_tickets": found.undelivered,
        "holders": [
            {
                "recorder_id": str(holder.recorder_id),
                "chunks": holder.chunks,
                "last_beat_at": rfc3339(holder.last_beat_at),
            }
            for holder in found.holders
        ],
    }


TICKET: TicketAnswer = {
    "id": examples.TICKET,
    "owner": "alice",
    "recording_id": examples.RECORDING_ID.example,
    "seq": 3,
    "reason": Verdict.MISSING,
    "state": TicketState.OPEN,
    "reopened": False,
    "opened_at": examples.NOW,
    "delivered_at": examples.NOW,
    "closed_at": None,
    "cause": None,
    "holders": 1,
    "gone_reports": 0,
}
AT_RISK: AtRiskAnswer = {
    "recording_id": examples.RECORDING_ID.example,
    "owner": "alice",
    "title": "Room 4",
    "prospect": Prospect.ASKED,
    "missing_chunks": 1,
    "missing_bytes": 5_242_880,
    "lost_chunks": 0,
    "lost_bytes": 0,
    "oldest_ticket_at": examples.NOW,
    "oldest_delivered_at": examples.NOW,
    "undelivered_tickets": 0,
    "holders": [{"recorder_id": examples.RECORDER, "chunks": 1, "last_beat_at": examples.NOW}],
}
FROZEN: ReleasesAnswer = {
    "frozen": True,
    "freeze": {
        "frozen_at": examples.NOW,
        "cause": FreezeCause.MISSING,
        "detail": {"found": 400, "looked_at": 10_000},
    },
}
THAWED: ReleasesAnswer = {"frozen": False, "freeze": None}
NO_DOUBTS: DoubtsAnswer = {"sighted_chunks": 0, "doubted_chunks": 0, "undecided": None}
OVERVIEW: OverviewAnswer = {
    **THAWED,
    "unconfirmed_chunks": 12,
    "oldest_unconfirmed_ms": 2_900,
    "open_tickets": 1,
    "oldest_ticket_ms": 4_000,
    "lost_chunks": 0,
    "used_bytes": 220_200_960,
    "reserved_bytes": 5_242_880,
    "deletions": 0,
    "deletions_failing": 0,
}

calls = [
    Call(
        id="getOverview",
        method="GET",
        path="/v1/admin/overview",
        handler=overview,
        summary="See what is at risk",
        tag="Administration",
        scope=ADMIN,
        answers=[Answer(OverviewAnswer, OVERVIEW, description="The numbers.")],
    ),
    Call(
        id="listTickets",
        method="GET",
        path="/v1/admin/tickets",
        handler=tickets,
        summary="List resend tickets",
        tag="Administration",
        scope=ADMIN,
        query=[STATE, OWNER, RECORDING, CURSOR, LIMIT],
        answers=[Answer(TicketPage, {"tickets": [TICKET], "next_cursor": None}, description="A page of them.")],
    ),
    Call(
        id="listAtRisk",
        method="GET",
        path="/v1/admin/at-risk",
        handler=at_risk,
        summary="List recordings that are not whole",
        tag="Administration",
        scope=ADMIN,
        query=[AFTER, LIMIT],
        answers=[
            Answer(
                AtRiskPage, {**NO_DOUBTS, "recordings": [AT_RISK], "next_after": None}, description="A page of them."
            )
        ],
    ),
    Call(
        id="freezeReleases",
        method="POST",
        path="/v1/admin/releases/freeze",
        handler=freeze,
        summary="Stop releases",
        tag="Administration",
        scope=ADMIN,
        answers=[Answer(ReleasesAnswer, FROZEN, description="They are stopped.")],
    ),
    Call(
        id="thawReleases",
        method="POST",
        path="/v1/admin/releases/thaw",
        handler=thaw,
        summary="Let releases go on",
        tag="Administration",
        scope=ADMIN,
        answers=[Answer(ReleasesAnswer, THAWED, description="They go on.")],
    ),
]
