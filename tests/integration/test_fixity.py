"""Bit rot under the same size, ETag and digest in the store's metadata: found by reading, repaired, and never released before."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest

from control_plane.config import Settings
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.findings import SweepReport
from control_plane.domain.fixity import ReadingPlan
from control_plane.domain.models import SweepOutcome
from control_plane.embedded import EmbeddedStack
from tests.support.bit_rot import places, rot
from tests.support.plane import Running, running_plane, settings_for
from tests.support.proxy import Alter, FaultProxy, Respond
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

SIZE = 30_000


@asynccontextmanager
async def recorded(running: Running, count: int = 3) -> AsyncIterator[tuple[Recorder, list[Chunk]]]:
    """A recording with `count` confirmed chunks that its recorder holds."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=SIZE) for seq in range(count)]
        await recorder.send(chunks)
        await running.plane.confirm.run()
        yield recorder, chunks


async def read(running: Running) -> SweepReport:
    """A fixity sweep, long after the last one, in which everything is due that was read before it."""
    await running.sql("update fixity set credited_at = now() - interval '1 hour', covered_at = null")
    await running.sql("update chunks set read_at = read_at - interval '31 days' where read_at is not null")
    return await running.plane.fixity.run()


async def an_hour_later(running: Running) -> None:
    await running.sql(
        "update sightings set seen_at = seen_at - interval '1 hour', last_seen_at = last_seen_at - interval '1 hour', "
        "read_again_at = read_again_at - interval '1 hour'"
    )


async def released(recorder: Recorder, chunks: list[Chunk]) -> list[int]:
    releases = (await recorder.beat(chunks)).releases
    return sorted(seq for seq, _ in releases.get(recorder.recording_id, frozenset()))


async def stored(running: Running, key: str) -> bytes:
    got = await asyncio.to_thread(running.s3.get_object, Bucket=running.settings.s3_bucket_name, Key=key)
    body: bytes = got["Body"].read()
    return body


async def put_again(running: Running, key: str, chunk: Chunk) -> None:
    """The same bytes with their digest over it, so that an older version has them too."""
    digest = base64.b64encode(hashlib.sha256(chunk.data).digest()).decode()
    bucket = running.settings.s3_bucket_name
    await asyncio.to_thread(running.s3.put_object, Bucket=bucket, Key=key, Body=chunk.data, ChecksumSHA256=digest)


async def send_again(recorder: Recorder, chunk: Chunk, chunks: list[Chunk]) -> None:
    (ticket,) = (await recorder.beat(chunks)).tickets
    assert (ticket.seq, ticket.reason) == (chunk.seq, "digest_differs")
    put = await recorder.put(ticket, chunk)
    assert put.status == 200
    assert [ack.verdict for ack in await recorder.ack([(chunk.seq, put.etag)])] == ["match"]


