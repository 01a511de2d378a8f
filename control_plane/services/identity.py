"""Who speaks: bearer tokens (JWT, RFC 7519) to identities.

A token says in `iss` who issued it, and that alone decides how it is checked: with the shared secret, or with the keys of
an identity provider. What the token says of its own algorithm (`alg`) decides nothing: each key has those it may be used
with (RFC 8725, 3.1).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

import jwt

from control_plane.domain.errors import TokenInvalid
from control_plane.domain.identity import ClaimRules, Identity, check_expiry

# A token is checked once and then known until it expires: that costs a hundred times as much as a look.
KNOWN_TOKENS = 4_096
# What proxies take as one header by default; providers' tokens are a few KiB.
MAX_TOKEN_CHARS = 8_192
GET_ANOTHER = "Get a token from the issuer of this deployment."

_JWS = jwt.PyJWS()


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart. Nothing of it is to be believed before `check_signature` returned."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, object]

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises `TokenInvalid` for what is no JWT, or asks for extensions (`crit`, RFC 7515, 4.1.11): none is known here."""
        if len(text) > MAX_TOKEN_CHARS:
            raise TokenInvalid(f"A token has at most {MAX_TOKEN_CHARS:,} characters.")
        try:
            parts = _JWS.decode_complete(text, options={"verify_signature": False})
            claims = json.loads(parts["payload"])
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise TokenInvalid(GET_ANOTHER) from exc
        header = parts["header"]
        if not isinstance(claims, dict) or "crit" in header:
            raise TokenInvalid(GET_ANOTHER)
        return cls(text, header, claims)

    def check_signature(self, key: Any, algorithms: frozenset[str]) -> None:
        """Raises `TokenInvalid` if it was not signed so; the token must name one of the algorithms."""
        try:
            _JWS.decode_complete(self.text, key, algorithms=sorted(algorithms))
        except jwt.PyJWTError as exc:
            raise TokenInvalid(GET_ANOTHER) from exc


class Trust(Protocol):
    """An issuer that is believed, and how its tokens are checked."""

    rules: ClaimRules

    def begin(self, now: datetime) -> None:
        """Gets ready without being waited for, where there is anything to get."""

    async def check(self, token: Token, now: datetime) -> tuple[Identity, object]:
        """Whom the token speaks for, and the key that showed it.

        Raises `TokenInvalid`, `TokenExpired`, and `IdentityUnavailable` where that cannot be known now.
        """

    async def still_believes(self, key: object, now: datetime) -> bool:
        """Whether what that key showed counts still. Raises `IdentityUnavailable`."""


@dataclass(frozen=True, slots=True)
class _Known:
    identity: Identity
    trust: Trust
    key: object


class TokenVerifier:
    """Checks tokens of the issuers that are trusted, and of no others."""

    def __init__(self, trusts: Sequence[Trust]) -> None:
        self._trusts = {trust.rules.issuer: trust for trust in trusts}
        # By digest: nobody who sees the memory of this process should find tokens in it that are good.
        self._known: dict[bytes, _Known] = {}

    def begin(self, now: datetime) -> None:
        """Gets ready, so that what is set wrongly is in the log before the first call; waits for nothing."""
        for trust in self._trusts.values():
            trust.begin(now)

    async def verify(self, text: str, now: datetime) -> Identity:
        """Whom the token speaks for. Raises `TokenExpired`, `TokenInvalid`, `IdentityUnavailable`."""
        digest = hashlib.sha256(text.encode()).digest()
        known = self._known.get(digest)
        if known is not None and await known.trust.still_believes(known.key, now):
            check_expiry(known.identity, known.trust.rules.leeway, now)
            return known.identity
        self._known.pop(digest, None)
        known = await self._check(text, now)
        if len(self._known) >= KNOWN_TOKENS:
            del self._known[next(iter(self._known))]  # the oldest: it expires first, mostly
        self._known[digest] = known
        return known.identity

    async def _check(self, text: str, now: datetime) -> _Known:
        token = Token.read(text)
        issuer = token.claims.get("iss")
        trust = self._trusts.get(issuer) if isinstance(issuer, str) else None
        if trust is None:
            raise TokenInvalid(GET_ANOTHER)
        identity, key = await trust.check(token, now)
        return _Known(identity, trust, key)
