"""Bearer tokens to identities."""

from starlette.requests import Request

from control_plane.api.state import State, services
from control_plane.domain.errors import TokenMissing
from control_plane.services.identity import Identity

RECORD = "record"
ADMIN = "admin"


def identify(request: Request[State], scope: str = RECORD) -> Identity:
    """Whom the request speaks for (RFC 6750). Raises `TokenMissing`, `TokenInvalid`, `TokenExpired`, `ScopeMissing`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing("Send “Authorization: Bearer …”.")
    state = services(request)
    identity = state.verifier.verify(token.strip(), state.clock())
    identity.require(scope)
    return identity


def owner_of(request: Request[State]) -> str:
    """The owner whom the request speaks for, who may record."""
    return identify(request).owner
