"""Rate limits: nobody passes the limit in any window, others are not touched, and a store that is down stops nobody."""

import logging
import math
import socket

import pytest

from control_plane.services import limiting
from control_plane.services.limiting import OwnersInMemory, RateLimits, open_rate_limits

pytestmark = pytest.mark.anyio

WINDOW_S = 10


class Clock:
    """Stands where `time` stands in the module."""

    def __init__(self) -> None:
        self.now = 1_000_000.0  # the beginning of a window

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time as the test says; the library itself asks for it too."""
    clock = Clock()
    monkeypatch.setattr(limiting, "time", clock)
    monkeypatch.setattr("limits.aio.strategies.time", clock)
    return clock


def limits(calls: int) -> RateLimits:
    return RateLimits(OwnersInMemory(), calls=calls, window_s=WINDOW_S)


async def taken(counted: RateLimits, tries: int, owner: str = "alice") -> int:
    """How many of so many calls pass."""
    found = [await counted.take(owner) for _ in range(tries)]
    return sum(one is not None and one.taken for one in found)


async def test_what_is_left_goes_down_to_nought_and_no_further(clock: Clock) -> None:
    counted = limits(3)
    left = []
    for _ in range(5):
        found = await counted.take("alice")
        assert found is not None
        left.append((found.taken, found.left, found.calls, found.window_s))
    assert left == [(True, 2, 3, 10), (True, 1, 3, 10), (True, 0, 3, 10), (False, 0, 3, 10), (False, 0, 3, 10)]


async def test_an_owner_is_not_touched_by_another(clock: Clock) -> None:
    counted = limits(3)
    assert await taken(counted, 10) == 3
    assert await taken(counted, 10, "bob") == 3


async def test_two_windows_that_meet_do_not_let_twice_as_many_pass(clock: Clock) -> None:
    counted = limits(100)
    clock.now += WINDOW_S - 1
    assert await taken(counted, 200) == 100
    clock.now += 1.5  # half a second into the next window: nearly all of the last one still counts
    assert await taken(counted, 200) <= 6


async def test_whoever_waits_as_long_as_told_may_go_on(clock: Clock) -> None:
    counted = limits(20)
    passed = 0
    for _ in range(60):
        found = await counted.take("alice")
        assert found is not None
        passed += found.taken
        if not found.taken:
            assert 1 <= found.more_in_s <= WINDOW_S
            clock.now += found.more_in_s
    seconds = clock.now - 1_000_000
    assert 20 < passed <= 20 + math.ceil(seconds / WINDOW_S) * 20


async def test_an_owner_who_calls_no_more_is_forgotten(clock: Clock) -> None:
    storage = OwnersInMemory()
    counted = RateLimits(storage, calls=5, window_s=WINDOW_S)
    for number in range(100):
        await counted.take(f"owner {number}")
    clock.now += 3 * WINDOW_S
    await counted.take("alice")
    assert len(storage._windows) == 1


async def test_nought_is_no_limit() -> None:
    assert await limits(0).take("alice") is None


async def test_a_store_that_is_down_lets_every_call_pass_and_says_so_once(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        async with open_rate_limits(url, calls=1, window_s=WINDOW_S) as counted:
            for _ in range(20):
                assert await counted.take("alice") is None
            clock.now += limiting.OUTAGE_S + 0.1
            for _ in range(20):
                assert await counted.take("alice") is None
            assert counted.unchecked == 40
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in said] == ["The store of rate limits does not answer; every call passes"]


async def test_when_the_store_is_back_calls_count_again(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    storage = OwnersInMemory()
    counted = RateLimits(storage, calls=2, window_s=WINDOW_S)

    async def refuse(*_: object) -> bool:
        raise ConnectionRefusedError("nobody there")

    with pytest.MonkeyPatch.context() as outage:
        outage.setattr(storage, "acquire_sliding_window_entry", refuse)
        assert await counted.take("alice") is None
    assert await counted.take("alice") is None, "it is asked again only after a while"
    clock.now += limiting.OUTAGE_S + 0.1
    assert await taken(counted, 5) == 2
    assert caplog.records[-1].getMessage() == "The store of rate limits answers again"
    assert vars(caplog.records[-1])["unchecked"] == 2
