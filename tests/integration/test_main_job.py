"""The main job against real parts: grant, PUT, ack, confirm, release, complete."""

import aiohttp
import pytest
from yarl import URL

from tests.support.plane import Running
from tests.support.recorder import Refused

pytestmark = pytest.mark.anyio


async def test_a_recording_from_start_to_complete(running: Running) -> None:
    async with running.recorder() as recorder:
        started = await recorder.start(title="Room 4")
        assert (started.state, started.received, started.next_chunk_index) == ("open", [], 0)
        chunks = [recorder.chunk(seq, size=50_000 + seq) for seq in range(5)]

        acks = await recorder.send(chunks)
        assert {ack.verdict for ack in acks} == {"match"}
        assert (await recorder.beat(chunks)).releases == {}, "acked is not confirmed: nothing may be deleted yet"

        report = await running.plane.confirm.run()
        assert (report.outcome, report.detail["confirmed"]) == ("decided", 5)
        beat = await recorder.beat(chunks)
        assert beat.releases == {recorder.recording_id: {(chunk.seq, chunk.sha256) for chunk in chunks}}
        assert not beat.tickets

        done = await recorder.complete(chunks)
        assert (done.state, done.complete, done.received, done.confirmed) == ("complete", True, [[0, 4]], [[0, 4]])
        assert done.received_bytes == sum(chunk.size for chunk in chunks)


async def test_releases_are_only_of_what_is_held(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(4)]
        await recorder.send(chunks)
        await running.plane.confirm.run()
        beat = await recorder.beat([chunks[1], chunks[3]])
        assert {seq for seq, _ in beat.releases[recorder.recording_id]} == {1, 3}
        assert (await recorder.beat([chunks[1]])).releases == (await recorder.beat([chunks[1]])).releases


async def test_starting_again_changes_nothing(running: Running) -> None:
    async with running.recorder() as recorder:
        first = await recorder.start(title="One")
        again = await recorder.start(title="Two")
        assert again.members == first.members
        for changed in ({"mime_type": "audio/webm"}, {"source": "file"}, {"recorder_id": recorder.recording_id}):
            with pytest.raises(Refused) as refused:
                await recorder.start(**changed)
            assert (refused.value.problem.status, refused.value.problem.code) == (409, "recording_conflict")


async def test_grants_are_idempotent_and_say_what_is_held(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(3)]
        first, again = await recorder.grant(chunks), await recorder.grant(chunks)
        assert [grant.state for grant in first] == [grant.state for grant in again] == ["granted"] * 3
        put = await recorder.put(first[0], chunks[0])
        await recorder.ack([(0, put.etag)])
        await running.plane.confirm.run()
        put = await recorder.put(again[1], chunks[1])
        await recorder.ack([(1, put.etag)])
        assert [grant.state for grant in await recorder.grant(chunks)] == ["confirmed", "acked", "granted"]


async def test_a_number_is_bound_to_its_first_bytes_for_ever(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=1_000)
        await recorder.grant([chunk])
        others = [
            recorder.chunk(0, size=1_000, seed=1),
            recorder.chunk(0, size=999),
            recorder.chunk(0, segment=1, size=1_000),
        ]
        for other in others:
            (refused, neighbour) = await recorder.grant([other, recorder.chunk(1)])
            assert (refused.state, refused.problem and refused.problem.code) == ("refused", "chunk_conflict")
            assert neighbour.state == "granted", "one bad chunk does not fail its neighbours"
        await recorder.send([chunk])
        (refused,) = await recorder.grant([others[0]])
        assert refused.state == "refused"


async def test_a_thousand_chunks_in_a_batch(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=10) for seq in range(1_000)]
        assert {grant.state for grant in await recorder.grant(chunks)} == {"granted"}
        assert {ack.verdict for ack in await recorder.ack([(chunk.seq, None) for chunk in chunks])} == {"missing"}


async def test_completion_names_what_is_missing(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=100) for seq in range(6)]
        await recorder.grant(chunks)
        await recorder.send([chunks[0], chunks[1], chunks[4]])
        with pytest.raises(Refused) as refused:
            await recorder.complete(chunks)
        assert (refused.value.problem.status, refused.value.problem.code) == (409, "chunks_missing")
        assert refused.value.problem.members["missing"] == [[2, 3], [5, 5]]
        assert not (await recorder.status()).complete


