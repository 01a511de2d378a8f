"""Claims to identities: scopes in all shapes, times at their edges, and what no token may say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.domain.errors import TokenExpired, TokenInvalid
from control_plane.domain.identity import ClaimRules, identity_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LEEWAY = timedelta(seconds=10)
RULES = ClaimRules("https://id.example", frozenset({"safereel", "api://safereel"}), LEEWAY, ("scope", "scp"))
GOOD = {"iss": "https://id.example", "aud": "safereel", "sub": "alice", "scope": "record", "exp": NOW.timestamp() + 60}


def scopes_of(claims: dict[str, object], names: Sequence[str], prefix: str = "") -> set[str]:
    rules = ClaimRules(RULES.issuer, RULES.audiences, LEEWAY, names, prefix)
    bare = {name: value for name, value in GOOD.items() if name != "scope"}
    return set(identity_of({**bare, **claims}, rules, NOW).scopes)


@pytest.mark.parametrize(
    ("claims", "names", "scopes"),
    [
        ({"scope": "openid  record"}, ["scope"], {"openid", "record"}),
        ({"scp": "record admin"}, ["scope", "scp"], {"record", "admin"}),
        ({"scp": ["record", "admin"]}, ["scope", "scp"], {"record", "admin"}),
        ({"scope": "record", "scp": ["admin"]}, ["scope", "scp"], {"record", "admin"}),
        ({"roles": ["record"]}, ["roles"], {"record"}),
        ({"permissions": ["record"]}, ["roles", "permissions"], {"record"}),
        ({"realm_access": {"roles": ["record"]}}, ["realm_access.roles"], {"record"}),
        ({"https://us.example/roles": ["record"]}, ["https://us.example/roles"], {"record"}),
        ({"realm_access": ["record"]}, ["realm_access.roles"], set()),
        ({"scope": ""}, ["scope"], set()),
        ({"scope": None}, ["scope"], set()),
        ({"roles": ["record"]}, ["scope"], set()),
        ({}, ["scope", "scp"], set()),
    ],
)
def test_scopes_in_all_shapes(claims: dict[str, object], names: Sequence[str], scopes: set[str]) -> None:
    assert scopes_of(claims, names) == scopes


def test_a_prefix_keeps_other_services_scopes_out() -> None:
    assert scopes_of({"scope": "record safereel:admin"}, ["scope"], "safereel:") == {"admin"}


@pytest.mark.parametrize("audience", ["safereel", "api://safereel", ["other", "safereel"]])
def test_audiences_that_are_ours(audience: object) -> None:
    assert identity_of({**GOOD, "aud": audience}, RULES, NOW).owner == "alice"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "other"},
        {"aud": ["other", "safereels"]},
        {"aud": []},
        {"aud": [["safereel"]]},
        {"aud": {"safereel": True}},
        {"aud": None},
        {"iss": "https://id.example/"},
        {"iss": ["https://id.example"]},
        {"iss": None},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": "a\nb"},
        {"sub": "\ud800"},
        {"sub": 5},
        {"sub": None},
        {"exp": None},
        {"exp": True},
        {"exp": "1999999999"},
        {"exp": float("inf")},
        {"exp": 1e300},
        {"exp": [1]},
        {"nbf": NOW.timestamp() + 11},
        {"nbf": "soon"},
        {"scope": 5},
        {"scope": {"record": True}},
        {"scp": ["record", 5]},
    ],
)
def test_claims_that_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        identity_of({**GOOD, **changed}, RULES, NOW)


def test_leeway_at_its_edges() -> None:
    """A token is good until `leeway` after `exp`, and from `leeway` before `nbf`."""
    at = NOW.timestamp()
    assert identity_of({**GOOD, "exp": at - 9.5, "nbf": at + 10}, RULES, NOW).owner == "alice"
    with pytest.raises(TokenExpired):
        identity_of({**GOOD, "exp": at - 10}, RULES, NOW)
