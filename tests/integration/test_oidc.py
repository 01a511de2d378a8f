"""Tokens of an OpenID provider, checked with the keys of a real one on loopback: rotation, outages, floods, forgeries."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from control_plane.config import Settings
from control_plane.domain.errors import Refusal
from control_plane.embedded import EmbeddedStack
from control_plane.oidc.provider import MAX_DOCUMENT_BYTES, Provider
from control_plane.services.identity import MAX_TOKEN_CHARS, TokenVerifier
from control_plane.services.provider_trust import FETCH_EVERY, KeyRing, ProviderTrust
from control_plane.wiring import open_trusts
from tests.support.oidc_issuer import (
    AUDIENCE,
    DISCOVERY_PATH,
    JWKS_PATH,
    OidcIssuer,
    jwk_of,
    known_key,
    new_key,
)
from tests.support.plane import running_plane, settings_for

pytestmark = pytest.mark.anyio

TTL = timedelta(minutes=10)
MAX_AGE = timedelta(hours=24)
DEADLINE_S = 10.0


class Checker:
    """A verifier as production wires it, and a clock that the test moves."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self.verifier = verifier
        self.now = datetime.now(UTC)

    async def owner(self, token: str) -> str:
        return (await self.verifier.verify(token, self.now)).owner

    async def refusal(self, token: str) -> str:
        """The code of the refusal."""
        with pytest.raises(Refusal) as refused:
            await self.verifier.verify(token, self.now)
        return refused.value.code

    def wait(self, time: timedelta) -> None:
        self.now += time


def oidc_settings(issuer: OidcIssuer, **changed: object) -> Settings:
    given: dict[str, Any] = {
        "database_url": "postgresql://localhost/none",
        "s3_endpoint": "http://localhost",
        "s3_access_key_id": "none",
        "s3_secret_access_key": "none",
        "s3_bucket_name": "none",
        "safereel_oidc_issuer": issuer.url,
        "safereel_oidc_audience": AUDIENCE,
        **changed,
    }
    return Settings(**given)


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer() as found:
        found.add_key("first")
        yield found


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as found:
        yield found


@pytest.fixture
async def checker(issuer: OidcIssuer, opened: AsyncExitStack) -> Checker:
    return Checker(TokenVerifier(await open_trusts(oidc_settings(issuer), opened)))


