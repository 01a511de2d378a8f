"""What an administrator starts ends in time, whatever there is to do; what is left is gone on with at once."""

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.db.deletion import DeletionStore
from control_plane.db.owners import OwnerStore
from control_plane.services import emptying, manifests, purging, quotas
from tests.support.deletions import admin, let_urls_die, recorded, versions
from tests.support.plane import Running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

# Two steps fit into what a call may take, a third one does not begin.
STEP_S = 6.0


class Clock:
    """A clock of the services that goes on by a step whenever one of these methods has done its work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 1_000.0
        self._monkeypatch = monkeypatch
        for module in (manifests, purging, quotas):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self._now))

    def takes_long(self, kind: type, method: str) -> None:
        done: Callable[..., Awaitable[Any]] = getattr(kind, method)

        async def slow(*args: Any, **given: Any) -> Any:
            found = await done(*args, **given)
            self._now += STEP_S
            return found

        self._monkeypatch.setattr(kind, method, slow)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_a_purge_of_many_objects_goes_on_in_the_next_call(
    running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "REMOVED_TOGETHER", 1)
    clock.takes_long(S3Bucket, "remove")
    async with running.recorder() as recorder:
        await recorded(recorder, 4)
        there = len(await versions(running, recorder))
        await recorder.delete()
        told = await admin(running, "POST", "/v1/admin/purge")
        assert told == {"looked_at": 1, "removed": 2, "finished": 0, "failed": 0, "more": True}
        assert len(await versions(running, recorder)) == there - 2
        while told["more"]:
            told = await admin(running, "POST", "/v1/admin/purge")
            assert (told["looked_at"], told["failed"]) == (1, 0), "nobody waits for a lease"
        assert await versions(running, recorder) == []


async def test_rows_of_many_chunks_go_in_several_calls(
    running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "ROWS_TOGETHER", 1)
    async with running.recorder() as recorder:
        await recorded(recorder, 3)
        await recorder.delete()
        await running.plane.services.purges.run()
        await let_urls_die(running)
        clock.takes_long(DeletionStore, "forget_chunks")
        told = await admin(running, "POST", "/v1/admin/purge")
        assert (told["looked_at"], told["finished"], told["more"]) == (1, 0, True)
        assert await running.sql("select count(*) as left from chunks") == [{"left": 1}]
        told = await admin(running, "POST", "/v1/admin/purge")
        assert (told["looked_at"], told["finished"]) == (1, 1)
        assert await recorder.delete() == "deleted"


async def test_a_purge_that_others_are_left_of_says_so(running: Running, clock: Clock) -> None:
    clock.takes_long(DeletionStore, "seen")
    recorders = [running.recorder() for _ in range(3)]
    for recorder in recorders:
        async with recorder:
            await recorded(recorder, 1)
            await recorder.delete()
    told = await admin(running, "POST", "/v1/admin/purge")
    assert (told["looked_at"], told["more"]) == (2, True)
    told = await admin(running, "POST", "/v1/admin/purge")
    assert (told["looked_at"], told["more"]) == (1, False)


async def test_what_a_process_that_died_was_at_is_left_to_its_lease(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder)
        await recorder.delete()
        claimed = await running.plane.services.purges._deletions.claim_purge(lease=timedelta(minutes=5))
        assert claimed is not None
        assert claimed.id == UUID(recorder.recording_id)
        assert (await admin(running, "POST", "/v1/admin/purge"))["looked_at"] == 0


async def test_manifests_that_are_left_are_told(running: Running, clock: Clock) -> None:
    clock.takes_long(S3Bucket, "write")
    recorders = [running.recorder() for _ in range(3)]
    for recorder in recorders:
        async with recorder:
            await recorder.complete(await recorded(recorder, 1))
    told = await admin(running, "POST", "/v1/admin/manifests")
    assert told == {"written": 2, "failed": 0, "waiting": 1}
    told = await admin(running, "POST", "/v1/admin/manifests")
    assert told == {"written": 1, "failed": 0, "waiting": 0}


async def test_a_recount_says_with_whom_to_go_on(running: Running, clock: Clock) -> None:
    owners = ["alice", "bob", "carol"]
    for owner in owners:
        async with running.recorder(owner) as recorder:
            await recorded(recorder, 1)
    await running.sql("update owners set used_bytes = used_bytes + 1")
    clock.takes_long(OwnerStore, "recount")
    told = await admin(running, "POST", "/v1/admin/quotas/recount")
    assert ([one["owner"] for one in told["drifted"]], told["next_after"]) == (["alice", "bob"], "bob")
    told = await admin(running, "POST", "/v1/admin/quotas/recount?after=bob")
    assert ([one["owner"] for one in told["drifted"]], told["next_after"]) == (["carol"], None)
