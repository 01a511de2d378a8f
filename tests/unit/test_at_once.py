"""Many calls at once, no more than so many, and all of them over at the end."""

import asyncio

import pytest

from control_plane.services.at_once import SMALL_CALLS, at_once

pytestmark = pytest.mark.anyio


async def test_so_many_at_once_and_no_more() -> None:
    under_way = most = 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(3):
            await asyncio.sleep(0)
        under_way -= 1
        return number * 2

    assert await at_once(call, range(100)) == [number * 2 for number in range(100)]
    assert most == SMALL_CALLS


async def test_a_failure_is_told_when_all_have_ended() -> None:
    ended = list[int]()

    async def call(number: int) -> None:
        await asyncio.sleep(0)
        ended.append(number)
        if number in {1, 2}:
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        await at_once(call, range(5))
    assert ended == [0, 1, 2, 3, 4]


async def test_after_a_failure_no_more_are_begun() -> None:
    begun = 0

    async def call(number: int) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        await at_once(call, range(1_000))
    assert begun == SMALL_CALLS