@pytest.fixture
def impatient(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store reads what is damaged again and again, for ten seconds, before it answers 500."""
    monkeypatch.setattr(running.plane.fixity._prover._bucket, "_call_s", 1.0)


async def rot_on_disk(stack: EmbeddedStack, running: Running, recorder: Recorder, chunk: Chunk) -> None:
    """The newest version, whose metadata stay right."""
    folder, bucket = stack.data_dir, running.settings.s3_bucket_name
    rot(places(folder, bucket, chunk.data), chunk.size)
    key = await running.key_of(recorder, chunk.seq)
    head = await asyncio.to_thread(running.s3.head_object, Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert (head["ContentLength"], "ChecksumSHA256" in head) == (chunk.size, True)


async def test_what_is_read_right_is_not_read_again_for_a_month(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await running.sql("update fixity set credited_at = now() - interval '1 hour'")
        report = await running.plane.fixity.run()
        assert (report.outcome, report.looked_at) == (SweepOutcome.DECIDED, 3)
        assert (report.detail["read_bytes"], report.detail["discrepancies"]) == (3 * SIZE, {})
        assert await released(recorder, chunks) == [0, 1, 2]
        await running.sql("update fixity set credited_at = now() - interval '1 hour'")
        assert (await running.plane.fixity.run()).looked_at == 0
        assert (await read(running)).looked_at == 3


@pytest.mark.usefixtures("impatient")
@pytest.mark.thorough
async def test_bit_rot_is_found_and_asked_for(stack: EmbeddedStack, running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await rot_on_disk(stack, running, recorder, chunks[1])
        for sweep in (running.plane.audit, running.plane.confirm):
            assert (await sweep.run()).detail["discrepancies"] == {}, "nothing but reading tells"

        first = await read(running)
        assert (first.detail["discrepancies"], first.detail["unreadable"]) == ({"digest_differs": 1}, 1)
        assert (first.detail["first_sightings"], first.detail["read_bytes"]) == (1, 2 * SIZE)
        damaged = await running.sql("select owner, seq, cause from events where kind = 'chunk_damaged'")
        assert damaged == [{"owner": "alice", "seq": 1, "cause": "digest_differs"}]
        assert await released(recorder, chunks) == [0, 2], "its bytes may be on the device alone"
        assert (await read(running)).detail["discrepancies"] == {}, "a part of the store may be away for a while"
        await an_hour_later(running)
        assert (await read(running)).detail["tickets_opened"] == 1
        assert (await recorder.status()).missing == [[1, 1]]

        for _ in range(2):
            assert (await running.plane.audit.run()).detail["returned"] == 0, "a HEAD proves nothing of it"
        await send_again(recorder, chunks[1], chunks)
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 0], [2, 2]], "what was sent again is read first"
        assert (await read(running)).detail["discrepancies"] == {}
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == [0, 1, 2]
        assert await stored(running, await running.key_of(recorder, 1)) == chunks[1].data


@pytest.mark.usefixtures("impatient")
async def test_bit_rot_is_healed_from_an_older_version(stack: EmbeddedStack, running: Running) -> None:
    folder, bucket = stack.data_dir, running.settings.s3_bucket_name
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 1)
        before = await asyncio.to_thread(places, folder, bucket, chunks[1].data)
        await put_again(running, key, chunks[1])
        rot(await asyncio.to_thread(places, folder, bucket, chunks[1].data) - before, SIZE)

        await read(running)
        await an_hour_later(running)
        healing = await read(running)

        assert (healing.detail["healed"], healing.detail["tickets_opened"]) == (1, 0)
        assert await stored(running, key) == chunks[1].data
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == [0, 2], "only another read ends a doubt that came from reading"
        await read(running)
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == [0, 1, 2]
        assert await running.sql("select 1 from sightings") == []
        assert await running.sql("select damaged_chunks from fixity") == [{"damaged_chunks": 1}]


@asynccontextmanager
async def behind_proxy(
    stack: EmbeddedStack, settings: Settings, proxy: FaultProxy
) -> AsyncIterator[tuple[Running, Recorder, list[Chunk]]]:
    """The control plane sees its bucket through a proxy."""
    url, bucket = settings.database_url.get_secret_value(), settings.s3_bucket_name
    changed = settings_for(stack, url, bucket, s3_endpoint=proxy.url)
    async with running_plane(stack, changed) as running, recorded(running) as (recorder, chunks):
        yield running, recorder, chunks


@pytest.mark.parametrize("kept", [True, False], ids=["an older version", "no older version"])
async def test_a_store_that_gives_other_bytes_than_it_tells(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy, kept: bool
) -> None:
    async with behind_proxy(stack, settings, bucket_proxy) as (running, recorder, chunks):
        key = await running.key_of(recorder, 1)
        if kept:
            await put_again(running, key, chunks[1])
        versions = await asyncio.to_thread(running.s3.list_object_versions, Bucket=settings.s3_bucket_name, Prefix=key)
        lies = [rf"{key}\?(?!.*versionId)", rf"{key}\?.*versionId={versions['Versions'][0]['VersionId']}"]
        for lie in lies:
            bucket_proxy.add("GET", lie, Alter(), times=None)

        first = await read(running)
        assert (first.detail["discrepancies"], first.detail["unreadable"]) == ({"digest_differs": 1}, 0)
        assert await released(recorder, chunks) == [0, 2]
        await running.plane.audit.run()
        (ack,) = await recorder.ack([(1, None)])
        assert ack.verdict == "match", "its HEAD is right"
        await running.plane.confirm.run()
        await running.plane.audit.run()
        assert await released(recorder, chunks) == [0, 2], "neither audit nor ack nor confirmation have read it"

        await read(running)
        second = await read(running)
        if kept:
            assert second.detail["healed"] == 0, "copied, and what a GET gives is still not right"
        assert await released(recorder, chunks) == [0, 2]
        bucket_proxy.clear()
        if (await recorder.beat(chunks)).tickets:
            await send_again(recorder, chunks[1], chunks)
        await read(running)
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == [0, 1, 2]


async def test_a_ticket_ends_when_the_store_gives_the_right_bytes_again(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    async with behind_proxy(stack, settings, bucket_proxy) as (running, recorder, chunks):
        bucket_proxy.add("GET", await running.key_of(recorder, 1), Alter(), times=None)
        await read(running)
        assert (await read(running)).detail["tickets_opened"] == 1
        await read(running)
        bucket_proxy.clear()
        assert (await read(running)).detail["returned"] == 0, "not in each run: it must not eat the budget"
        await running.sql("update sightings set read_again_at = now()")
        assert (await read(running)).detail["returned"] == 1
        assert [row["state"] for row in await running.sql("select state from tickets")] == ["healed"]
        await read(running)
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == [0, 1, 2]


async def test_a_store_that_is_down_decides_nothing(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    async with behind_proxy(stack, settings, bucket_proxy) as (running, recorder, chunks):
        assert (await read(running)).looked_at == 3
        bucket_proxy.add("GET", r"/v1/", Respond(500), times=None)
        down = await read(running)
        assert (down.outcome, down.detail["first_sightings"]) == (SweepOutcome.UNDECIDED, 0)
        assert await running.sql("select 1 from sightings") == []
        # Nothing is concluded of any chunk; but nothing is released either, before it was seen again.
        assert await released(recorder, chunks) == []
        bucket_proxy.clear()
        assert (await running.plane.audit.run()).outcome is SweepOutcome.DECIDED
        assert await released(recorder, chunks) == [0, 1, 2]


async def test_one_failure_is_tried_again_within_the_run(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    async with behind_proxy(stack, settings, bucket_proxy) as (running, recorder, _):
        bucket_proxy.add("GET", await running.key_of(recorder, 1), Respond(503), times=1)
        report = await read(running)
        assert (report.detail["discrepancies"], report.detail["read_bytes"]) == ({}, 3 * SIZE)


async def test_a_dry_run_reads_and_writes_nothing(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    async with behind_proxy(stack, settings, bucket_proxy) as (running, recorder, _):
        bucket_proxy.add("GET", await running.key_of(recorder, 1), Alter(), times=None)
        await running.sql("update fixity set credited_at = now() - interval '1 hour'")
        before = await running.sql("select * from fixity")
        told = await running.plane.fixity.run(dry_run=True)
        assert (told.looked_at, told.detail["discrepancies"]) == (3, {"digest_differs": 1})
        assert await running.sql("select * from fixity") == before
        assert (
            await running.sql("select 1 from sightings union all select 1 from chunks where read_at is not null") == []
        )


async def until_waiting(running: Running, count: int) -> None:
    waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(20):
        while len(await running.sql(waiting)) < count:  # noqa: ASYNC110  # another process tells, by a query alone
            await asyncio.sleep(0.02)


async def test_replicas_share_one_budget(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at once as there may be: together they read what the time since the last run allows, and one chunk's rest."""
    async with recorded(running, count=8):
        hourly = SIZE * 60 * 2
        monkeypatch.setattr(running.plane.fixity, "_plan", ReadingPlan(hourly, timedelta(days=30)))
        await running.sql("update fixity set credited_at = now() - interval '90 seconds'")
        url = running.settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("select from fixity for update")
            sweeping = [asyncio.create_task(running.plane.fixity.run()) for _ in range(4)]
            await until_waiting(running, 4)
            await connection.rollback()
        reports = await asyncio.gather(*sweeping)
        assert sum(report.looked_at for report in reports) == 4, "three minutes' worth, rounded up"
        assert (await running.plane.fixity.run()).looked_at == 0, "the last one was paid for in advance"


async def test_however_long_nothing_ran_little_is_made_up_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(running, count=8):
        monkeypatch.setattr(running.plane.fixity, "_plan", ReadingPlan(SIZE * 12, timedelta(days=30)))
        await running.sql("update fixity set credited_at = now() - interval '1 year'")
        assert (await running.plane.fixity.run()).looked_at == 2, "ten minutes' worth"


async def test_nothing_is_read_without_a_budget(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded(running):
        monkeypatch.setattr(running.plane.fixity, "_plan", ReadingPlan(0, timedelta(days=30)))
        assert (await read(running)).looked_at == 0


async def test_what_devices_will_soon_delete_is_read_first(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded(running, count=4) as (recorder, chunks), recorded(running, count=2) as (other, others):
        await recorder.beat(chunks[2:3])
        await other.beat([])
        monkeypatch.setattr(running.plane.fixity, "_plan", ReadingPlan(60, timedelta(days=30)))
        order = []
        for _ in range(6):
            await running.sql("update fixity set credited_at = now(), credit_bytes = 1")
            await running.plane.fixity.run()
            (last,) = await running.sql(
                "select recording_id::text, seq from chunks where read_at is not null order by read_at desc limit 1"
            )
            order.append((last["recording_id"], last["seq"]))
        assert order[0] == (recorder.recording_id, 2)
        assert len(set(order)) == len(chunks) + len(others), "then whatever was never read"


async def test_an_ack_for_other_bytes_makes_them_unread(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await read(running)
        await running.put_object(await running.key_of(recorder, 1), b"x" * SIZE)
        await running.plane.audit.run()
        await running.plane.audit.run()
        (ticket,) = (await recorder.beat(chunks)).tickets
        put = await recorder.put(ticket, chunks[1])
        await recorder.ack([(1, put.etag)])
        assert await running.sql("select seq from chunks where read_at is null") == [{"seq": 1}]
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == [0, 1, 2], "a HEAD told of the damage, and tells of the repair"


async def test_an_ack_while_it_is_read_leaves_it_unread(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which bytes were read, those before or after, nobody knows."""
    async with recorded(running, count=1) as (recorder, _):
        reading = running.plane.fixity._prover.read

        async def then_ack(chunk: object) -> object:
            found = await reading(chunk)  # type: ignore[arg-type]  # passed on as it came
            await recorder.ack([(0, None)])
            return found

        monkeypatch.setattr(running.plane.fixity._prover, "read", then_ack)
        await read(running)
        assert await running.sql("select seq from chunks where read_at is null") == [{"seq": 0}]


async def test_nothing_of_a_deleted_recording_is_read(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it keep others from being read, however much of it waits for its purge."""
    monkeypatch.setattr("control_plane.services.fixity.CHUNKS_PER_SWEEP", 2)
    async with recorded(running) as (recorder, _), recorded(running, count=1):
        await recorder.delete()
        assert (await read(running)).looked_at == 1
        assert (await read(running)).looked_at == 1


async def test_a_version_that_cannot_be_listed_leaves_the_recorder_to_be_asked(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind_proxy(stack, settings, bucket_proxy) as (running, recorder, _):
        bucket_proxy.add("GET", await running.key_of(recorder, 1), Alter(), times=None)

        async def refuse(*_: object) -> None:
            raise BucketUnreachable("busy")

        monkeypatch.setattr("control_plane.bucket.s3.S3Bucket.history", refuse)
        await read(running)
        assert (await read(running)).detail["tickets_opened"] == 1
