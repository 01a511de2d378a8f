"""What may happen to a download on its way: faults, kills, cancellation, chunks that are gone, the end of its time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from control_plane.services import assembling, making
from tests.support.downloads import begin, cut, fetched, looked_at, made, recorded
from tests.support.movies import film
from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused
from tests.support.tickets import scrape

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def watched(running: Running, path: str, **headers: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Server-sent events as a page reads them."""

    async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))

    async with (
        aiohttp.ClientSession() as client,
        client.get(
            f"{running.endpoint}{path}", headers={"Authorization": f"Bearer {running.token()}", **headers}
        ) as answer,
    ):
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield events(answer)


async def left_in_bucket(running: Running) -> list[str]:
    found = running.s3.list_object_versions(Bucket=running.settings.s3_bucket_name, Prefix="downloads/")
    return [version["Key"] for version in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]]


async def filmed(recorder: Recorder, seconds: float = 2) -> None:
    await recorded(recorder, cut(film(seconds=seconds)), title="Visit")


async def test_its_events_come_as_it_goes_on(running: Running) -> None:
    async with running.recorder(mime_type="video/webm") as recorder:
        await filmed(recorder)
        begun = await begin(recorder)
        async with asyncio.timeout(30), watched(running, f"/v1/downloads/{begun['id']}/events") as events:
            assert (await anext(events))["state"] == "queued"
            making_it = asyncio.create_task(made(running, recorder, begun))
            states = [event["state"] async for event in events]  # it ends by itself
            ready = await making_it
        assert states[-1] == "ready"
        # Who comes again with the last id is told that nothing follows; with an older one, the end.
        async with aiohttp.ClientSession() as client:
            headers = {"Authorization": f"Bearer {running.token()}", "Last-Event-ID": str(ready["version"])}
            async with client.get(f"{running.endpoint}/v1/downloads/{begun['id']}/events", headers=headers) as answer:
                assert answer.status == 204
        async with watched(
            running, f"/v1/downloads/{begun['id']}/events", **{"Last-Event-ID": str(begun["version"])}
        ) as events:
            assert [event["state"] async for event in events] == ["ready"]


async def test_all_of_an_owner_are_watched_in_one_stream_and_nobody_elses(running: Running) -> None:
    async with running.recorder(mime_type="video/webm") as mine, running.recorder("bob") as other:
        await filmed(mine, 1)
        await recorded(other, [other.chunk(0, size=500)])
        async with asyncio.timeout(30), watched(running, "/v1/downloads/events") as events:
            await begin(other)
            begun = await begin(mine)
            told = await anext(events)
            assert told["id"] == begun["id"]
            await running.plane.services.downloads.cancel("alice", UUID(begun["id"]))
            assert (await anext(events))["state"] == "cancelled"


async def test_polling_says_when_nothing_changed(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        begun = await begin(recorder)
        address = f"{running.endpoint}/v1/downloads/{begun['id']}"
        headers = {"Authorization": f"Bearer {running.token()}"}
        async with aiohttp.ClientSession() as client:
            async with client.get(address, headers=headers) as answer:
                assert answer.headers["Retry-After"] == "1"
                tag = answer.headers["ETag"]
            async with client.get(address, headers={**headers, "If-None-Match": tag}) as answer:
                assert (answer.status, await answer.read()) == (304, b"")
            await recorder.call("DELETE", f"/v1/downloads/{begun['id']}")
            async with client.get(address, headers={**headers, "If-None-Match": tag}) as answer:
                assert (answer.status, (await answer.json())["state"]) == (200, "cancelled")
                assert "Retry-After" not in answer.headers


async def test_cancelled_while_it_is_made_it_leaves_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembling, "TELL_EVERY_S", 0.05)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def halt(*_: object) -> None:
        reached.set()
        await go_on.wait()

    async with running.recorder(mime_type="video/webm") as recorder:
        await filmed(recorder)
        begun = await begin(recorder)
        monkeypatch.setattr(running.plane.assembly._joiner, "remux", halt)
        run = asyncio.create_task(running.plane.assembly.run(UUID(begun["id"])))
        async with asyncio.timeout(30):
            await reached.wait()
            told = await recorder.call("DELETE", f"/v1/downloads/{begun['id']}")
            assert told["state"] == "cancelled"
            await run
        assert (await looked_at(recorder, begun))["state"] == "cancelled"
        await running.sql("update downloads set lease_until = now()")
        await running.plane.download_cleaning.run()
        assert await left_in_bucket(running) == []
        with pytest.raises(Refused) as refused:
            await recorder.call("GET", f"/v1/downloads/{begun['id']}/file")
        assert refused.value.problem.code == "download_ended"
        assert (await begin(recorder))["id"] != begun["id"]


async def test_a_corrupted_chunk_is_doubted_and_the_download_waits_for_it(running: Running) -> None:
    async with running.recorder(mime_type="video/webm") as recorder:
        chunks = cut(film(seconds=3))
        await recorded(recorder, chunks)
        key = await running.key_of(recorder, 1)
        await running.put_object(key, bytes(chunks[1].size))
        begun = await begin(recorder)
        waiting = await made(running, recorder, begun)
        assert (waiting["state"], waiting["waiting_for"]) == ("queued", "chunks")
        assert waiting["problem"]["code"] == "chunks_missing"
        # A sweep's second sighting asks the recorder for it, which sends it again.
        await running.plane.fixity.run()
        beat = await recorder.beat(chunks)
        assert [ticket.seq for ticket in beat.tickets] == [1]
        await recorder.put(beat.tickets[0], chunks[1])
        await recorder.ack([(1, None)])
        await running.sql("update downloads set due_at = now()")
        ready = await made(running, recorder, begun)
        assert (ready["state"], ready["problem"]) == ("ready", None)
        assert (await fetched(running, recorder, ready))[0][:4] == b"\x1a\x45\xdf\xa3"