async def eventually(what: str, look: Callable[[], bool]) -> None:
    """Waits until `look` is true."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not look():  # noqa: ASYNC110  # what is looked at is in another thread
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {DEADLINE_S:g} s") from None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_each_kind_of_key(issuer: OidcIssuer, checker: Checker, algorithm: str) -> None:
    issuer.add_key(f"of {algorithm}", algorithm)
    assert await checker.owner(issuer.token("alice")) == "alice"
    assert issuer.requests == [DISCOVERY_PATH, JWKS_PATH]
    assert await checker.owner(issuer.token("bob")) == "bob"
    assert issuer.times_asked() == 1


async def test_many_callers_at_once_fetch_once(issuer: OidcIssuer, checker: Checker) -> None:
    tokens = [issuer.token(f"owner {at}") for at in range(200)]
    assert await asyncio.gather(*map(checker.owner, tokens)) == [f"owner {at}" for at in range(200)]
    assert issuer.times_asked() == 1


async def test_rotation_is_seen_with_the_first_token_of_the_new_key(issuer: OidcIssuer, checker: Checker) -> None:
    old = issuer.token("alice")
    assert await checker.owner(old) == "alice"
    checker.wait(FETCH_EVERY)
    issuer.add_key("second")
    assert await checker.owner(issuer.token("bob", kid="second")) == "bob"
    assert await checker.owner(old) == "alice"
    assert issuer.times_asked() == 2


async def test_a_key_taken_back_counts_no_longer_than_its_ttl(issuer: OidcIssuer, checker: Checker) -> None:
    """Even for a token that was checked before and is remembered."""
    issuer.add_key("second")
    old = issuer.token("alice", kid="first", now=checker.now)
    assert await checker.owner(old) == "alice"
    issuer.remove_key("first")
    checker.wait(TTL - timedelta(seconds=1))
    assert await checker.owner(old) == "alice"
    checker.wait(timedelta(seconds=1))
    assert await checker.refusal(old) == "token_invalid"
    assert await checker.owner(issuer.token("alice", kid="second")) == "alice"


async def test_another_key_under_the_same_name_ends_what_the_old_one_showed(
    issuer: OidcIssuer, checker: Checker
) -> None:
    stolen = issuer.token("alice", now=checker.now)
    assert await checker.owner(stolen) == "alice"
    issuer.remove_key("first")
    issuer.extra_keys = [jwk_of(known_key("another", "ES256"), kid="first")]
    checker.wait(TTL)
    assert await checker.refusal(stolen) == "token_invalid"


async def test_all_keys_taken_back(issuer: OidcIssuer, checker: Checker) -> None:
    token = issuer.token("alice")
    assert await checker.owner(token) == "alice"
    issuer.remove_key("first")
    checker.wait(TTL)
    assert await checker.refusal(token) == "token_invalid"


async def test_made_up_keys_do_not_hammer_the_provider(issuer: OidcIssuer, checker: Checker) -> None:
    assert await checker.owner(issuer.token()) == "alice"
    checker.wait(FETCH_EVERY)
    forged = [issuer.token(kid=f"made up {at}") for at in range(300)]
    assert set(await asyncio.gather(*map(checker.refusal, forged))) == {"token_invalid"}
    assert issuer.times_asked() == 2
    for at in range(60):
        checker.wait(timedelta(seconds=1))
        assert await checker.refusal(forged[at]) == "token_invalid"
    assert issuer.times_asked() == 2 + 60 // FETCH_EVERY.seconds
    assert await checker.owner(issuer.token("bob")) == "bob"


async def test_a_provider_that_is_down_from_the_start(issuer: OidcIssuer, checker: Checker) -> None:
    token = issuer.token()
    issuer.fail(503)
    assert await checker.refusal(token) == "identity_unavailable"
    issuer.recover()
    assert await checker.refusal(token) == "identity_unavailable", "it was asked a moment ago"
    assert len(issuer.requests) == 1
    checker.wait(FETCH_EVERY)
    assert await checker.owner(token) == "alice"


async def test_the_last_keys_stand_while_the_provider_is_down(issuer: OidcIssuer, checker: Checker) -> None:
    exp = checker.now + timedelta(days=3)
    token = issuer.token("alice", exp=exp)
    assert await checker.owner(token) == "alice"
    issuer.fail(500)
    checker.wait(TTL)
    assert await checker.owner(token) == "alice"
    assert await checker.owner(issuer.token("bob", exp=exp)) == "bob"
    assert await checker.refusal(issuer.token(kid="perhaps new", exp=exp)) == "identity_unavailable"
    checker.wait(MAX_AGE - TTL - timedelta(seconds=1))
    assert await checker.owner(token) == "alice"
    checker.wait(timedelta(seconds=1) + FETCH_EVERY)
    assert await checker.refusal(token) == "identity_unavailable"
    issuer.recover()
    checker.wait(FETCH_EVERY)
    assert await checker.owner(token) == "alice"


async def test_a_provider_that_hangs_is_waited_for_once(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    settings = oidc_settings(issuer)
    provider = Provider(
        issuer.url,
        jwks_url="",
        algorithms=frozenset(settings.safereel_oidc_algorithms),
        http_allowed=False,
        fetch_s=0.3,
    )
    ring = KeyRing(await opened.enter_async_context(provider), ttl=TTL, max_age=MAX_AGE)
    opened.push_async_callback(ring.close)
    (trust,) = await open_trusts(settings, opened)
    checker = Checker(TokenVerifier([ProviderTrust(ring, trust.rules)]))
    token = issuer.token("alice", now=checker.now)
    assert await checker.owner(token) == "alice"

    issuer.hang()
    checker.wait(TTL)
    assert await checker.owner(token) == "alice", "once it was waited for"
    checker.wait(FETCH_EVERY)
    asked = len(issuer.requests)
    assert await checker.owner(token) == "alice"
    assert await checker.owner(issuer.token("bob")) == "bob"
    await eventually("it is asked again behind their backs", lambda: len(issuer.requests) > asked)
    issuer.recover()
    checker.wait(FETCH_EVERY)
    issuer.add_key("second")
    await checker.owner(token)
    await eventually("its keys are taken again", lambda: issuer.times_asked() == 2)
    checker.wait(FETCH_EVERY)
    assert await checker.owner(issuer.token("carol", kid="second")) == "carol"


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {}, b"<html>sign in</html>"),
        (200, {}, b""),
        (200, {}, b"null"),
        (200, {}, b'{"keys": "none"}'),
        (200, {}, b'{"keys": [{"kty": "oct", "k": "AAAA"}]}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b"\xff\xfe\x00"),
        (200, {}, b'{"keys": []' + b" " * MAX_DOCUMENT_BYTES + b"}"),
        (200, {"content-encoding": "gzip"}, b"\x1f\x8b\x08"),
        (200, {"content-length": "5000"}, b'{"keys": []}'),
        (302, {"location": "/elsewhere"}, b""),
        (404, {}, b"{}"),
        (204, {}, b""),
    ],
)
async def test_junk_takes_no_key_away(
    issuer: OidcIssuer, checker: Checker, status: int, headers: dict[str, str], body: bytes
) -> None:
    token = issuer.token()
    assert await checker.owner(token) == "alice"
    issuer.replies = {JWKS_PATH: (status, headers, body)}
    checker.wait(TTL)
    assert await checker.owner(token) == "alice"
    assert issuer.times_asked() == 2


async def test_one_bad_key_does_not_spoil_the_rest(issuer: OidcIssuer, checker: Checker) -> None:
    issuer.extra_keys = [None, {"kty": "RSA", "kid": "first"}, {"kty": "oct", "k": "AAAA", "kid": "first"}, []]
    assert await checker.owner(issuer.token()) == "alice"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://somebody.example", "jwks_uri": "{url}/keys"},
        {"issuer": "{url}"},
        {"issuer": "{url}", "jwks_uri": "http://id.example/keys"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": 5},
        {"issuer": "{url}/", "jwks_uri": "{url}/keys"},
        [],
    ],
)
async def test_discovery_that_cannot_be_believed(issuer: OidcIssuer, checker: Checker, document: object) -> None:
    body = json.dumps(document).replace("{url}", issuer.url).encode()
    issuer.replies = {DISCOVERY_PATH: (200, {}, body)}
    assert await checker.refusal(issuer.token()) == "identity_unavailable"
    assert issuer.times_asked() == 0


async def test_keys_by_their_own_address(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    settings = oidc_settings(issuer, safereel_oidc_jwks_url=issuer.url + JWKS_PATH)
    checker = Checker(TokenVerifier(await open_trusts(settings, opened)))
    assert await checker.owner(issuer.token()) == "alice"
    assert issuer.requests == [JWKS_PATH]


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
