"""What is begun ahead is handed out in order, bounded, and closed whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from control_plane.services.ahead import opened_ahead, read_ahead

pytestmark = pytest.mark.anyio


class Openings:
    """Says what is open, and fails to open what it was told to."""

    def __init__(self, *, failing: int | None = None, hanging: int | None = None) -> None:
        self.open = set[int]()
        self.most = 0
        self._failing = failing
        self._hanging = hanging

    @asynccontextmanager
    async def of(self, number: int) -> AsyncIterator[int]:
        if number == self._failing:
            raise RuntimeError(f"{number} cannot be opened")
        if number == self._hanging:
            await asyncio.Event().wait()
        self.open.add(number)
        self.most = max(self.most, len(self.open))
        try:
            await asyncio.sleep(0)
            yield number
        finally:
            self.open.discard(number)


async def turns(openings: Openings, ahead: int, seen: list[int], *, fails_at: int | None = None) -> None:
    """Six of them, each in its turn, in which others get theirs."""
    async with aclosing(opened_ahead(map(openings.of, range(6)), ahead=ahead)) as opened:
        async for number in opened:
            await asyncio.sleep(0.001)
            assert number in openings.open
            if number == fails_at:
                raise RuntimeError("in its turn")
            seen.append(number)


@pytest.mark.parametrize("ahead", [1, 2])
async def test_all_have_their_turn_in_order_while_the_next_are_opened(ahead: int) -> None:
    openings, seen = Openings(), list[int]()
    await turns(openings, ahead, seen)
    assert (seen, openings.open, openings.most) == (list(range(6)), set(), ahead + 1)


async def test_what_cannot_be_opened_is_told_in_its_turn_and_nothing_stays_open() -> None:
    openings, seen = Openings(failing=2), list[int]()
    with pytest.raises(RuntimeError, match="2 cannot be opened"):
        await turns(openings, 2, seen)
    assert (seen, openings.open) == ([0, 1], set())


async def test_who_fails_in_a_turn_leaves_nothing_open_nor_waits_for_what_hangs() -> None:
    openings, seen = Openings(hanging=2), list[int]()
    with pytest.raises(RuntimeError, match="in its turn"):
        await turns(openings, 2, seen, fails_at=1)
    assert (seen, openings.open) == ([0], set())


async def test_pages_are_asked_for_ahead_and_a_failure_comes_after_those_before_it() -> None:
    asked, seen = list[int](), list[tuple[int, int]]()

    async def pages() -> AsyncIterator[int]:
        for number in range(3):
            asked.append(number)
            yield number
        raise RuntimeError("half way")

    async def read() -> None:
        async with aclosing(read_ahead(pages())) as ahead:
            async for page in ahead:
                await asyncio.sleep(0.001)
                seen.append((page, len(asked)))

    with pytest.raises(RuntimeError, match="half way"):
        await read()
    assert seen == [(0, 2), (1, 3), (2, 3)], "the next is asked for while one is worked on, and no further"
