"""Tokens signed with a shared secret (HS256): the embedded stack's own, or those of an integrator's backend."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import jwt

from control_plane.domain.identity import ClaimRules, Identity, identity_of, is_owner
from control_plane.services.identity import Token

ISSUER = "safereel"
AUDIENCE = "safereel"
ALGORITHM = "HS256"
# Clocks of two well-kept machines differ by less.
LEEWAY = timedelta(seconds=10)


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


class SharedSecretTrust:
    """Believes what was signed with the secret, as issuer `safereel`."""

    def __init__(self, secret: str) -> None:
        self.rules = ClaimRules(ISSUER, frozenset({AUDIENCE}), LEEWAY)
        self._secret = secret

    def begin(self, now: datetime) -> None:
        """There is nothing to get."""

    async def check(self, token: Token, now: datetime) -> tuple[Identity, None]:
        """Whom the token speaks for. Raises `TokenInvalid`, `TokenExpired`."""
        token.check_signature(self._secret, frozenset({ALGORITHM}))
        return identity_of(token.claims, self.rules, now), None

    async def still_believes(self, key: object, now: datetime) -> bool:  # noqa: ARG002  # the secret lasts as the process
        """A secret is never taken back while the process runs."""
        return True
