"""The keys of an OpenID provider, a real one on loopback: kinds, rotation, outages, floods, junk."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from control_plane.oidc.provider import MAX_DOCUMENT_BYTES, Provider
from control_plane.services.identity import TokenVerifier
from control_plane.services.provider_trust import FETCH_EVERY, KeyRing, ProviderTrust
from control_plane.wiring import open_trusts
from tests.support.oidc_issuer import (
    DISCOVERY_PATH,
    JWKS_PATH,
    OidcIssuer,
    jwk_of,
    known_key,
)
from tests.support.token_checker import MAX_AGE, TTL, Checker, oidc_settings

pytestmark = pytest.mark.anyio

DEADLINE_S = 10.0


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


async def ring_of(issuer: OidcIssuer, opened: AsyncExitStack, *, fetch_s: float) -> Checker:
    """Trusts the provider, and waits so long for it."""
    settings = oidc_settings(issuer)
    algorithms = frozenset(settings.safereel_oidc_algorithms)
    provider = Provider(issuer.url, jwks_url="", algorithms=algorithms, http_allowed=False, fetch_s=fetch_s)
    ring = KeyRing(await opened.enter_async_context(provider), ttl=TTL, max_age=MAX_AGE)
    opened.push_async_callback(ring.close)
    (trust,) = await open_trusts(settings, opened)
    return Checker(TokenVerifier([ProviderTrust(ring, trust.rules)]))


async def test_a_provider_that_hangs_is_given_up(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    checker = await ring_of(issuer, opened, fetch_s=0.3)
    token = issuer.token("alice", now=checker.now)
    issuer.hang()
    assert await checker.refusal(token) == "identity_unavailable"
    issuer.recover()
    checker.wait(FETCH_EVERY)
    assert await checker.owner(token) == "alice"
    issuer.hang()
    checker.wait(TTL)
    assert await checker.owner(token) == "alice", "by the last keys"


async def test_nobody_waits_for_a_provider_that_failed_the_last_time(
    issuer: OidcIssuer, opened: AsyncExitStack
) -> None:
    checker = await ring_of(issuer, opened, fetch_s=10 * DEADLINE_S)
    token = issuer.token("alice", now=checker.now)
    assert await checker.owner(token) == "alice"
    issuer.fail(503)
    checker.wait(TTL)
    assert await checker.owner(token) == "alice"

    issuer.hang()
    asked = len(issuer.requests)
    checker.wait(FETCH_EVERY)
    async with asyncio.timeout(DEADLINE_S):
        assert await checker.owner(token) == "alice"
        assert await checker.owner(issuer.token("bob")) == "bob"
    await eventually("it is asked again behind their backs", lambda: len(issuer.requests) > asked)
    issuer.add_key("second")
    issuer.recover()
    assert await checker.owner(issuer.token("carol", kid="second")) == "carol", "who needs the new key waits for it"


async def test_a_slow_provider_is_waited_for(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    """All who come while it is asked get their answer when it comes."""
    checker = await ring_of(issuer, opened, fetch_s=10 * DEADLINE_S)
    issuer.hang()
    asking = [asyncio.create_task(checker.owner(issuer.token(f"owner {at}"))) for at in range(20)]
    await eventually("it is asked", lambda: bool(issuer.requests))
    issuer.recover()
    assert await asyncio.gather(*asking) == [f"owner {at}" for at in range(20)]
    assert issuer.times_asked() == 1


async def test_keys_are_fetched_before_the_first_call(
    issuer: OidcIssuer, checker: Checker, caplog: pytest.LogCaptureFixture
) -> None:
    """So that a wrong address is in the log of the start, and the first caller waits for nothing."""
    issuer.fail(404)
    checker.verifier.begin(checker.now)
    await eventually("the log says so", lambda: "cannot be had" in caplog.text)
    issuer.recover()
    checker.wait(FETCH_EVERY)
    checker.verifier.begin(checker.now)
    await eventually("it is asked", lambda: issuer.times_asked() == 1)
    assert await checker.owner(issuer.token()) == "alice"
    assert issuer.times_asked() == 1


async def test_redirects_are_not_followed(issuer: OidcIssuer, checker: Checker) -> None:
    """The address that was configured is the one that is trusted."""
    elsewhere = json.dumps(issuer.jwks).encode()
    issuer.replies = {JWKS_PATH: (302, {"location": "/elsewhere"}, b""), "/elsewhere": (200, {}, elsewhere)}
    assert await checker.refusal(issuer.token()) == "identity_unavailable"
    assert "/elsewhere" not in issuer.requests


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
        # Reaches the provider, but says nothing that makes plain HTTP safe.
        {"issuer": "{url}", "jwks_uri": "http://0.0.0.0:{port}/keys"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": 5},
        {"issuer": "{url}/", "jwks_uri": "{url}/keys"},
        [],
    ],
)
async def test_discovery_that_cannot_be_believed(issuer: OidcIssuer, checker: Checker, document: object) -> None:
    body = json.dumps(document).replace("{url}", issuer.url).replace("{port}", issuer.url.rpartition(":")[2]).encode()
    issuer.replies = {DISCOVERY_PATH: (200, {}, body)}
    assert await checker.refusal(issuer.token()) == "identity_unavailable"
    assert issuer.times_asked() == 0


async def test_keys_by_their_own_address(issuer: OidcIssuer, opened: AsyncExitStack) -> None:
    settings = oidc_settings(issuer, safereel_oidc_jwks_url=issuer.url + JWKS_PATH)
    checker = Checker(TokenVerifier(await open_trusts(settings, opened)))
    assert await checker.owner(issuer.token()) == "alice"
    assert issuer.requests == [JWKS_PATH]


async def test_more_tokens_than_are_remembered(
    issuer: OidcIssuer, checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Are each checked again, and cost no key and no memory."""
    monkeypatch.setattr("control_plane.services.identity.KNOWN_TOKENS", 3)
    tokens = [issuer.token(f"owner {at}") for at in range(8)]
    for _ in range(2):
        assert [await checker.owner(token) for token in tokens] == [f"owner {at}" for at in range(8)]
        assert len(checker.verifier._known) == 3  # what is bounded shows nowhere else
    assert issuer.times_asked() == 1
