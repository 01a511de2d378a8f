"""`POST /v1/heartbeat`."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer, put_answer, rfc3339
from control_plane.api.auth import owner_of
from control_plane.api.bodies import HeartbeatBody, read
from control_plane.api.state import State, services
from control_plane.domain.models import Beat, Holding, Release
from control_plane.services.heartbeats import ServedTicket


async def beat(request: Request[State]) -> Response:
    """Takes what the recorder holds; answers tickets to serve and chunks to release."""
    owner = await owner_of(request)
    body = await read(request, HeartbeatBody)
    state = services(request)
    found = await state.heartbeats.beat(owner, _beat(body))
    return answer(
        {
            "counter": found.counter,
            "server_time": rfc3339(found.server_time),
            "next_heartbeat_ms": state.heartbeat_interval_ms,
            "tickets": [_ticket_answer(ticket) for ticket in found.tickets],
            "releases": _release_answers(found.releases),
            "discard": [],
            "notices": [{"code": "recording_unknown", "recording_id": str(unknown)} for unknown in found.unknown],
        }
    )


def _beat(body: HeartbeatBody) -> Beat:
    return Beat(
        recorder_id=body.recorder_id,
        counter=body.counter,
        persisted=body.storage.persisted,
        usage=body.storage.usage,
        quota=body.storage.quota,
        sdk=body.sdk,
        holding=[
            Holding(held.recording_id, [(first, last) for first, last in held.ranges], held.open)
            for held in body.holding
        ],
        gone=body.gone,
    )


def _ticket_answer(ticket: ServedTicket) -> dict[str, object]:
    return {
        "id": str(ticket.id),
        "recording_id": str(ticket.recording_id),
        "seq": ticket.seq,
        "sha256": ticket.sha256,
        "reason": ticket.reason.value,
        "put": put_answer(ticket.put),
        "expires_at": rfc3339(ticket.expires_at),
    }


def _release_answers(releases: Sequence[Release]) -> list[dict[str, object]]:
    by_recording: dict[str, list[tuple[int, str]]] = {}
    for release in releases:
        by_recording.setdefault(str(release.recording_id), []).append((release.seq, release.sha256))
    return [{"recording_id": recording_id, "chunks": chunks} for recording_id, chunks in by_recording.items()]


routes = [Route("/v1/heartbeat", beat, methods=["POST"])]
