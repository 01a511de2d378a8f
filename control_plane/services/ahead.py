"""What comes next is begun while this is worked on: the bucket, the database and this process then work at the same time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
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


async def opened_ahead(openings: Iterable[AbstractAsyncContextManager[Item]]) -> AsyncGenerator[Item, None]:
    """Each of these open, one after another, and closed after its turn: the next is being opened meanwhile, so two are at most.

    To be closed (`aclosing`) where it is left early.
    """
    rest = iter(openings)
    coming = _begun(rest)
    try:
        while coming is not None:
            opening, entering = coming
            opened = await asyncio.shield(entering)
            coming = _begun(rest)
            try:
                yield opened
            finally:
                await opening.__aexit__(None, None, None)
    finally:
        if coming is not None:
            opening, entering = coming
            await _given_up(entering)
            if not entering.cancelled() and entering.exception() is None:
                await opening.__aexit__(None, None, None)


def _begun(
    rest: Iterable[AbstractAsyncContextManager[Item]],
) -> tuple[AbstractAsyncContextManager[Item], "asyncio.Task[Item]"] | None:
    async def enter(opening: AbstractAsyncContextManager[Item]) -> Item:
        return await opening.__aenter__()

    for opening in rest:
        return opening, asyncio.create_task(enter(opening))
    return None


async def _given_up(task: "asyncio.Task[object]") -> None:
    """Ends it; what it would have raised was not asked for any more."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # looked at, or asyncio says that nobody did
