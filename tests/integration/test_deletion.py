"""Deletion as owners and recorders see it: committed first, quota free at once, for ever."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from control_plane.domain.keys import derived_prefix
from tests.support.deletions import (
    code_of,
    finish,
    listed,
    quota,
    recorded,
    until_somebody_waits,
    versions,
)
from tests.support.plane import Running
from tests.support.recorder import Refused

pytestmark = pytest.mark.anyio


async def test_the_whole_life_of_a_deletion(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder)
        key = await running.key_of(recorder, 0)
        await running.put_over(key, b"an older version, or a newer one")
        await running.hide_object(key)
        await running.put_object(f"{derived_prefix(UUID(recorder.recording_id))}film.webm", b"assembled")
        await recorder.grant([recorder.chunk(3, size=500)])
        assert await quota(recorder) == (9_000, 500)

        assert await recorder.delete() == "deleting"
        assert await quota(recorder) == (0, 0), "free at once, though the bytes are still there"
        assert len(await versions(running, recorder)) == 7
        status = await recorder.status()
        assert (status.state, status.complete) == ("deleting", False)
        assert status.members["deletion"]["cause"] == "owner"
        assert status.members["deletion"]["failures"] == 0
        assert (await listed(recorder))[recorder.recording_id]["state"] == "deleting"
        for call in (
            recorder.start(),
            recorder.grant([chunks[0]]),
            recorder.ack([(0, None)]),
            recorder.complete(chunks),
            recorder.call("GET", f"/v1/recordings/{recorder.recording_id}/chunks"),
        ):
            assert await code_of(call) == (410, "recording_deleted")

        purged = await running.plane.services.purges.run()
        assert (purged.looked_at, purged.removed, purged.finished, purged.failed) == (1, 7, 0, 0)
        assert await versions(running, recorder) == []
        assert (await recorder.status()).state == "deleting", "a URL that was given out may still bring something"
        assert (await running.plane.services.purges.run()).looked_at == 0, "not again at once"

        await finish(running)
        assert await recorder.delete() == "deleted"
        assert await code_of(recorder.status()) == (410, "recording_deleted")
        assert await code_of(recorder.start()) == (410, "recording_deleted")
        assert await code_of(recorder.start(source="file")) == (410, "recording_deleted")
        assert await listed(recorder) == {}
        assert await running.sql("select * from chunks") == []
        (tombstone,) = await running.sql("select state, title, deleted_at, purged_objects from recordings")
        assert (tombstone["state"], tombstone["title"], tombstone["purged_objects"]) == ("deleted", None, 7)
        assert tombstone["deleted_at"] is not None


@pytest.mark.parametrize("state", ["open", "expired", "complete"])
async def test_a_recording_is_deleted_in_any_state(running: Running, state: str) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder)
        if state == "complete":
            await recorder.complete(chunks)
        if state == "expired":
            await running.sql("update recordings set expires_at = now() - interval '1 second'")
            await running.plane.services.expiry.run()
        assert (await recorder.status()).state == state
        assert await recorder.delete() == "deleting"
        first = (await recorder.status()).members["deletion"]
        assert await recorder.delete() == "deleting"
        assert (await recorder.status()).members["deletion"] == first, "repeated, it changes nothing"
        assert await running.plane.services.quotas.recount_all() == [], "the ledger agrees"
        assert await quota(recorder) == (0, 0)
        await finish(running)
        assert await recorder.delete() == await recorder.delete() == "deleted"
        assert await versions(running, recorder) == []
        assert await quota(recorder) == (0, 0)


async def test_a_deletion_takes_nothing_of_anybody_else(running: Running) -> None:
    async with running.recorder("alice") as alice, running.recorder("alice") as other, running.recorder("bob") as bob:
        for recorder in (alice, other, bob):
            await recorded(recorder)
        kept = await versions(running, other), await versions(running, bob)
        before = await running.sql("select * from recordings where id <> %(id)s", {"id": alice.recording_id})
        async with running.recorder("bob", recording_id=alice.recording_id) as thief:
            assert await code_of(thief.delete()) == (404, "recording_unknown")
        assert (await alice.status()).state == "open"

        await alice.delete()
        await finish(running)
        await running.plane.audit.run()
        assert await versions(running, alice) == []
        assert (await versions(running, other), await versions(running, bob)) == kept
        assert len(kept[0]) == 4
        assert await running.sql("select * from recordings where id <> %(id)s", {"id": alice.recording_id}) == before
        assert await quota(alice) == await quota(bob) == (9_000, 0)


async def test_recorders_that_hold_any_of_it_are_told_each_time(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder("bob") as bob:
        chunks = await recorded(recorder)
        assert (await recorder.beat(chunks)).discard == ()
        await recorder.delete()
        second = running.recorder(recording_id=recorder.recording_id)
        async with second:
            for _ in range(2):
                for holder in (recorder, second):
                    beat = await holder.beat(chunks)
                    assert beat.discard == (recorder.recording_id,)
                    assert (beat.releases, beat.tickets, beat.notices) == ({}, (), ())
        await finish(running)
        for _ in range(2):
            beat = await recorder.beat(chunks)
            assert (beat.discard, beat.notices) == ((recorder.recording_id,), ())
        assert (await recorder.beat()).discard == ()
        (notice,) = (
            await bob.beat_holding([{"recording_id": recorder.recording_id, "ranges": [[0, 0]], "open": False}])
        ).notices
        assert notice["code"] == "recording_unknown", "nobody else hears that it was deleted"


async def test_open_tickets_are_withdrawn_and_no_sweep_undoes_it(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder)
        await running.plane.confirm.run()
        key = await running.key_of(recorder, 1)
        await running.delete_object(key)
        await running.plane.audit.run()
        await running.plane.audit.run()
        assert len((await recorder.beat(chunks)).tickets) == 1
        await recorder.delete()
        (ticket,) = await running.sql("select state, cause, closed_at from tickets")
        assert (ticket["state"], ticket["cause"]) == ("withdrawn", "deleted")
        await running.put_object_with_digest(key, chunks[1].data)  # there again, as if it had never gone
        before = await running.sql("select * from chunks order by seq")
        for _ in range(2):
            await running.plane.audit.run()
            await running.plane.confirm.run()
        assert await running.sql("select * from chunks order by seq") == before
        assert (await recorder.status()).state == "deleting"
        await finish(running)
        report = await running.plane.audit.run()
        assert (report.detail["discrepancies"], report.detail["tickets_opened"]) == ({}, 0)
        assert await running.sql("select * from tickets") == []
        assert await quota(recorder) == (0, 0)


async def test_deleted_while_it_is_being_recorded(running: Running) -> None:
    """Sending goes on in four places; the deletion is committed, and in the end nothing is left."""
    async with running.recorder() as recorder:
        await recorder.start()
        started = asyncio.Event()

        async def send(lane: int) -> str:
            for seq in range(lane, 10_000, 4):
                try:
                    await recorder.send([recorder.chunk(seq, size=2_000)])
                except Refused as refused:
                    return refused.problem.code
                started.set()
            return "never told"

        lanes = [asyncio.create_task(send(lane)) for lane in range(4)]
        await started.wait()
        assert await recorder.delete() == "deleting"
        assert await asyncio.gather(*lanes) == ["recording_deleted"] * 4
        assert await quota(recorder) == (0, 0)
        await finish(running)
        assert await versions(running, recorder) == []
        assert await recorder.delete() == "deleted"


async def test_an_ack_and_a_deletion_at_once_are_one_after_the_other(running: Running) -> None:
    async with running.recorder() as keeper:
        await recorded(keeper)

        async def race() -> str:
            async with running.recorder() as recorder:
                await recorder.start()
                chunk = recorder.chunk(0, size=1_000)
                (grant,) = await recorder.grant([chunk])
                put = await recorder.put(grant, chunk)
                acked, state = await asyncio.gather(
                    recorder.ack([(0, put.etag)]), recorder.delete(), return_exceptions=True
                )
                assert state == "deleting"
                if isinstance(acked, BaseException):
                    assert isinstance(acked, Refused)
                    assert acked.problem.code == "recording_deleted"
                    return "refused"
                return acked[0].state

        seen = await asyncio.gather(*(race() for _ in range(20)))
        assert set(seen) <= {"acked", "refused"}
        assert await quota(keeper) == (9_000, 0)
        assert await running.plane.services.quotas.recount_all() == []


async def test_urls_given_out_at_the_same_moment_are_waited_for(running: Running) -> None:
    """A ticket is being delivered, with a URL of its own: the deletion comes after it, and knows how long the URL lives."""
    async with running.recorder() as recorder:
        await recorded(recorder)
        url = running.settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url) as delivering:
            await delivering.execute("select from recordings for share")
            await delivering.execute("update chunks set expires_at = now() + interval '1 day' where seq = 1")
            deleting = asyncio.create_task(recorder.delete())
            await until_somebody_waits(running)
            await delivering.commit()
        assert await deleting == "deleting"
        (row,) = await running.sql(
            "select purge_until - (select max(expires_at) from chunks) as margin from recordings where state = 'deleting'"
        )
        assert row["margin"].total_seconds() == 3_600


async def test_a_deletion_and_a_completion_at_once_end_deleted(running: Running) -> None:
    async def race() -> None:
        async with running.recorder() as recorder:
            chunks = await recorded(recorder, 1)
            completed, state = await asyncio.gather(
                recorder.complete(chunks), recorder.delete(), return_exceptions=True
            )
            assert state == "deleting"
            if isinstance(completed, BaseException):
                assert isinstance(completed, Refused)
                assert completed.problem.code == "recording_deleted"
            assert (await recorder.status()).state == "deleting"

    await asyncio.gather(*(race() for _ in range(10)))
