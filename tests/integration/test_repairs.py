"""What the server heals by itself: an ack that was lost, a delete marker, bytes written over a chunk."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from control_plane.domain.bucket import BucketUnreachable, VersionsHidden
from control_plane.services import sweeping
from control_plane.services.proving import Prover
from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

QUOTA = "select used_bytes, reserved_bytes, reserved_chunks from owners"


@asynccontextmanager
async def recorded(running: Running, count: int = 3) -> AsyncIterator[tuple[Recorder, list[Chunk]]]:
    """A recording with `count` confirmed chunks."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=3_000) for seq in range(count)]
        await recorder.send(chunks)
        await running.plane.confirm.run()
        yield recorder, chunks


async def stored(running: Running, key: str) -> bytes:
    got = await asyncio.to_thread(running.s3.get_object, Bucket=running.settings.s3_bucket_name, Key=key)
    body: bytes = got["Body"].read()
    return body


async def states(running: Running) -> list[str]:
    return [row["state"] for row in await running.sql("select state from chunks order by seq")]


Harm = Callable[[Running, str, Chunk], Awaitable[None]]


async def hide_twice(running: Running, key: str, _: Chunk) -> None:
    await running.hide_object(key)
    await running.hide_object(key)


async def write_over_and_hide(running: Running, key: str, _: Chunk) -> None:
    await running.put_over(key, b"other bytes")
    await running.hide_object(key)


HARMS: dict[str, Harm] = {
    "a delete marker": lambda running, key, _: running.hide_object(key),
    "two delete markers": hide_twice,
    "other bytes over it": lambda running, key, _: running.put_over(key, b"other bytes"),
    "as many other bytes over it": lambda running, key, chunk: running.put_over(key, b"x" * chunk.size),
    "other bytes over it, then a delete marker": write_over_and_hide,
    "the same bytes, stored without their digest": lambda running, key, chunk: running.put_over(key, chunk.data),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
async def test_what_an_older_version_still_has_is_brought_back(running: Running, harm: Harm) -> None:
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 1)
        await harm(running, key, chunks[1])

        await running.plane.audit.run()
        healing = await running.plane.audit.run()

        assert await stored(running, key) == chunks[1].data
        assert (healing.detail["tickets_opened"], await running.sql("select 1 from tickets")) == (0, [])
        assert await running.sql("select 1 from sightings") == []
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 2]], "it may be released again"
        assert (await running.plane.audit.run()).detail["discrepancies"] == {}
        used = 3 * 3_000
        assert await running.sql(QUOTA) == [{"used_bytes": used, "reserved_bytes": 0, "reserved_chunks": 0}]


async def test_a_dry_run_says_what_could_be_healed_and_does_not(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        key = await running.key_of(recorder, 1)
        await running.hide_object(key)
        await running.plane.audit.run()

        told = await running.plane.audit.run(dry_run=True)

        assert (told.detail["healed"], told.detail["tickets_that_would_open"]) == (1, 0)
        assert await running.plane.services.purges.deleted_among([]) == frozenset()
        with pytest.raises(running.s3.exceptions.NoSuchKey):
            await stored(running, key)
        assert (await running.plane.audit.run()).detail["healed"] == 1


async def test_what_no_version_has_is_asked_for(running: Running) -> None:
    """The only older version holds other bytes of the right length: it is read, not believed."""
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 1)
        await running.put_object(key, b"x" * 3_000)
        await running.hide_object(key)
        await running.plane.audit.run()
        report = await running.plane.audit.run()
        assert (report.detail["healed"], report.detail["tickets_opened"]) == (0, 1)
        assert [ticket.seq for ticket in (await recorder.beat(chunks)).tickets] == [1]


