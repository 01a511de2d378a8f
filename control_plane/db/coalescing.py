"""Statements that arrive together are run together.

One row per commit gives some 7,000 commits a second at best, a hundred rows per commit 147,000 rows: while statements
are under way, what arrives in the meantime is gathered and becomes the next one. Nobody waits for a timer, and nobody for
another party's locked row: a statement that meets one is repeated party by party.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Generic, TypeAlias, TypeVar

from control_plane.db.database import LOCK_TIMEOUT_MS, RowLocked

Item = TypeVar("Item")
Result = TypeVar("Result")
# One caller's items, and where it waits for the result.
Call: TypeAlias = tuple[Sequence[Item], asyncio.Future[Result]]

# More than one, so that a statement that waits for a lock does not hold up everybody; few, so that they stay full.
AT_ONCE = 3
# Keeps one statement's arrays, and the locks it holds, small.
MAX_TOGETHER = 2_000
# A row is locked for some ms, under load for some ten; who waits for longer than this is told apart from the others.
BRIEF_MS = 250
# Parties that are repeated alone at once: they are told apart soon, and leave connections to everybody else.
APART_AT_ONCE = 4
# Parties that wait for their locked rows at once: of a pool of 16 they never take what the others need.
LOCKED_AT_ONCE = 3


class Coalescer(Generic[Item, Result]):
    """Runs `run(items)` for the items of many callers at once; each gets the whole statement's result.

    An exception of a run reaches every caller whose items were in it. A caller that is cancelled does not stop the run:
    its items may have taken effect, as with any lost answer.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Awaitable[Result]], *, at_once: int = AT_ONCE) -> None:
        self._run = run
        self._at_once = at_once
        self._waiting: list[Call[Item, Result]] = []
        self._workers: set[asyncio.Task[None]] = set()

    async def submit(self, items: Sequence[Item]) -> Result:
        """The result of the statement in which `items` took part."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._enqueue([(items, done)])
        return await done

    def _enqueue(self, calls: Sequence[Call[Item, Result]]) -> None:
        self._waiting += calls
        if self._waiting and len(self._workers) < self._at_once:
            _start(self._drain(), self._workers)

    async def _drain(self) -> None:
        while self._waiting:
            await self._carry_out(_take(self._waiting))

    async def _carry_out(self, batch: Sequence[Call[Item, Result]]) -> None:
        await _settle(batch, self._run)


class LockingCoalescer(Coalescer[Item, Result]):
    """The same for statements that lock rows: `run(items, lock_wait_ms)` raises `RowLocked` where it waited so long in vain.

    All items of a call are of one `party`, and no two parties lock the same rows. A party whose rows are locked waits in a
    lane of its own, with all its calls that arrive meanwhile, and for `LOCK_TIMEOUT_MS` at most.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item], int], Awaitable[Result]],
        *,
        party: Callable[[Item], str],
        at_once: int = AT_ONCE,
    ) -> None:
        super().__init__(lambda items: run(items, BRIEF_MS), at_once=at_once)
        self._run_patiently: Callable[[Sequence[Item]], Awaitable[Result]] = lambda items: run(items, LOCK_TIMEOUT_MS)
        self._party = party
        self._lanes: dict[str, list[Call[Item, Result]]] = {}
        self._lane_workers: set[asyncio.Task[None]] = set()
        self._locked = asyncio.Semaphore(LOCKED_AT_ONCE)

    def _enqueue(self, calls: Sequence[Call[Item, Result]]) -> None:
        free = list[Call[Item, Result]]()
        for call in calls:
            self._lanes.get(self._party(call[0][0]), free).append(call)
        super()._enqueue(free)

    async def _carry_out(self, batch: Sequence[Call[Item, Result]]) -> None:
        try:
            await _settle(batch, self._run, but=RowLocked)
        except RowLocked:
            await self._apart(batch)

    async def _apart(self, batch: Sequence[Call[Item, Result]]) -> None:
        """Each party of the batch by itself; those whose rows are locked go on alone."""
        parties: dict[str, list[Call[Item, Result]]] = {}
        for call in batch:
            parties.setdefault(self._party(call[0][0]), []).append(call)
        if len(parties) == 1:
            for party, calls in parties.items():
                self._wait_alone(party, calls)
            return
        few = asyncio.Semaphore(APART_AT_ONCE)

        async def alone(party: str, calls: list[Call[Item, Result]]) -> None:
            async with few:
                try:
                    await _settle(calls, self._run, but=RowLocked)
                except RowLocked:
                    self._wait_alone(party, calls)

        await asyncio.gather(*(alone(party, calls) for party, calls in parties.items()))

    def _wait_alone(self, party: str, calls: list[Call[Item, Result]]) -> None:
        if party in self._lanes:
            self._lanes[party] += calls
            return
        self._lanes[party] = calls
        _start(self._drain_lane(party), self._lane_workers)

    async def _drain_lane(self, party: str) -> None:
        """Until one statement got through, or nobody waits any more; what is left then is among the others again."""
        lane = self._lanes[party]
        locked = True
        while lane and locked:
            async with self._locked:
                batch = _take(lane)
                try:
                    await _settle(batch, self._run_patiently, but=RowLocked)
                    locked = False
                except RowLocked as exc:
                    _fail(batch, exc)
        del self._lanes[party]
        self._enqueue(lane)


def _start(work: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _take(waiting: list[Call[Item, Result]]) -> Sequence[Call[Item, Result]]:
    """Removes the first calls, as many as go together."""
    taken = 0
    count = 0
    for items, _ in waiting:
        if taken and count + len(items) > MAX_TOGETHER:
            break
        taken += 1
        count += len(items)
    batch = waiting[:taken]
    del waiting[:taken]
    return batch


async def _settle(
    batch: Sequence[Call[Item, Result]],
    run: Callable[[Sequence[Item]], Awaitable[Result]],
    *,
    but: type[Exception] | tuple[()] = (),
) -> None:
    """Runs the batch and gives each caller its end: the result, or the exception, which is raised here if it is a `but`."""
    try:
        result = await run([item for items, _ in batch for item in items])
    except but:
        raise
    except Exception as exc:  # noqa: BLE001  # handed on to each caller, who handles it
        _fail(batch, exc)
    else:
        for _, done in batch:
            if not done.cancelled():
                done.set_result(result)


def _fail(batch: Sequence[Call[Item, Result]], exc: Exception) -> None:
    for _, done in batch:
        if not done.cancelled():
            done.set_exception(exc)
