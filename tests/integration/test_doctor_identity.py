"""`safereel doctor` says whether anybody may call, and whether the identity provider's keys can be had."""

import pytest

from control_plane.config import Settings
from control_plane.doctor.findings import Check, Finding
from tests.support.oidc_issuer import AUDIENCE, OidcIssuer
from tests.support.visits import OK, WRONG, changed, standing, visit

pytestmark = pytest.mark.anyio


async def identity_found(settings: Settings, **values: object) -> Finding:
    """What is found with some settings changed; nothing else is wrong, and everything is examined."""
    findings = await visit(changed(settings, **values))
    assert standing(findings, WRONG) <= {Check.IDENTITY_KEYS}
    return findings[Check.IDENTITY_KEYS]


async def test_the_providers_keys(settings: Settings, issuer: OidcIssuer) -> None:
    provider = {"safereel_oidc_audience": AUDIENCE, "safereel_token_secret": ""}
    found = await identity_found(settings, safereel_oidc_issuer=issuer.url, **provider)
    assert (found.standing, found.seen) == (OK, "1 usable, for ES256")

    found = await identity_found(settings, safereel_oidc_issuer=issuer.url + "/", **provider)
    assert found.standing is WRONG
    assert f"of the issuer {issuer.url!r}" in found.seen
    assert "last slash" in found.mend

    issuer.remove_key("first")
    found = await identity_found(settings, safereel_oidc_issuer=issuer.url, **provider)
    assert (found.standing, found.seen) == (WRONG, "there is none: every token is refused")


async def test_nobody_may_call(settings: Settings) -> None:
    found = await identity_found(settings, safereel_token_secret="")
    assert found.standing is WRONG
    assert "SAFEREEL_OIDC_ISSUER" in found.mend


async def test_a_secret_is_enough(settings: Settings) -> None:
    found = await identity_found(settings)
    assert (found.standing, "SAFEREEL_TOKEN_SECRET" in found.seen) == (OK, True)
