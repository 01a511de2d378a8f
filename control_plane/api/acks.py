"""`POST /v1/recordings/{id}/acks`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer
from control_plane.api.auth import owner_of
from control_plane.api.bodies import AcksBody, read
from control_plane.api.state import State, services
from control_plane.domain.models import AckClaim
from control_plane.services.acking import AckAnswer, Judged


async def ack(request: Request[State]) -> Response:
    """Answers each claim in order, after a HEAD of its object."""
    owner = await owner_of(request)
    body = await read(request, AcksBody)
    claims = [AckClaim(claim.seq, claim.etag) for claim in body.acks]
    answers = await services(request).acks.ack(owner, request.path_params["id"], claims)
    return answer({"acks": [_ack_answer(found) for found in answers]})


def _ack_answer(found: AckAnswer) -> dict[str, object]:
    match found:
        case Judged(seq, verdict, state):
            return {"seq": seq, "verdict": verdict.value, "state": state.value}
        case _:
            return {
                "seq": found.seq,
                "verdict": None,
                "state": "refused",
                "problem": {"code": found.refusal.code, "detail": found.refusal.detail},
            }


routes = [Route("/v1/recordings/{id:uuid}/acks", ack, methods=["POST"])]
