"""Many small calls to the bucket at once, and no more than it should bear."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

# Small objects beside the chunks: what a store answers one after another in a minute takes some seconds.
SMALL_CALLS = 16

Given = TypeVar("Given")
Answer = TypeVar("Answer")


async def at_once(
    call: Callable[[Given], Awaitable[Answer]], given: Iterable[Given], *, most: int = SMALL_CALLS
) -> Sequence[Answer]:
    """The answers, in order; `most` calls are under way at once. All have ended when it returns; raises what the first of
    those that failed has raised.

    Once one has failed, no more are begun: of a store that hangs, thousands would be waited for one after the other.
    """
    turns = asyncio.Semaphore(most)
    failed: list[BaseException] = []

    async def in_turn(one: Given) -> Answer:
        async with turns:
            if failed:
                raise failed[0]
            try:
                return await call(one)
            except BaseException as exc:
                failed.append(exc)
                raise

    ends = await asyncio.gather(*(in_turn(one) for one in given), return_exceptions=True)
    answers = list[Answer]()
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        answers.append(end)
    return answers
