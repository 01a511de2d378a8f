"""The keys of a provider's JWKS (RFC 7517) that may check tokens here; all others in it are passed over."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

# RFC 7518, 3.3: RS256 and its kin MUST have at least so many.
MIN_RSA_BITS = 2048
# A longer one costs milliseconds a signature, on the loop that serves everybody.
MAX_RSA_BITS = 8192
# Providers have two or three; more than these are not looked at.
MAX_KEYS = 64
# Each curve has one algorithm (RFC 7518, 3.4).
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})


class JwksMalformed(Exception):
    """What the provider gave is no JWKS, or has none but keys that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, and the algorithms that a token checked with it may name.

    Two are equal if kid, algorithms and the key itself are.
    """

    kid: str | None
    algorithms: frozenset[str]
    thumbprint: str
    public: PublicKey = field(compare=False, repr=False)


def read_jwks(document: object, allowed: frozenset[str]) -> tuple[Sequence[VerificationKey], Sequence[str]]:
    """The usable keys of a JWKS, and for each other entry why it is not used.

    `allowed` are the algorithms that tokens may name. An empty `keys` is taken at its word: the provider trusts no key any
    more. `JwksMalformed` where there is no array `keys`, or where it has entries and none is usable.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise JwksMalformed("no array “keys”")
    keys, passed_over = list[VerificationKey](), list[str]()
    for at, entry in enumerate(entries[:MAX_KEYS]):
        try:
            keys.append(_read(entry, allowed))
        except _Unusable as exc:
            passed_over.append(f"key {at}: {exc}")
    if entries and not keys:
        raise JwksMalformed(f"no usable key ({'; '.join(passed_over[:3])})")
    return keys, passed_over


class _Unusable(Exception):
    """Why an entry is passed over."""


def _read(entry: object, allowed: frozenset[str]) -> VerificationKey:
    if not isinstance(entry, dict):
        raise _Unusable("not an object")
    _check_purpose(entry)
    kid = entry.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise _Unusable("kid is not text")
    public = _public_key(entry)
    algorithms = _algorithms_of(public) & allowed
    if "alg" in entry:
        algorithms &= {str(entry["alg"])}
    if not algorithms:
        raise _Unusable("of no algorithm that is allowed here")
    return VerificationKey(kid, algorithms, _thumbprint(entry), public)


def _check_purpose(entry: Mapping[str, object]) -> None:
    """RFC 7517, 4.2 and 4.3: what a key is for. One whose private half was published proves nothing any more."""
    if entry.get("use", "sig") != "sig":
        raise _Unusable("not for signatures (use)")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Unusable("not to verify with (key_ops)")
    if "d" in entry:
        raise _Unusable("its private half is published")


def _public_key(entry: Mapping[str, object]) -> PublicKey:
    try:
        public = _parse(dict(entry))
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise _Unusable(f"malformed ({type(exc).__name__})") from exc
    if not isinstance(public, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        raise _Unusable("not a public key for signatures")
    if isinstance(public, RSAPublicKey) and not MIN_RSA_BITS <= public.key_size <= MAX_RSA_BITS:
        raise _Unusable(f"RSA of {public.key_size} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    return public


def _parse(entry: dict[str, Any]) -> object:
    match entry.get("kty"):
        case "RSA":
            return RSAAlgorithm.from_jwk(entry)
        case "EC":
            return ECAlgorithm.from_jwk(entry)
        case "OKP":
            return OKPAlgorithm.from_jwk(entry)
    raise _Unusable("of a kind that is not taken (kty)")


def _algorithms_of(public: PublicKey) -> frozenset[str]:
    if isinstance(public, RSAPublicKey):
        return _RSA
    if isinstance(public, EllipticCurvePublicKey):
        return frozenset({_CURVES[public.curve.name]} if public.curve.name in _CURVES else ())
    return frozenset({"EdDSA"})


def _thumbprint(entry: Mapping[str, object]) -> str:
    """The members that make the key (RFC 7638, 3.2)."""
    return json.dumps({name: entry[name] for name in _members(entry)}, sort_keys=True)


def _members(entry: Mapping[str, object]) -> Iterator[str]:
    return (name for name in ("kty", "crv", "e", "n", "x", "y") if name in entry)
