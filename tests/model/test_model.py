"""The protocol holds in every state of small bounds, and the model tells when a rule is missing."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.model.search import MISSED_LATE, Bounds, Model, built, rules

# Room for more steps costs half a second of each search; one that were deeper would not be complete.
DEEP_ENOUGH = 100_000
SMALL: Bounds = {"VANISHES": 1}
ELSEWHERE: Mapping[str, Bounds] = {
    "ACK_AFTER_DELETION": {"ACKS": 1, "DELETIONS": 1},
    "TICKET_TWICE": {"SWEEPS": 2, "ACKS": 0, "VANISHES": 1},
    "NO_OVERWRITE": {"CORRUPTIONS": 1},
    "LOST_FOR_EVER": {"ACKS": 0, "BEATS": 1, "VANISHES": 1, "RETURNS": 1},
    "OLD_ANSWERS": {"ACKS": 0, "BEATS": 2, "VANISHES": 1},
}
"""What one sweep, one ack and a bucket that loses the object once are too few for."""


@pytest.fixture(scope="module")
def small() -> Iterator[Model]:
    with ExitStack() as opened:
        yield opened.enter_context(built(SMALL, optimized=False))


def test_every_state_of_small_bounds_is_right(small: Model) -> None:
    seen = small.search(deepest=DEEP_ENOUGH)

    assert seen.error is None
    assert seen.complete
    assert seen.states > 50_000, "a model in which hardly anything can happen proves nothing"


@pytest.mark.parametrize("rule", sorted(set(rules()) - set(ELSEWHERE) - set(MISSED_LATE)))
def test_a_rule_that_is_missing_is_noticed(small: Model, rule: str) -> None:
    seen = small.search(broken=rules()[rule], deepest=DEEP_ENOUGH)

    assert seen.error is not None


@pytest.mark.parametrize("rule", ELSEWHERE)
def test_a_rule_of_other_bounds_that_is_missing_is_noticed(rule: str) -> None:
    with built(ELSEWHERE[rule], optimized=False) as model:
        assert model.search(broken=rules()[rule], deepest=DEEP_ENOUGH).error is not None
