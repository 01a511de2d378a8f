"""`POST /v1/recordings/{id}/grants`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer, put_answer, rfc3339
from control_plane.api.auth import ADMIN, identify
from control_plane.api.bodies import GrantsBody, read
from control_plane.api.state import State, services
from control_plane.domain.models import ChunkClaim, GrantRequest
from control_plane.services.granting import AlreadyHeld, GrantAnswer, Granted


async def grant(request: Request[State]) -> Response:
    """Answers each claim in order: granted with a presigned PUT, held already, or refused."""
    identity = await identify(request)
    body = await read(request, GrantsBody)
    claims = [ChunkClaim(chunk.seq, chunk.segment, chunk.size, chunk.sha256) for chunk in body.chunks]
    wanted = GrantRequest(identity.owner, request.path_params["id"], claims, exempt=ADMIN in identity.scopes)
    answers = await services(request).grants.grant(wanted)
    return answer({"grants": [_grant_answer(found) for found in answers]})


def _grant_answer(found: GrantAnswer) -> dict[str, object]:
    match found:
        case Granted(seq, put, expires_at):
            return {"seq": seq, "state": "granted", "put": put_answer(put), "expires_at": rfc3339(expires_at)}
        case AlreadyHeld(seq, state):
            return {"seq": seq, "state": state.value}
        case _:
            refusal = found.refusal
            return {
                "seq": found.seq,
                "state": "refused",
                "problem": {"code": refusal.code, "detail": refusal.detail, **refusal.extra},
            }


routes = [Route("/v1/recordings/{id:uuid}/grants", grant, methods=["POST"])]
