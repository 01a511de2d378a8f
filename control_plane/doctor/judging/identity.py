"""Who may call: whether there is anybody, and whether the identity provider's keys can be had."""

from collections.abc import Sequence

from control_plane.doctor.findings import Check, Finding, ok, wrong
from control_plane.oidc.keys import VerificationKey

NOBODY = (
    "Set SAFEREEL_OIDC_ISSUER and SAFEREEL_OIDC_AUDIENCE to those of your identity provider, or SAFEREEL_TOKEN_SECRET."
)
UNREACHED = (
    "Compare SAFEREEL_OIDC_ISSUER with iss in a token, the last slash included, and open that address with\n"
    "/.well-known/openid-configuration from this machine; or name the keys' address in SAFEREEL_OIDC_JWKS_URL."
)


def without_provider(*, secret: bool) -> Finding:
    """No provider is configured; `secret`: tokens of a backend are taken."""
    tried = "who may call"
    if secret:
        return ok(
            Check.IDENTITY_KEYS, tried, "whose token is signed with SAFEREEL_TOKEN_SECRET; no provider is configured"
        )
    return wrong(Check.IDENTITY_KEYS, tried, "nobody: neither a provider nor a secret is configured", NOBODY)


def keys(issuer: str, found: Sequence[VerificationKey]) -> Finding:
    """The provider answered. That it has no key at all is its own word: it trusts none any more."""
    tried = f"the keys of {issuer}"
    if not found:
        return wrong(
            Check.IDENTITY_KEYS, tried, "there is none: every token is refused", "Publish one at the provider."
        )
    algorithms = sorted(frozenset[str]().union(*(key.algorithms for key in found)))
    return ok(Check.IDENTITY_KEYS, tried, f"{len(found)} usable, for {', '.join(algorithms)}")


def unreachable(issuer: str, why: str) -> Finding:
    """They cannot be had."""
    return wrong(Check.IDENTITY_KEYS, f"the keys of {issuer}", why, UNREACHED)
