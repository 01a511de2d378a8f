"""A row that somebody holds locked: only those wait who have to, and for ever nobody."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from control_plane.db import coalescing, database
from control_plane.db.database import Database, DatabaseUnreachable
from control_plane.domain.models import ChunkClaim, GrantRequest, ProvenAck
from control_plane.services import expiring
from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def locked(running: Running, recorder: Recorder) -> AsyncIterator[None]:
    """The recording's row, as its completion and deletion lock it."""
    url = running.settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        lock = "select from recordings where id = %(id)s for no key update"
        await connection.execute(lock, {"id": recorder.recording_id})
        yield
        await connection.rollback()


@asynccontextmanager
async def locked_owner(running: Running, owner: str) -> AsyncIterator[None]:
    """The owner's row, as whatever counts locks it."""
    url = running.settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("select from owners where id = %(id)s for update", {"id": owner})
        yield
        await connection.rollback()


async def test_no_grant_waits_for_another_owners_recording(running: Running) -> None:
    async with running.recorder("alice") as alice, running.recorder("bob", recording_id=alice.recording_id) as bob:
        await alice.start()
        async with locked(running, alice):
            with pytest.raises(Refused) as refused:
                await bob.grant([bob.chunk(0)])
    assert refused.value.problem.code == "recording_unknown", "503 would tell that the recording is there"


async def test_recordings_expire_beside_one_that_is_locked(running: Running) -> None:
    async with running.recorder("alice") as busy, running.recorder("bob") as idle:
        await busy.start()
        await idle.start()
        await running.sql("update recordings set expires_at = now() - interval '1 second'")
        async with locked(running, busy):
            expired = await running.plane.services.expiry.run()
            assert [str(it) for it in expired.recordings] == [idle.recording_id]
        expired = await running.plane.services.expiry.run()
        assert [str(it) for it in expired.recordings] == [busy.recording_id]


@pytest.mark.parametrize("what", ["owner", "recording"])
async def test_of_one_batch_only_the_locked_owner_waits(
    running: Running, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Grants, then acks of three owners in one statement, while one of them is locked: the others' are done, its own later."""
    monkeypatch.setattr(coalescing, "LOCK_TIMEOUT_MS", 14_000)  # what it waits is longer than all that the others do
    store = running.plane.services.acks._chunks
    async with AsyncExitStack() as opened:
        recorders = [await opened.enter_async_context(running.recorder(name)) for name in ("bob", "alice", "carol")]
        bob, alice, carol = recorders
        for recorder in recorders:
            await recorder.start()
            await recorder.grant([recorder.chunk(1, size=10)])

        def grant(recorder: Recorder, owner: str) -> Coroutine[None, None, Any]:
            chunk = recorder.chunk(0, size=10)
            claim = ChunkClaim(0, 0, chunk.size, chunk.sha256)
            return store.grant(GrantRequest(owner, UUID(recorder.recording_id), [claim]))

        def ack(recorder: Recorder, owner: str) -> Coroutine[None, None, Any]:
            proven = ProvenAck(UUID(recorder.recording_id), 1, recorder.chunk(1, size=10).sha256, '"etag"')
            return store.record_acks(owner, [proven])

        for call in (grant, ack):
            async with locked_owner(running, "alice") if what == "owner" else locked(running, alice):
                # Begun in one moment, so they are one batch.
                tasks = [asyncio.create_task(call(*it)) for it in ((bob, "bob"), (alice, "alice"), (carol, "carol"))]
                assert all(await asyncio.gather(tasks[0], tasks[2]))
                assert not tasks[1].done()
            assert await tasks[1], "as soon as its row is free"
        assert await reserved(running) == {"alice": 1, "bob": 1, "carol": 1}


async def test_who_is_locked_for_too_long_is_told_to_ask_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalescing, "LOCK_TIMEOUT_MS", 500)
    async with running.recorder("alice") as alice:
        await alice.start()
        async with locked_owner(running, "alice"):
            with pytest.raises(Refused) as refused:
                await alice.grant([alice.chunk(0, size=10)])
        assert refused.value.problem.code == "database_unavailable"
        (granted,) = await alice.grant([alice.chunk(0, size=10)])
        assert granted.state == "granted"