async def test_completion_is_final_and_repeatable(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=100) for seq in range(3)]
        await recorder.send(chunks)
        for wrong in (chunks[:2], [*chunks[:2], recorder.chunk(2, size=101)]):
            with pytest.raises(Refused) as refused:
                await recorder.complete(wrong)
            assert refused.value.problem.code == "totals_differ"
        done = await recorder.complete(chunks)
        assert (await recorder.complete(chunks)).members == done.members
        with pytest.raises(Refused) as refused:
            await recorder.complete(chunks[:2])
        assert refused.value.problem.code == "already_complete"
        new, known = await recorder.grant([recorder.chunk(3), chunks[0]])
        assert (new.state, new.problem and new.problem.code) == ("refused", "recording_complete")
        assert known.state == "acked", "a complete recording still takes bytes for the chunks it has"


async def test_the_bucket_alone_tells_what_a_recording_is(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start(title="Room 4")
        bucket = running.settings.s3_bucket_name
        listed = running.s3.list_objects_v2(Bucket=bucket, Prefix="meta/")["Contents"]
        assert [entry["Key"] for entry in listed] == ["meta/deployment.json"]
        await recorder.grant([recorder.chunk(0)])
        keys = [
            entry["Key"] for entry in running.s3.list_objects_v2(Bucket=bucket, Prefix="meta/recordings/")["Contents"]
        ]
        assert len(keys) == 1
        assert keys[0].endswith(f"/{recorder.recording_id}/recording.json")
        body = running.s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read().decode()
        assert '"owner": "alice"' in body
        assert '"title": "Room 4"' in body


async def test_lists_are_paged_newest_first(running: Running) -> None:
    ids = []
    for _ in range(5):
        async with running.recorder() as recorder:
            await recorder.start()
            await recorder.send([recorder.chunk(0, size=10)])
            ids.append(recorder.recording_id)
    async with running.recorder() as recorder:
        found: list[str] = []
        cursor = ""
        while True:
            page = await recorder.call("GET", f"/v1/recordings?limit=2{cursor}")
            found += [entry["id"] for entry in page["recordings"]]
            assert all(entry["received_chunks"] == 1 for entry in page["recordings"])
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
    assert found == ids[::-1]


async def test_chunks_are_listed_with_urls_that_answer_their_bytes(running: Running) -> None:

    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=2_000) for seq in range(3)]
        await recorder.send(chunks[:2])
        await recorder.grant(chunks[2:])
        page = await recorder.call("GET", f"/v1/recordings/{recorder.recording_id}/chunks")
        assert [entry["state"] for entry in page["chunks"]] == ["acked", "acked", "granted"]
        assert page["chunks"][2]["get"] is None
        async with aiohttp.ClientSession() as client:
            for entry, chunk in zip(page["chunks"], chunks[:2], strict=False):
                async with client.get(URL(entry["get"]["url"], encoded=True)) as answer:
                    assert await answer.read() == chunk.data
        last = await recorder.call("GET", f"/v1/recordings/{recorder.recording_id}/chunks?after=0&limit=1")
        assert ([entry["seq"] for entry in last["chunks"]], last["next_after"]) == ([1], 1)


async def test_a_complete_recording_stays_what_it_was_completed_as(running: Running) -> None:
    """Chunks granted and PUT, but left out by the completion, are no part of it."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=100) for seq in range(3)]
        grants = await recorder.grant(chunks)
        puts = [await recorder.put(grant, chunk) for grant, chunk in zip(grants, chunks, strict=True)]
        await recorder.ack([(0, puts[0].etag)])
        await recorder.complete(chunks[:1])
        (refused,) = await recorder.ack([(2, puts[2].etag)])
        assert (refused.state, refused.problem and refused.problem.code) == ("refused", "recording_complete")
        (refused_grant,) = await recorder.grant(chunks[2:])
        assert refused_grant.problem is not None
        assert refused_grant.problem.code == "recording_complete"
        status = await recorder.status()
        assert (status.received, status.received_bytes, status.members["chunk_count"]) == ([[0, 0]], 100, 1)


async def test_heartbeats_with_thousands_of_ranges_are_answered(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=10) for seq in range(20)]
        await recorder.send(chunks)
        await running.plane.confirm.run()
        # A long recording, in the ledger only: what the bucket has does not matter to a heartbeat.
        await running.sql(
            "insert into chunks (recording_id, seq, segment, size, sha256, state, etag, expires_at, confirmed_at)"
            " select recording_id, n, 0, 10, sha256, 'confirmed', 'e', now(), now()"
            " from chunks, generate_series(20, 20019) n where seq = 0"
        )
        ranges = [[2 * n, 2 * n] for n in range(10_000)]
        held = [{"recording_id": recorder.recording_id, "ranges": ranges, "open": True}]
        beat = await recorder.beat_holding(held)
        assert len(beat.releases[recorder.recording_id]) == 1_000
        assert all(seq % 2 == 0 for seq, _ in beat.releases[recorder.recording_id])
