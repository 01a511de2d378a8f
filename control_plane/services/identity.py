"""Who speaks: bearer tokens (JWT, RFC 7519) signed with a shared secret (HS256).

The embedded stack issues its own; in front of real parts, the integrator's backend signs with the same secret.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from control_plane.domain.errors import ScopeMissing, TokenExpired, TokenInvalid

ISSUER = "safereel"
AUDIENCE = "safereel"
ALGORITHM = "HS256"
# Clocks of two well-kept machines differ by less.
LEEWAY = timedelta(seconds=10)
# A token is checked once and then known until it expires: a signature costs more than a look.
KNOWN_TOKENS = 4_096
# An owner is a column, a log field and part of recording.json.
_OWNER = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks for, and what it may do."""

    owner: str
    scopes: frozenset[str]
    expires_at: datetime

    def require(self, scope: str) -> None:
        """Raises `ScopeMissing`."""
        if scope not in self.scopes:
            raise ScopeMissing(f"Ask for a token with the scope “{scope}”.")


def is_owner(name: str) -> bool:
    """Whether an owner can be called so. A lone surrogate (valid in JSON) is no text, and no database would take it."""
    return _OWNER.fullmatch(name) is not None and name.isprintable()


class TokenIssuer:
    """Signs tokens; the embedded stack's alone."""

    def __init__(self, secret: str, *, ttl: timedelta) -> None:
        self._secret = secret
        self._ttl = ttl

    def issue(self, owner: str, scopes: Sequence[str], now: datetime) -> tuple[str, datetime]:
        """A token for `owner`, and when it expires. Raises ValueError for an owner no token can speak for."""
        if not is_owner(owner):
            raise ValueError("an owner is 1 to 255 characters without control characters")
        expires_at = now + self._ttl
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": owner,
            "scope": " ".join(scopes),
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM), expires_at


class TokenVerifier:
    """Checks signature, issuer, audience and expiry; the algorithm is ours to name, never the token's."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._known: dict[str, Identity] = {}

    async def verify(self, token: str, now: datetime) -> Identity:
        """Whom the token speaks for. Raises `TokenExpired`, `TokenInvalid`."""
        identity = self._known.get(token)
        if identity is None:
            identity = self._decode(token)
            if len(self._known) >= KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = identity
        if now - LEEWAY >= identity.expires_at:
            self._known.pop(token, None)
            raise TokenExpired("Get a new token and repeat the call. Chunks on the device are kept.")
        return identity

    def _decode(self, token: str) -> Identity:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as exc:
            raise TokenInvalid("Get a token from the issuer of this deployment.") from exc
        return _identity(claims)


def _identity(claims: dict[str, object]) -> Identity:
    owner, scope, expires = claims["sub"], claims.get("scope", ""), claims["exp"]
    if not isinstance(owner, str) or not is_owner(owner) or not isinstance(scope, str):
        raise TokenInvalid("The token's sub or scope is not what this service takes.")
    try:
        expires_at = datetime.fromtimestamp(float(str(expires)), UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise TokenInvalid("The token's exp is not a time.") from exc
    return Identity(owner, frozenset(scope.split()), expires_at)