@pytest.mark.parametrize("trouble", [VersionsHidden("no such call"), BucketUnreachable("busy")])
async def test_a_bucket_that_does_not_tell_its_versions_keeps_nobody_from_being_asked(
    running: Running, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async with recorded(running) as (recorder, _):
        await running.hide_object(await running.key_of(recorder, 1))

        async def refuse(*_: object) -> None:
            raise trouble

        monkeypatch.setattr("control_plane.bucket.s3.S3Bucket.history", refuse)
        await running.plane.audit.run()
        assert (await running.plane.audit.run()).detail["tickets_opened"] == 1


async def test_beyond_its_share_a_sweep_asks_the_recorders(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "HEALS_PER_SWEEP", 2)
    async with recorded(running) as (recorder, _):
        for seq in range(3):
            await running.hide_object(await running.key_of(recorder, seq))
        await running.plane.audit.run()
        report = await running.plane.audit.run()
        assert (report.detail["healed"], report.detail["tickets_opened"]) == (2, 1)


async def test_a_deletion_meanwhile_is_never_undone(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner deletes between what the sweep has read and what it would bring back."""
    async with recorded(running) as (recorder, _):
        key = await running.key_of(recorder, 1)
        await running.hide_object(key)
        await running.plane.audit.run()
        ask = running.plane.audit._discrepancies._sweeps.sighted_before  # the last read before the healing

        async def delete_first(*given: object) -> object:
            await recorder.delete()
            return await ask(*given)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(running.plane.audit._discrepancies._sweeps, "sighted_before", delete_first)
        report = await running.plane.audit.run()
        assert report.detail["healed"] == 0
        with pytest.raises(running.s3.exceptions.NoSuchKey):
            await stored(running, key)


async def test_an_object_whose_ack_was_lost_is_adopted(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=2_000) for seq in range(2)]
        for grant, chunk in zip(await recorder.grant(chunks), chunks, strict=True):
            assert (await recorder.put(grant, chunk)).status == 200

        report = await running.plane.audit.run()

        assert (report.detail["adopted"], report.detail["unexpected"]) == (2, {"unacked": 2})
        assert await states(running) == ["acked", "acked"]
        assert await running.sql(QUOTA) == [{"used_bytes": 4_000, "reserved_bytes": 0, "reserved_chunks": 0}]
        assert (await running.plane.audit.run()).detail["adopted"] == 0
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 1]]
        assert {seq for seq, _ in (await recorder.beat(chunks)).releases[recorder.recording_id]} == {0, 1}
        assert (await recorder.complete(chunks)).complete


@pytest.mark.parametrize(
    ("stored_bytes", "adopted"),
    [(lambda chunk: chunk.data, 1), (lambda chunk: b"x" * chunk.size, 0), (lambda chunk: chunk.data[:-1], 0)],
    ids=["the granted bytes", "other bytes", "fewer bytes"],
)
async def test_only_the_granted_bytes_are_adopted(
    running: Running, stored_bytes: Callable[[Chunk], bytes], adopted: int
) -> None:
    """The store tells no digest of these: they are read."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        await recorder.grant([chunk])
        await running.put_object(await running.key_of(recorder, 0), stored_bytes(chunk))
        assert (await running.plane.audit.run()).detail["adopted"] == adopted
        assert await states(running) == (["acked"] if adopted else ["granted"])


async def test_an_ack_that_comes_after_the_adoption_changes_nothing(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)
        assert (await running.plane.audit.run()).detail["adopted"] == 1
        (ack,) = await recorder.ack([(0, put.etag)])
        assert (ack.verdict, ack.state) == ("match", "acked")
        assert await running.sql(QUOTA) == [{"used_bytes": 2_000, "reserved_bytes": 0, "reserved_chunks": 0}]


async def test_nothing_of_a_deleted_recording_is_adopted(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        (grant,) = await recorder.grant([chunk])
        await recorder.put(grant, chunk)
        await recorder.delete()
        assert (await running.plane.audit.run()).detail["adopted"] == 0
        assert await running.sql(QUOTA) == [{"used_bytes": 0, "reserved_bytes": 0, "reserved_chunks": 0}]


async def test_what_reads_right_and_no_head_bears_out_is_asked_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A HEAD may tell another digest than the bytes have: such a chunk is not left in doubt for ever."""

    async def proves_nothing(*_: object) -> list[object]:
        return []

    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 1)
        await running.put_over(key, b"x" * chunks[1].size)
        await running.plane.audit.run()
        monkeypatch.setattr(Prover, "proven", proves_nothing)
        report = await running.plane.audit.run()
        assert (report.detail["healed"], report.detail["tickets_opened"]) == (0, 1)
        assert (await recorder.status()).missing == [[1, 1]]
