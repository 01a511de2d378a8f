"""When releases stop, and when they go on: the decisions, by table."""

from datetime import UTC, datetime

import pytest

from control_plane.domain.freezing import (
    Evidence,
    Freeze,
    FreezeCause,
    FreezeRules,
    Unknown,
    is_mass,
    may_thaw,
    missing_of,
    unknown_of,
)

RULES = FreezeRules(percent=1, chunks=100)
NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("looked_at", "found", "stops", "why"),
    [
        (2, 1, False, "half of two chunks"),
        (99, 99, False, "all there is, and not much"),
        (100, 100, True, "all there is"),
        (1_000_000, 100, False, "a ten-thousandth"),
        (10_000, 100, False, "exactly the share is not more than it"),
        (9_999, 100, True, "just more than the share"),
        (1_000_000, 10_001, True, "much of much"),
        (0, 0, False, "nothing was looked at"),
    ],
)
def test_releases_stop_by_share_and_number(looked_at: int, found: int, stops: bool, why: str) -> None:
    assert is_mass(Evidence(looked_at, found), RULES) is stops, why


def test_a_share_of_nought_leaves_the_number_alone() -> None:
    assert is_mass(Evidence(1_000_000, 100), FreezeRules(percent=0, chunks=100))


def test_what_is_audited_every_minute_is_counted_once() -> None:
    seen = Evidence(0, 0)
    for found in (0, 60, 60):
        seen = seen.plus(Evidence(1_000, found))
    assert missing_of(seen, known=1_000) == Evidence(1_000, 120)


def test_a_shard_is_judged_by_what_was_looked_at() -> None:
    assert missing_of(Evidence(4_000, 200), known=1_000_000) == Evidence(4_000, 200)


def test_all_that_was_found_was_looked_at() -> None:
    assert missing_of(Evidence(400, 200), known=0) == Evidence(200, 200), "all of it is lost by now"


def test_unknown_keys_that_were_thawed_do_not_count_again() -> None:
    assert unknown_of(Unknown(unknown=500, looked_at=1_000, accepted=0)) == Evidence(1_500, 500)
    assert unknown_of(Unknown(unknown=500, looked_at=1_000, accepted=500)) == Evidence(1_500, 0)
    assert unknown_of(Unknown(unknown=400, looked_at=1_000, accepted=500)).found == 0


@pytest.mark.parametrize(
    ("cause", "all_covered", "still_unknown", "thaws"),
    [
        (FreezeCause.MISSING, True, False, True),
        (FreezeCause.MISSING, False, False, False),
        (FreezeCause.MISSING, True, True, False),
        (FreezeCause.UNKNOWN, True, False, True),
        (FreezeCause.UNKNOWN, True, True, False),
        (FreezeCause.ADMINISTRATOR, True, False, False),
    ],
)
def test_audits_thaw_what_audits_froze(cause: FreezeCause, all_covered: bool, still_unknown: bool, thaws: bool) -> None:
    assert may_thaw(Freeze(NOW, cause), all_covered=all_covered, still_unknown=still_unknown) is thaws
