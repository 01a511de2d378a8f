"""`GET /v1/me`, and `POST /v1/session` of the embedded stack."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer, rfc3339
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.state import State, services
from control_plane.domain.errors import NotFound, OriginForbidden

# Whoever opens the embedded stack's page: it runs on the developer's own machine, for one person.
PAGE_OWNER = "local"


async def me(request: Request[State]) -> Response:
    """Whom the token speaks for."""
    return answer({"owner": owner_of(request)})


async def session(request: Request[State]) -> Response:
    """A token for the page of the embedded stack, and for no other site open in the same browser."""
    state = services(request)
    if state.issuer is None:
        raise NotFound("Only the embedded stack gives out tokens. Get one from this deployment's issuer.")
    # Browsers set it, and pages cannot (Fetch Metadata); programs on this machine do not send it.
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise OriginForbidden("Open the page that this stack serves.")
    token, expires_at = state.issuer.issue(PAGE_OWNER, [RECORD], state.clock())
    return answer({"token": token, "owner": PAGE_OWNER, "expires_at": rfc3339(expires_at)})


routes = [
    Route("/v1/me", me, methods=["GET"]),
    Route("/v1/session", session, methods=["POST"]),
]
