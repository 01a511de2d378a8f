"""Statements that arrive together are run together.

One row per commit gives some 7,000 commits a second at best, a hundred rows per commit 147,000 rows: while statements
are under way, what arrives in the meantime is gathered and becomes the next one. Nobody waits for a timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from control_plane.db.database import DatabaseUnreachable
from control_plane.db.patience import waiting, within_request

Item = TypeVar("Item")
Result = TypeVar("Result")

# More than one, so that a statement that waits for a lock does not hold up everybody; few, so that they stay full.
AT_ONCE = 3
# Keeps one statement's arrays, and the locks it holds, small.
MAX_TOGETHER = 2_000


class Coalescer(Generic[Item, Result]):
    """Runs `run(items)` for the items of many callers at once; each gets the whole statement's result.

    An exception of a run reaches every caller whose items were in it. A caller that is cancelled or gives up does not stop
    the run: its items may have taken effect, as with any lost answer; those that wait for a run are left out of it.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Awaitable[Result]], *, at_once: int = AT_ONCE) -> None:
        self._run = run
        self._at_once = at_once
        self._waiting: list[tuple[Sequence[Item], asyncio.Future[Result]]] = []
        self._workers: set[asyncio.Task[None]] = set()

    async def submit(self, items: Sequence[Item]) -> Result:
        """The result of the statement in which `items` took part. Raises `DatabaseUnreachable` also if that takes too long."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        if len(self._workers) < self._at_once:
            worker = asyncio.create_task(self._drain())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        with waiting() as give_up_at:
            timer = asyncio.get_running_loop().call_at(give_up_at, _give_up, done)
            try:
                return await done
            finally:
                timer.cancel()

    async def _drain(self) -> None:
        while batch := self._take():
            try:
                # A patience of its own: what is left of one caller's is not enough for the others.
                with within_request():
                    result = await self._run([item for items, _ in batch for item in items])
            except Exception as exc:  # noqa: BLE001  # handed on to each caller, who handles it
                _settle(batch, exc)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(result)

    def _take(self) -> list[tuple[Sequence[Item], asyncio.Future[Result]]]:
        self._waiting = [(items, done) for items, done in self._waiting if not done.done()]
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
        if not done.done():
            done.set_exception(exc)


def _give_up(done: asyncio.Future[Any]) -> None:
    if not done.done():
        done.set_exception(DatabaseUnreachable("no answer in time to the statements of many"))
