"""Tokens of an OpenID provider that are refused whatever they say, and what callers see of it over HTTP."""

import base64
import hmac
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.services.identity import MAX_TOKEN_CHARS, TokenVerifier
from control_plane.services.provider_trust import FETCH_EVERY
from control_plane.wiring import open_trusts
from tests.support.oidc_issuer import AUDIENCE, OidcIssuer, jwk_of, known_key, new_key
from tests.support.plane import running_plane, settings_for
from tests.support.token_checker import TTL, Checker, oidc_settings

pytestmark = pytest.mark.anyio


async def test_tokens_that_are_refused(issuer: OidcIssuer, checker: Checker) -> None:
    now = checker.now
    good = issuer.token()
    head, payload, signature = good.split(".")
    for what, token, code in [
        ("expired", issuer.token(exp=now - timedelta(seconds=11)), "token_expired"),
        ("not good yet", issuer.token(nbf=now + timedelta(seconds=30)), "token_invalid"),
        ("no exp", issuer.token(exp=None), "token_invalid"),
        ("no sub", issuer.token(sub=None), "token_invalid"),
        ("for others", issuer.token(aud="others"), "token_invalid"),
        ("for nobody", issuer.token(aud=None), "token_invalid"),
        ("by others", issuer.token(iss="https://others.example"), "token_invalid"),
        ("by nobody", issuer.token(iss=None), "token_invalid"),
        ("of the shared secret, which is not configured", issuer.token(iss="safereel"), "token_invalid"),
        ("by another key", issuer.token(key=new_key("ES256")), "token_invalid"),
        ("alg none", issuer.token(key="", algorithm="none"), "token_invalid"),
        ("no signature", f"{head}.{payload}.", "token_invalid"),
        ("another payload", f"{head}.{base64.urlsafe_b64encode(b'{}').decode()}.{signature}", "token_invalid"),
        ("crit", issuer.token(header={"crit": ["exp"], "exp": 1}), "token_invalid"),
        ("too long", issuer.token(padding="x" * MAX_TOKEN_CHARS), "token_invalid"),
        ("two parts", f"{head}.{payload}", "token_invalid"),
        ("four parts", f"{good}.{signature}", "token_invalid"),
        ("five parts, encrypted", f"{head}....", "token_invalid"),
        ("not ASCII", "é.é.é", "token_invalid"),
        ("dots", "..", "token_invalid"),
    ]:
        assert await checker.refusal(token) == code, what
    assert await checker.owner(good) == "alice"


