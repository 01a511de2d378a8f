"""Bearer tokens to identities."""

from starlette.requests import Request

from control_plane.api import rate_limits
from control_plane.api.state import State, services
from control_plane.domain.errors import TokenMissing
from control_plane.domain.identity import Identity

RECORD = "record"
ADMIN = "admin"


async def identify(request: Request[State], scope: str = RECORD) -> Identity:
    """Whom the request speaks for (RFC 6750), who must have the scope; counts it as a call of theirs.

    Raises `TokenMissing`, `TokenInvalid`, `TokenExpired`, `RateLimited`, `ScopeMissing`, `IdentityUnavailable`.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing("Send “Authorization: Bearer …”.")
    state = services(request)
    identity = await state.verifier.verify(token.strip(), state.clock())
    await rate_limits.count(request, identity.owner)
    identity.require(scope)
    return identity


async def owner_of(request: Request[State]) -> str:
    """The owner whom the request speaks for, who may record."""
    return (await identify(request, RECORD)).owner


async def administrator_of(request: Request[State]) -> str:
    """Who administers, for every route below `/v1/admin`. That a token may record is not enough."""
    return (await identify(request, ADMIN)).owner