async def test_one_whose_worker_died_is_taken_over_and_sends_nothing_twice(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running.recorder(mime_type="video/mp4") as recorder:
        chunks = [recorder.chunk(seq, size=1024**2, seed=1) for seq in range(30)]
        await recorded(recorder, chunks, source="file")
        begun = await begin(recorder)
        sent: list[int] = []
        before: list[int] = []
        two_sent = asyncio.Event()
        bucket = running.plane.assembly._joiner._bucket
        upload = bucket.upload_part

        async def counted(key: str, upload_id: str, number: int, body: Any) -> Any:
            part = await upload(key, upload_id, number, body)
            sent.append(number)
            if len(sent) == 2:
                two_sent.set()
                await asyncio.sleep(0 if before else 60)  # until it is killed
            return part

        monkeypatch.setattr(bucket, "upload_part", counted)
        claimed = await running.plane.assembly._downloads.claim(
            UUID(begun["id"]), worker="gone", lease=timedelta(minutes=1), per_owner=2
        )
        assert claimed is not None
        progress = making.ProgressMeter()
        assembly = running.plane.assembly
        made_of = making.Making(assembly._downloads, assembly._chunks, assembly._joiner, claimed, progress)
        killed = asyncio.create_task(made_of.run())
        async with asyncio.timeout(30):
            await two_sent.wait()
        killed.cancel()
        await asyncio.wait([killed])
        before += sent
        assert (await made(running, recorder, begun))["state"] == "running"  # the dead one's lease still stands
        await running.sql("update downloads set lease_until = now()")
        sent.clear()
        ready = await made(running, recorder, begun)
        assert ready["state"] == "ready"
        assert not set(before) & set(sent)
        assert (await fetched(running, recorder, ready))[0] == b"".join(chunk.data for chunk in chunks)


async def test_when_its_time_is_over_the_file_is_gone_and_made_anew_for_who_asks(running: Running) -> None:
    async with running.recorder(mime_type="video/webm") as recorder:
        await filmed(recorder, 1)
        ready = await made(running, recorder, await begin(recorder))
        assert await left_in_bucket(running) != []
        await running.sql("update downloads set expires_at = now()")
        await running.plane.download_cleaning.run()
        assert (await looked_at(recorder, ready))["state"] == "expired"
        assert await left_in_bucket(running) == []
        again = await begin(recorder)
        assert again["id"] != ready["id"]
        assert (await made(running, recorder, again))["state"] == "ready"


async def test_deleting_a_recording_removes_every_file_it_is_in(running: Running) -> None:
    async with running.recorder(mime_type="video/webm") as one, running.recorder(mime_type="video/webm") as two:
        await filmed(one, 1)
        await filmed(two, 1)
        alone = await made(running, one, await begin(one))
        both = await made(running, one, await begin(one, one.recording_id, two.recording_id))
        waiting = await begin(one, two.recording_id, one.recording_id)
        await one.delete()
        assert [(await looked_at(one, each))["state"] for each in (alone, both, waiting)] == [
            "expired",
            "expired",
            "failed",
        ]
        assert (await looked_at(one, waiting))["problem"]["code"] == "recording_deleted"
        await running.plane.services.purges.run()
        assert await left_in_bucket(running) == []


async def test_an_owner_has_its_turn_and_others_theirs(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder("bob") as other:
        begun = []
        for number in range(4):
            async with running.recorder() as each:
                await recorded(each, [each.chunk(0, size=500 + number)])
                begun.append(await begin(each))
        await recorded(other, [other.chunk(0, size=500)])
        others = await begin(other)
        due = await running.plane.assembly._downloads.due(per_owner=2, limit=100)
        assert {str(each) for each in due} == {begun[0]["id"], begun[1]["id"], others["id"]}
        assert recorder.recording_id


async def test_what_waits_runs_and_failed_is_in_the_metrics(running: Running) -> None:
    async with running.recorder(mime_type="video/webm") as one, running.recorder() as two, running.recorder() as three:
        await filmed(one, 1)
        ready = await made(running, one, await begin(one))
        await recorded(two, [two.chunk(0, size=500)])
        await recorded(three, [three.chunk(0, size=501)])
        await begin(two)
        failed = await begin(three)
        await running.sql(
            "update downloads set created_at = now() - interval '1 hour', due_at = now() - interval '1 hour'"
        )
        await running.sql(
            "update downloads set state = 'failed', cause = 'x', finished_at = now() where id = %(id)s", failed
        )
        found = await scrape(running)
        assert found['safereel_downloads{state="queued"}'] == 1
        assert found['safereel_downloads{state="running"}'] == 0
        assert found["safereel_downloads_failed"] == 1
        assert found["safereel_downloads_ready_bytes"] == ready["file"]["size"]
        assert 3_500 < found["safereel_downloads_waiting_oldest_seconds"] < 4_000