async def test_a_recount_goes_on_beside_an_owner_that_is_locked(running: Running) -> None:
    async with running.recorder("alice") as alice, running.recorder("bob") as bob:
        await alice.start()
        await bob.start()
        await running.sql("update owners set reserved_bytes = 7")
        async with locked_owner(running, "alice"):
            assert [found.owner for found in await running.plane.services.quotas.recount_all()] == ["bob"]
        assert [found.owner for found in await running.plane.services.quotas.recount_all()] == ["alice"]


async def test_dead_grants_are_freed_beside_an_owner_that_is_locked(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "GRANTS_TOGETHER", 2)
    async with running.recorder("alice") as alice, running.recorder("bob") as bob:
        for recorder in (alice, bob):
            await recorder.start()
            await recorder.grant([recorder.chunk(seq, size=10) for seq in range(5)])
        # Alice's first: more than a page of them is passed over, and those of one moment are all told apart.
        await running.sql(
            "update chunks set expires_at = now() - interval '2 seconds' where recording_id = %(id)s", of(alice)
        )
        await running.sql(
            "update chunks set expires_at = now() - interval '1 second' where recording_id = %(id)s", of(bob)
        )
        async with locked_owner(running, "alice"):
            assert (await running.plane.services.expiry.run()).grants == 5
            assert await reserved(running) == {"alice": 5, "bob": 0}
        assert (await running.plane.services.expiry.run()).grants == 5
        assert await reserved(running) == {"alice": 0, "bob": 0}
        assert (await running.plane.services.expiry.run()).grants == 0


async def test_one_run_drains_a_backlog(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "GRANTS_TOGETHER", 3)
    monkeypatch.setattr(expiring, "RECORDINGS_TOGETHER", 1)
    async with running.recorder() as recorder, running.recorder() as second:
        for each in (recorder, second):
            await each.start()
        await recorder.grant([recorder.chunk(seq, size=10) for seq in range(10)])
        await running.sql("update chunks set expires_at = now() - interval '1 second'")
        await running.sql("update recordings set expires_at = now() - interval '1 second'")
        expired = await running.plane.services.expiry.run()
        assert (expired.grants, expired.freed_bytes, len(expired.recordings)) == (10, 100, 2)


async def test_a_run_ends_though_there_is_more(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "GRANTS_TOGETHER", 3)
    monkeypatch.setattr(expiring, "PAGES_A_RUN", 2)
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.grant([recorder.chunk(seq, size=10) for seq in range(10)])
        await running.sql("update chunks set expires_at = now() - interval '1 second'")
        assert [(await running.plane.services.expiry.run()).grants for _ in range(3)] == [6, 4, 0]


async def reserved(running: Running) -> dict[str, int]:
    """How many live grants each owner has, as kept."""
    rows = await running.sql("select id, reserved_chunks from owners")
    return {row["id"]: row["reserved_chunks"] for row in rows}


def of(recorder: Recorder) -> dict[str, str]:
    return {"id": recorder.recording_id}


async def test_a_transaction_that_hangs_lets_its_locks_go(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "IDLE_IN_TRANSACTION_MS", 100)
    url = running.settings.database_url.get_secret_value()
    async with running.recorder() as recorder, Database.open(url, max_size=1, timeout_s=5) as hanging:
        await recorder.start()
        wanted = {"id": recorder.recording_id, "owner": "alice"}

        async def hang() -> None:
            async with hanging.transaction() as connection:
                await hanging.row("recording_lock", wanted, on=connection)
                async with asyncio.timeout(20):
                    while not await running.sql("select id from recordings for update skip locked"):
                        pass
                await hanging.row("recording_lock", wanted, on=connection)

        with pytest.raises(DatabaseUnreachable):
            await hang()
        assert await hanging.row("recording_lock", wanted), "the pool has another connection"
