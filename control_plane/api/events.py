"""`GET /v1/admin/events`: what happened to chunks, tickets and releases."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Id, Time, answer, rfc3339
from control_plane.api.auth import ADMIN, administrator_of
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import EventCursor, OneId, OneOf, WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.events import Event, EventFilter, EventKind
from control_plane.domain.limits import MAX_PAGE

BEFORE = EventCursor(
    name="before",
    description="`next_before` of the page before: older events, the newest first. Left out: from the newest on.",
    example="81234-97",
)
AFTER = EventCursor(
    name="after",
    description="`next_after` of the answer before: events since, in order, none left out. `0-0`: from the first on.",
    example="81234-97",
)
RECORDING = OneId(name="recording", description="Only events of this recording.", example=examples.RECORDING_ID.example)
KIND = OneOf(name="kind", description="Only events of this kind.", words=EventKind, example=EventKind.TICKET_LOST)
LIMIT = WholeNumber(
    name="limit", description="How many events are told at most.", default=MAX_PAGE, low=1, high=MAX_PAGE
)


class EventAnswer(TypedDict):
    """One event. What it is not about is null; `detail` depends on the kind."""

    cursor: str
    at: Time
    kind: EventKind
    owner: str | None
    recording_id: Id | None
    seq: int | None
    ticket_id: Id | None
    recorder_id: Id | None
    cause: str | None
    detail: Mapping[str, object]


class EventPage(TypedDict):
    """Events. Read from the newest on, `next_before` is where older ones begin, null at the first of all; read in order,
    `next_after` is where the next answer goes on, now or whenever there are more.
    """

    events: list[EventAnswer]
    next_before: str | None
    next_after: str | None


async def events(request: Request[State]) -> Response:
    """The newest first; with `after` in the order in which they happened, to be followed without an end.

    With `after`, an event may come some moments late: not before everything that was begun before it has ended.
    """
    await administrator_of(request)
    wanted = EventFilter(RECORDING.read(request), KIND.read(request))
    before, after, limit = BEFORE.read(request), AFTER.read(request), LIMIT.read(request)
    if after is not None:
        found = await services(request).events.tail(wanted, after=after, limit=limit)
        following: EventPage = {
            "events": [event_answer(event) for event in found],
            "next_before": None,
            "next_after": str(found[-1].place if found else after),
        }
        return answer(following)
    found = await services(request).events.page(wanted, before=before, limit=limit)
    told: EventPage = {
        "events": [event_answer(event) for event in found],
        "next_before": str(found[-1].place) if len(found) == limit else None,
        "next_after": None,
    }
    return answer(told)


def event_answer(event: Event) -> EventAnswer:
    """An event."""
    return {
        "cursor": str(event.place),
        "at": rfc3339(event.at),
        "kind": event.kind,
        "owner": event.owner,
        "recording_id": str(event.recording_id) if event.recording_id else None,
        "seq": event.seq,
        "ticket_id": str(event.ticket_id) if event.ticket_id else None,
        "recorder_id": str(event.recorder_id) if event.recorder_id else None,
        "cause": event.cause,
        "detail": event.detail,
    }


EXAMPLE: EventAnswer = {
    "cursor": "81234-97",
    "at": examples.NOW,
    "kind": EventKind.TICKET_OPENED,
    "owner": "alice",
    "recording_id": examples.RECORDING_ID.example,
    "seq": 3,
    "ticket_id": examples.TICKET,
    "recorder_id": None,
    "cause": "missing",
    "detail": {},
}

calls = [
    Call(
        id="listEvents",
        method="GET",
        path="/v1/admin/events",
        handler=events,
        summary="See what happened",
        tag="Administration",
        scope=ADMIN,
        query=[BEFORE, AFTER, RECORDING, KIND, LIMIT],
        answers=[
            Answer(
                EventPage, {"events": [EXAMPLE], "next_before": None, "next_after": None}, description="A page of them."
            )
        ],
    ),
]
