"""Whom a token's claims speak for, and what they allow (RFC 7519; RFC 9068 for the scope). Signatures are checked elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from control_plane.domain.errors import ScopeMissing, TokenExpired, TokenInvalid

# An owner is a column, a log field and part of recording.json.
MAX_OWNER_LENGTH = 255  # what OpenID Connect Core allows a subject


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


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """How the claims of one issuer are read.

    `audiences`: any of them in `aud` will do. `scope_claims`: where scopes stand; what stands in several is taken together.
    `scope_prefix`: only scopes that begin so are ours, and are taken without it. `leeway`: how far clocks may differ.
    """

    issuer: str
    audiences: frozenset[str]
    leeway: timedelta
    scope_claims: Sequence[str] = ("scope",)
    scope_prefix: str = ""


def is_owner(name: str) -> bool:
    """Whether an owner can be called so. A lone surrogate (valid in JSON) is no text, and no database would take it."""
    return 1 <= len(name) <= MAX_OWNER_LENGTH and name.isprintable()


def identity_of(claims: Mapping[str, object], rules: ClaimRules, now: datetime) -> Identity:
    """Whom the claims of a token, whose signature was checked, speak for.

    Raises `TokenExpired`, and `TokenInvalid` where the token is another issuer's, for another audience, not good yet, or
    without `exp` or `sub`. `iat` is not looked at: `nbf` is what says from when a token is good.
    """
    if claims.get("iss") != rules.issuer:
        raise TokenInvalid("The token is of another issuer.")
    if rules.audiences.isdisjoint(_audiences(claims.get("aud"))):
        raise TokenInvalid("The token is for another audience.")
    owner = claims.get("sub")
    if not isinstance(owner, str) or not is_owner(owner):
        raise TokenInvalid("The token's sub is not 1 to 255 printable characters.")
    if "nbf" in claims and now + rules.leeway < _time(claims, "nbf"):
        raise TokenInvalid("The token is not good yet (nbf): compare the clocks.")
    identity = Identity(owner, _scopes(claims, rules), _time(claims, "exp"))
    check_expiry(identity, rules.leeway, now)
    return identity


def check_expiry(identity: Identity, leeway: timedelta, now: datetime) -> None:
    """Raises `TokenExpired`."""
    if now - leeway >= identity.expires_at:
        raise TokenExpired("Get a new token and repeat the call. Chunks on the device are kept.")


def _audiences(claim: object) -> frozenset[str]:
    """`aud` is one name or an array of them (RFC 7519, 4.1.3)."""
    if isinstance(claim, str):
        return frozenset({claim})
    if isinstance(claim, list):
        return frozenset(name for name in claim if isinstance(name, str))
    return frozenset()


def _time(claims: Mapping[str, object], name: str) -> datetime:
    """A NumericDate: seconds since 1970, with or without a fraction."""
    seconds = claims.get(name)
    try:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
            raise ValueError("not a number")
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise TokenInvalid(f"The token's {name} is not a time.") from exc


def _scopes(claims: Mapping[str, object], rules: ClaimRules) -> frozenset[str]:
    found = [scope for name in rules.scope_claims for scope in _words(_member(claims, name), name)]
    return frozenset(scope.removeprefix(rules.scope_prefix) for scope in found if scope.startswith(rules.scope_prefix))


def _member(claims: Mapping[str, object], name: str) -> object:
    """The claim of that name, which may hold dots; or else the one that the dots lead to (`realm_access.roles`)."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(claim: object, name: str) -> Sequence[str]:
    """Scopes are words in one string (RFC 6749, 3.3), or an array of strings; providers do either."""
    if claim is None:
        return ()
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list) and all(isinstance(word, str) for word in claim):
        return claim
    raise TokenInvalid(f"The token's {name} is neither text nor an array of texts.")
