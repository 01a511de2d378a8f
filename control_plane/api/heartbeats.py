"""`POST /v1/heartbeat`."""

from collections.abc import Sequence
from typing import Literal, NotRequired

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Count, Digest, Id, Put, Time, answer, put_answer, rfc3339
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.bodies import HeartbeatBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.state import State, services
from control_plane.domain.models import Beat, Holding, Release, Verdict
from control_plane.services.heartbeats import ServedTicket


class Ticket(TypedDict):
    """A chunk that the bucket lost: PUT it again with this grant, then ack it as always."""

    id: Id
    recording_id: Id
    seq: int
    sha256: Digest
    reason: Verdict
    put: Put
    expires_at: Time


class Releases(TypedDict):
    """Chunks that may be deleted from the device, as `[seq, sha256]`: each only where the digest is equal."""

    recording_id: Id
    chunks: list[tuple[int, Digest]]


class Notice(TypedDict):
    """What a recorder should know. `recording_unknown`: start that recording again, then send."""

    code: Literal["recording_unknown"]
    recording_id: NotRequired[Id]


class HeartbeatAnswer(TypedDict):
    """What to send again, and what to delete. Drop an answer whose `counter` is lower than that of one already handled."""

    counter: Count
    server_time: Time
    next_heartbeat_ms: Count
    tickets: list[Ticket]
    releases: list[Releases]
    discard: list[Id]
    notices: list[Notice]


async def beat(request: Request[State]) -> Response:
    """Takes what the recorder holds; answers tickets to serve and chunks to release.

    Releases are what is held and confirmed, computed anew for each call: a lost answer costs nothing. A heartbeat is never
    needed for uploading.
    """
    owner = await owner_of(request)
    body = await read(request, HeartbeatBody)
    state = services(request)
    found = await state.heartbeats.beat(owner, _beat(body))
    told: HeartbeatAnswer = {
        "counter": found.counter,
        "server_time": rfc3339(found.server_time),
        "next_heartbeat_ms": state.heartbeat_interval_ms,
        "tickets": [_ticket_answer(ticket) for ticket in found.tickets],
        "releases": _release_answers(found.releases),
        "discard": [str(deleted) for deleted in found.discard],
        "notices": [{"code": "recording_unknown", "recording_id": str(unknown)} for unknown in found.unknown],
    }
    return answer(told)


def _beat(body: HeartbeatBody) -> Beat:
    return Beat(
        recorder_id=body.recorder_id,
        counter=body.counter,
        persisted=body.storage.persisted,
        usage=body.storage.usage,
        quota=body.storage.quota,
        sdk=body.sdk,
        holding=[
            Holding(
                held.recording_id,
                [(first, last) for first, last in held.ranges],
                held.open,
                [(first, last) for first, last in held.kept],
            )
            for held in body.holding
        ],
        gone=body.gone,
    )


def _ticket_answer(ticket: ServedTicket) -> Ticket:
    return {
        "id": str(ticket.id),
        "recording_id": str(ticket.recording_id),
        "seq": ticket.seq,
        "sha256": ticket.sha256,
        "reason": ticket.reason,
        "put": put_answer(ticket.put),
        "expires_at": rfc3339(ticket.expires_at),
    }


def _release_answers(releases: Sequence[Release]) -> list[Releases]:
    by_recording: dict[str, list[tuple[int, str]]] = {}
    for release in releases:
        by_recording.setdefault(str(release.recording_id), []).append((release.seq, release.sha256))
    return [{"recording_id": recording_id, "chunks": chunks} for recording_id, chunks in by_recording.items()]


EXAMPLE: HeartbeatAnswer = {
    "counter": 17,
    "server_time": examples.NOW,
    "next_heartbeat_ms": 5_000,
    "tickets": [
        {
            "id": examples.TICKET,
            "recording_id": examples.RECORDING_ID.example,
            "seq": 3,
            "sha256": examples.DIGEST,
            "reason": Verdict.MISSING,
            "put": examples.PUT,
            "expires_at": examples.LATER,
        }
    ],
    "releases": [{"recording_id": examples.RECORDING_ID.example, "chunks": [(0, examples.DIGEST)]}],
    "discard": [],
    "notices": [],
}

calls = [
    Call(
        id="sendHeartbeat",
        method="POST",
        path="/v1/heartbeat",
        handler=beat,
        summary="Say what is held, hear what to send again and what to delete",
        tag="Recorders",
        scope=RECORD,
        body=HeartbeatBody,
        example={
            "recorder_id": examples.RECORDER,
            "counter": 17,
            "sdk": "0.1.0",
            "storage": {"persisted": True, "usage": 1_048_576, "quota": 41_943_040_000},
            "holding": [{"recording_id": examples.RECORDING_ID.example, "ranges": [[0, 41]], "open": True}],
            "gone": [],
        },
        answers=[Answer(HeartbeatAnswer, EXAMPLE, description="Tickets, releases, and when to call again.")],
    ),
]
