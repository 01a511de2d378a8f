"""What comes next is begun while this is worked on: the bucket, the database and this process then work at the same time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


async def read_ahead(items: AsyncIterator[Item]) -> AsyncGenerator[Item, None]:
    """The same items, each asked for while the one before it is worked on; to be closed (`aclosing`) where it is left early."""

    async def one_more() -> tuple[Item] | None:
        async for item in items:
            return (item,)
        return None

    coming = asyncio.create_task(one_more())
    try:
        while (found := await coming) is not None:
            coming = asyncio.create_task(one_more())
            yield found[0]
    finally:
        await _given_up(coming)


async def opened_ahead(
    openings: Iterable[AbstractAsyncContextManager[Item]], *, ahead: int
) -> AsyncGenerator[Item, None]:
    """Each of these open, one after another, and closed after its turn: the next `ahead` ones are being opened meanwhile.

    To be closed (`aclosing`) where it is left early.
    """
    rest = iter(openings)
    coming = deque(_begun(opening) for opening in islice(rest, ahead))
    try:
        while coming:
            opening, entering = coming[0]
            opened = await entering
            coming.popleft()
            coming.extend(_begun(following) for following in islice(rest, 1))
            try:
                yield opened
            finally:
                await opening.__aexit__(None, None, None)
    finally:
        for opening, entering in coming:
            await _given_up(entering)
            if not entering.cancelled() and entering.exception() is None:
                await opening.__aexit__(None, None, None)


def _begun(
    opening: AbstractAsyncContextManager[Item],
) -> tuple[AbstractAsyncContextManager[Item], "asyncio.Task[Item]"]:
    async def enter() -> Item:
        return await opening.__aenter__()

    return opening, asyncio.create_task(enter())


async def _given_up(task: "asyncio.Task[object]") -> None:
    """Ends it; what it would have raised was not asked for any more."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # looked at, or asyncio says that nobody did
