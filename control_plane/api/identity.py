"""`GET /v1/me`, and `POST /v1/session` of the embedded stack."""

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Quota, Time, answer, rfc3339, usage_answer
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.contract import Answer, Call
from control_plane.api.state import State, services
from control_plane.domain.errors import NotFound, OriginForbidden

# Whoever opens the embedded stack's page: it runs on the developer's own machine, for one person.
PAGE_OWNER = "local"
# How a browser on this machine names it.
OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Me(TypedDict):
    """Whom a token speaks for, and what it has of its quota."""

    owner: str
    quota: Quota


class SessionToken(TypedDict):
    """A token of the embedded issuer, whom it speaks for, and when it ends."""

    token: str
    owner: str
    expires_at: Time


async def me(request: Request[State]) -> Response:
    """Whom the token speaks for, and what it has of its quota."""
    owner = await owner_of(request)
    told: Me = {"owner": owner, "quota": usage_answer(await services(request).quotas.usage(owner))}
    return answer(told)


async def session(request: Request[State]) -> Response:
    """A token for the page of the embedded stack, and for no other site open in the same browser.

    Exists only in the embedded stack (`safereel up`); elsewhere this address is not found.
    """
    state = services(request)
    if state.issuer is None:
        raise NotFound("Only the embedded stack gives out tokens. Get one from this deployment's issuer.")
    if not _is_own_page(request):
        raise OriginForbidden("Open the page that this stack serves.")
    token, expires_at = state.issuer.issue(PAGE_OWNER, [RECORD], state.clock())
    told: SessionToken = {"token": token, "owner": PAGE_OWNER, "expires_at": rfc3339(expires_at)}
    return answer(told)


def _is_own_page(request: Request[State]) -> bool:
    """Whether the page of this stack asks, or a program on this machine, and no other site open in the same browser.

    Browsers say where a call comes from, and pages cannot forge it (Fetch Metadata, Origin). A name that somebody else has
    pointed at this machine (DNS rebinding) shows in Host.
    """
    if request.url.hostname not in OWN_HOSTS:
        return False
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    return origin is None or origin == f"{request.url.scheme}://{request.url.netloc}"


SESSION: SessionToken = {"token": "eyJhbGciOiJIUzI1NiJ9.e30.…", "owner": PAGE_OWNER, "expires_at": examples.LATER}

calls = [
    Call(
        id="getMe",
        method="GET",
        path="/v1/me",
        handler=me,
        summary="Ask whom the token speaks for",
        tag="Identity",
        scope=RECORD,
        answers=[Answer(Me, {"owner": "alice", "quota": examples.QUOTA}, description="The owner.")],
    ),
    Call(
        id="createSession",
        method="POST",
        path="/v1/session",
        handler=session,
        summary="Get a token for the embedded stack's own page",
        tag="Identity",
        scope=None,
        answers=[Answer(SessionToken, SESSION, description="The token.")],
        problems=[OriginForbidden, NotFound],
    ),
]
