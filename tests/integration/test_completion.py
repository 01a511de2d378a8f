"""Completion is final, and only where every chunk was seen in the bucket; then the bucket itself can tell so."""

import asyncio
import json
from typing import Any, LiteralString
from uuid import UUID

import pytest

from control_plane.domain.keys import DEPLOYMENT_KEY, manifest_key
from tests.support.deletions import admin, finish, recorded, versions
from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio

LOSE: LiteralString = """
update chunks set state = 'lost' where recording_id = %(id)s and seq = any (%(seqs)s)
"""


async def manifest_of(running: Running, recorder: Recorder) -> dict[str, Any] | None:
    """The manifest that lies in the bucket."""
    key = manifest_key(UUID(recorder.recording_id))
    try:
        got = running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=key)
    except running.s3.exceptions.NoSuchKey:
        return None
    found: dict[str, Any] = json.loads(got["Body"].read())
    return found


async def test_what_is_in_the_bucket_but_not_acked_is_not_complete(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(4)]
        grants = await recorder.grant(chunks)
        puts = [await recorder.put(grant, chunk) for grant, chunk in zip(grants, chunks, strict=True)]
        await recorder.ack([(0, puts[0].etag), (3, puts[3].etag)])
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await recorder.complete(chunks)
            assert (refused.value.problem.status, refused.value.problem.code) == (409, "chunks_missing")
            assert refused.value.problem.members["missing"] == [[1, 2]]
        await recorder.ack([(1, puts[1].etag), (2, puts[2].etag)])
        await running.plane.confirm.run()
        status = await recorder.status()
        assert (status.confirmed, status.state, status.complete) == ([[0, 3]], "open", False), (
            "all there, not finalised"
        )
        assert (await recorder.complete(chunks)).complete
        (late,) = await recorder.grant([recorder.chunk(4)])
        assert late.problem is not None
        assert late.problem.code == "recording_complete"


async def test_lost_chunks_stand_only_where_that_is_accepted_and_are_named_for_ever(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 5)
        await running.sql(LOSE, {"id": recorder.recording_id, "seqs": [1, 2, 4]})
        with pytest.raises(Refused) as refused:
            await recorder.complete(chunks)
        assert refused.value.problem.members["missing"] == [[1, 2], [4, 4]]
        done = await recorder.complete(chunks, accept_lost=True)
        assert (done.complete, done.received, done.lost) == (True, [[0, 0], [3, 3]], [[1, 2], [4, 4]])
        assert (await recorder.complete(chunks)).members == done.members, "what was accepted stays so"
        await running.plane.services.manifests.run()
        told = await manifest_of(running, recorder)
        assert told is not None
        assert told["lost"] == [[1, 2], [4, 4]]
        assert [seq for seq, *_ in told["chunks"]] == [0, 1, 2, 3, 4], "what was lost is described too"
        assert (await recorder.status()).lost == [[1, 2], [4, 4]]


async def test_accepting_losses_does_not_accept_what_was_never_sent(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 3)
        await recorder.grant([recorder.chunk(3)])
        await running.sql(LOSE, {"id": recorder.recording_id, "seqs": [0]})
        with pytest.raises(Refused) as refused:
            await recorder.complete([*chunks, recorder.chunk(3)], accept_lost=True)
        assert refused.value.problem.members["missing"] == [[3, 3]]


async def test_an_expired_recording_is_completed_by_who_returns(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder)
        await running.sql("update recordings set expires_at = now() - interval '1 second'")
        await running.plane.services.expiry.run()
        assert (await recorder.complete(chunks)).state == "complete"
        assert (await running.plane.services.expiry.run()).recordings == [], "what is complete does not expire"


async def test_the_bucket_has_a_manifest_of_what_is_complete(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder() as still_open:
        await recorded(still_open)
        chunks = await recorded(recorder)
        done = await recorder.complete(chunks)
        ran = await admin(running, "POST", "/v1/admin/manifests")
        assert ran == {"written": 1, "failed": 0, "waiting": 0}
        assert await manifest_of(running, still_open) is None
        told = await manifest_of(running, recorder)
        assert told is not None
        times = told.pop("created_at"), told.pop("completed_at")
        assert told == {
            "version": 1,
            "id": recorder.recording_id,
            "chunk_count": 3,
            "total_bytes": 9_000,
            "lost": [],
            "columns": ["seq", "segment", "size", "sha256", "start_ms", "duration_ms"],
            "chunks": [[chunk.seq, chunk.segment, chunk.size, chunk.sha256, None, None] for chunk in chunks],
        }
        assert times[0][:19] == done.members["created_at"][:19]
        assert times[1][:19] == done.members["completed_at"][:19]
        assert await admin(running, "POST", "/v1/admin/manifests") == {"written": 0, "failed": 0, "waiting": 0}
        await recorder.delete()
        await finish(running)
        assert await versions(running, recorder) == []


@pytest.mark.parametrize("marker", ["absent", "foreign"])
async def test_a_manifest_that_cannot_be_written_is_told_and_tried_again(running: Running, marker: str) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder)
        bucket = running.settings.s3_bucket_name
        mark = running.s3.get_object(Bucket=bucket, Key=DEPLOYMENT_KEY)["Body"].read()
        if marker == "absent":
            await running.delete_object(DEPLOYMENT_KEY)
        else:
            await running.put_object(DEPLOYMENT_KEY, b"{}")
        assert (await recorder.complete(chunks)).complete, "the bucket's state does not keep it from being complete"
        assert await admin(running, "POST", "/v1/admin/manifests") == {"written": 0, "failed": 1, "waiting": 1}
        assert await manifest_of(running, recorder) is None
        await running.put_object(DEPLOYMENT_KEY, mark)
        assert await admin(running, "POST", "/v1/admin/manifests") == {"written": 1, "failed": 0, "waiting": 0}
        assert await manifest_of(running, recorder) is not None


async def test_the_manifest_of_a_deleted_recording_is_not_written(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.complete(await recorded(recorder))
        await recorder.delete()
        ran = await running.plane.services.manifests.run()
        assert (ran.written, ran.waiting) == (0, 0)
        assert await manifest_of(running, recorder) is None


async def test_a_hundred_thousand_chunks_are_a_manifest_of_some_megabytes(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await running.sql(
            """insert into chunks (recording_id, seq, segment, size, sha256, state, etag, expires_at, acked_at, start_ms,
                                   duration_ms)
               select %(id)s, n, n / 1000, 5000000 + n, sha256(n::text::bytea), 'acked', 'e', now(), now(), n * 5000, 5000
                 from generate_series(0, 99999) n""",
            {"id": recorder.recording_id},
        )
        total = sum(5_000_000 + n for n in range(100_000))
        await recorder.call(
            "POST",
            f"/v1/recordings/{recorder.recording_id}/complete",
            {"chunk_count": 100_000, "total_bytes": total},
        )
        assert (await running.plane.services.manifests.run()).written == 1
        told = await asyncio.wait_for(manifest_of(running, recorder), 30)
        assert told is not None
        assert len(told["chunks"]) == 100_000
        assert sum(size for _, _, size, *_ in told["chunks"]) == told["total_bytes"] == total
        key = manifest_key(UUID(recorder.recording_id))
        head = running.s3.head_object(Bucket=running.settings.s3_bucket_name, Key=key)
        assert head["ContentLength"] < 12_000_000