async def test_a_public_key_is_no_secret(issuer: OidcIssuer, checker: Checker) -> None:
    """Algorithm confusion: what anybody can fetch, used to sign with HS256."""
    issuer.add_key("rsa", "RS256")
    pem = known_key("rsa", "RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = issuer.token(kid="rsa").split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "rsa"}).encode()).rstrip(b"=").decode()
    digest = hmac.digest(pem, f"{head}.{signed}".encode(), "sha256")
    forged = f"{head}.{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    assert await checker.refusal(forged) == "token_invalid"


async def test_an_algorithm_that_is_not_in_the_list(issuer: OidcIssuer, checker: Checker) -> None:
    issuer.add_key("rsa", "RS256")
    issuer.add_key("long", "ES384")
    assert await checker.owner(issuer.token(kid="rsa")) == "alice"
    assert await checker.refusal(issuer.token(kid="rsa", algorithm="RS512")) == "token_invalid"
    assert await checker.refusal(issuer.token(kid="long")) == "token_invalid"


async def test_a_token_without_the_name_of_its_key(issuer: OidcIssuer, checker: Checker) -> None:
    """Taken where only one key can be meant."""
    nameless = issuer.token(header={"kid": None})
    assert await checker.owner(nameless) == "alice"
    issuer.add_key("second")
    checker.wait(TTL)
    assert await checker.owner(nameless) == "alice", "it was checked before, and its key stands"
    assert await checker.refusal(issuer.token("bob", header={"kid": None})) == "token_invalid"


async def test_leeway_is_as_configured(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    settings = oidc_settings(issuer, safereel_oidc_leeway_ms=60_000)
    checker = Checker(TokenVerifier(await open_trusts(settings, opened)))
    token = issuer.token(exp=checker.now - timedelta(seconds=50), nbf=checker.now + timedelta(seconds=50))
    assert await checker.owner(token) == "alice"
    checker.wait(timedelta(seconds=11))
    assert await checker.refusal(token) == "token_expired"


async def test_both_kinds_of_issuer_are_told_apart_by_iss(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    secret = "a secret of at least thirty-two bytes"
    settings = oidc_settings(issuer, safereel_token_secret=secret)
    checker = Checker(TokenVerifier(await open_trusts(settings, opened)))
    ours = {"iss": "safereel", "aud": "safereel", "sub": "bob", "exp": checker.now + timedelta(hours=1)}
    assert await checker.owner(issuer.token()) == "alice"
    assert await checker.owner(jwt.encode(ours, secret, "HS256")) == "bob"
    for claims, key, algorithm in [
        ({**ours, "iss": issuer.url, "aud": AUDIENCE}, secret, "HS256"),
        (ours, known_key("first", "ES256"), "ES256"),
    ]:
        forged = jwt.encode(claims, key, algorithm, headers={"kid": "first"})
        assert await checker.refusal(forged) == "token_invalid", algorithm


@pytest.mark.parametrize(
    ("path", "settings", "claims", "scopes"),
    [
        (
            "/realms/clinic",
            {"safereel_oidc_scope_claims": "realm_access.roles", "safereel_oidc_scope_prefix": "safereel-"},
            {
                "aud": [AUDIENCE, "account"],
                "scope": "openid admin",
                "realm_access": {"roles": ["offline_access", "admin", "safereel-record"]},
            },
            {"record"},
        ),
        (
            "/",
            {"safereel_oidc_scope_claims": "permissions"},
            {"aud": [AUDIENCE, "https://clinic.example/userinfo"], "scope": "admin", "permissions": ["record"]},
            {"record"},
        ),
        (
            "/5c1d/v2.0",
            {"safereel_oidc_scope_claims": "roles"},
            {"scope": None, "scp": "admin", "roles": ["record", "admin"], "ver": "2.0"},
            {"record", "admin"},
        ),
    ],
    ids=["Keycloak", "Auth0", "Entra ID"],
)
async def test_providers_that_docs_operations_names(
    opened: AsyncExitStack, path: str, settings: dict[str, Any], claims: dict[str, Any], scopes: set[str]
) -> None:
    """With the settings that stand there: what a caller may ask for itself in `scope` gives it nothing."""
    with OidcIssuer(path) as issuer:
        issuer.extra_keys = [{**jwk_of(known_key("other", "RS256"), kid="other"), "use": "enc", "alg": "RSA-OAEP"}]
        issuer.add_key("first", "RS256")
        verifier = TokenVerifier(await open_trusts(oidc_settings(issuer, **settings), opened))
        identity = await verifier.verify(issuer.token("f3a1|x", **claims), datetime.now(UTC))
        assert (identity.owner, identity.scopes) == ("f3a1|x", frozenset(scopes))


async def test_over_http(stack: EmbeddedStack, settings: Settings, issuer: OidcIssuer) -> None:
    """A served control plane that trusts the provider alone: what callers see of it."""
    url, bucket = settings.database_url.get_secret_value(), settings.s3_bucket_name
    trusting = settings_for(
        stack,
        url,
        bucket,
        safereel_token_secret="",
        safereel_oidc_issuer=issuer.url,
        safereel_oidc_audience=AUDIENCE,
        safereel_oidc_scope_claims="scope,roles",
    )
    later = timedelta(0)
    async with (
        running_plane(stack, trusting, issues_tokens=False, clock=lambda: datetime.now(UTC) + later) as running,
        aiohttp.ClientSession() as client,
    ):

        async def ask(token: str) -> tuple[int, dict[str, Any], Any]:
            headers = {"authorization": f"Bearer {token}"}
            async with client.get(f"{running.endpoint}/v1/me", headers=headers) as answer:
                return answer.status, await answer.json(content_type=None), answer.headers

        issuer.fail(503)
        status, told, headers = await ask(issuer.token("org|42"))
        assert (status, told["code"]) == (503, "identity_unavailable")
        assert int(headers["retry-after"]) > 0
        assert issuer.url not in json.dumps(told)

        issuer.recover()
        later = FETCH_EVERY
        status, told, _ = await ask(issuer.token("org|42"))
        assert (status, told["owner"]) == (200, "org|42")
        status, told, _ = await ask(issuer.token("org|42", scope="openid"))
        assert (status, told["code"]) == (403, "scope_missing")
        assert (await ask(issuer.token("org|42", scope="openid", roles=["record"])))[0] == 200
        status, told, headers = await ask(issuer.token(kid="unknown"))
        assert (status, told["code"], headers["www-authenticate"]) == (401, "token_invalid", "Bearer")

        async with client.post(f"{running.endpoint}/v1/session") as answer:
            assert answer.status == 404
            assert "token" not in (await answer.json(content_type=None))
