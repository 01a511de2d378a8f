"""Statements of many callers at once: one that meets a locked row is repeated party by party, and only its party waits."""

import asyncio
from collections.abc import Sequence

import pytest

from control_plane.db.coalescing import BRIEF_MS, MAX_TOGETHER, LockingCoalescer
from control_plane.db.database import LOCK_TIMEOUT_MS, RowLocked

pytestmark = pytest.mark.anyio


class Ledger:
    """Runs statements for items such as `alice 1`; whoever waits patiently for a locked owner waits until `unlock`."""

    def __init__(self) -> None:
        self.locked = set[str]()
        self.batches: list[tuple[list[str], int]] = []
        self.freed = asyncio.Event()
        self.patient = asyncio.Event()

    async def run(self, items: Sequence[str], lock_wait_ms: int) -> int:
        self.batches.append((list(items), lock_wait_ms))
        await asyncio.sleep(0)
        if self.locked & {owner_of(item) for item in items}:
            if lock_wait_ms == BRIEF_MS:
                raise RowLocked("not soon")
            self.patient.set()
            await self.freed.wait()
            if self.locked & {owner_of(item) for item in items}:
                raise RowLocked("not at all")
        return len(items)


def owner_of(item: str) -> str:
    return item.partition(" ")[0]


async def test_of_one_batch_only_the_locked_party_waits() -> None:
    ledger = Ledger()
    calls = LockingCoalescer(ledger.run, party=owner_of, at_once=1)
    ledger.locked = {"alice"}
    alice, bob, carol = (asyncio.create_task(calls.submit([f"{name} 1"])) for name in ("alice", "bob", "carol"))
    assert list(await asyncio.gather(bob, carol)) == [1, 1]
    assert ledger.batches[0] == (["alice 1", "bob 1", "carol 1"], BRIEF_MS), "they were one batch"
    # Nor do later batches meet her again: all she asks meanwhile waits in her lane, and goes together.
    later = [asyncio.create_task(calls.submit([item])) for item in ("alice 2", "alice 3", "bob 2")]
    assert await later[2] == 1
    assert not alice.done()
    ledger.locked.clear()
    ledger.freed.set()
    assert list(await asyncio.gather(alice, *later[:2])) == [1, 2, 2]
    hers = [batch for batch in ledger.batches if owner_of(batch[0][0]) == "alice"]
    together = (["alice 1", "bob 1", "carol 1"], BRIEF_MS)
    alone = (["alice 1"], BRIEF_MS), (["alice 1"], LOCK_TIMEOUT_MS)
    assert hers == [together, *alone, (["alice 2", "alice 3"], BRIEF_MS)]


async def test_a_party_that_stays_locked_is_told_so_and_loses_no_call() -> None:
    ledger = Ledger()
    calls = LockingCoalescer(ledger.run, party=owner_of)
    ledger.locked = {"alice"}
    ledger.freed.set()
    told = await asyncio.gather(*(calls.submit([item]) for item in ("alice 1", "bob 1")), return_exceptions=True)
    assert isinstance(told[0], RowLocked)
    assert told[1] == 1
    ledger.locked.clear()
    assert await calls.submit(["alice 2"]) == 1


async def test_a_lane_of_many_calls_is_emptied() -> None:
    ledger = Ledger()
    calls = LockingCoalescer(ledger.run, party=owner_of)
    ledger.locked = {"alice"}
    first = asyncio.create_task(calls.submit(["alice 0"]))
    await ledger.patient.wait()
    many = [asyncio.create_task(calls.submit(["alice"] * (MAX_TOGETHER // 2 + 1))) for _ in range(5)]
    await asyncio.sleep(0)
    ledger.freed.set()  # still locked: the first fails, and so do those that were waiting, one statement after the other
    assert all(isinstance(it, RowLocked) for it in await asyncio.gather(first, *many, return_exceptions=True))


async def test_many_locked_parties_do_not_hold_up_the_others() -> None:
    ledger = Ledger()
    calls = LockingCoalescer(ledger.run, party=owner_of)
    ledger.locked = {f"locked{number}" for number in range(40)}
    waiting = [asyncio.create_task(calls.submit([name])) for name in sorted(ledger.locked)]
    assert await asyncio.gather(*(calls.submit([f"free{number}"]) for number in range(40))) is not None
    assert sum(wait == LOCK_TIMEOUT_MS for _, wait in ledger.batches) == 3, "connections are left for everybody else"
    ledger.locked.clear()
    ledger.freed.set()
    assert len(await asyncio.gather(*waiting)) == 40


async def test_another_failure_reaches_everybody_of_the_batch_and_is_not_repeated() -> None:
    runs = []

    async def fail(items: Sequence[str], _lock_wait_ms: int) -> int:
        runs.append(items)
        raise ValueError("whatever")

    calls = LockingCoalescer(fail, party=owner_of)
    told = await asyncio.gather(*(calls.submit([item]) for item in ("alice 1", "bob 1")), return_exceptions=True)
    assert [type(it) for it in told] == [ValueError, ValueError]
    assert len(runs) == 1
