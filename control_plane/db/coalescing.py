"""Statements that arrive together are run together.

One row per commit gives some 7,000 commits a second at best, a hundred rows per commit 147,000 rows: while statements
are under way, what arrives in the meantime is gathered and becomes the next one. Nobody waits for a timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# More than one, so that a statement that waits for a lock does not hold up everybody; few, so that they stay full.
AT_ONCE = 3
# Keeps one statement's arrays, and the locks it holds, small.
MAX_TOGETHER = 2_000


class Coalescer(Generic[Item, Result]):
    """Runs `run(items)` for the items of many callers at once; each gets the whole statement's result.

    An exception of a run reaches every caller whose items were in it. A caller that is cancelled does not stop the run:
    its items may have taken effect, as with any lost answer.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Awaitable[Result]], *, at_once: int = AT_ONCE) -> None:
        self._run = run
        self._at_once = at_once
        self._waiting: list[tuple[Sequence[Item], asyncio.Future[Result]]] = []
        self._workers: set[asyncio.Task[None]] = set()

    async def submit(self, items: Sequence[Item]) -> Result:
        """The result of the statement in which `items` took part."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        if len(self._workers) < self._at_once:
            worker = asyncio.create_task(self._drain())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await done

    async def _drain(self) -> None:
        while self._waiting:
            batch = self._take()
            try:
                result = await self._run([item for items, _ in batch for item in items])
            except Exception as exc:  # noqa: BLE001  # handed on to each caller, who handles it
                _settle(batch, exc)
            else:
                for _, done in batch:
                    if not done.cancelled():
                        done.set_result(result)

    def _take(self) -> list[tuple[Sequence[Item], asyncio.Future[Result]]]:
        taken = 0
        count = 0
        for items, _ in self._waiting:
            if taken and count + len(items) > MAX_TOGETHER:
                break
            taken += 1
            count += len(items)
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch


def _settle(batch: Sequence[tuple[object, asyncio.Future[Result]]], exc: Exception) -> None:
    for _, done in batch:
        if not done.cancelled():
            done.set_exception(exc)
