"""Acks believe only a HEAD: verdicts against a real bucket, lost answers, overwriting grants."""

import asyncio
import base64
import hashlib

import pytest

from control_plane.domain.bucket import BucketUnreachable
from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder, Refused

pytestmark = pytest.mark.anyio


async def granted(recorder: Recorder, chunk: Chunk) -> None:
    await recorder.start()
    await recorder.grant([chunk])


async def test_what_was_never_put_is_missing(running: Running) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await granted(recorder, chunk)
        for etag in (None, '"d41d8cd98f00b204e9800998ecf8427e"'):
            (ack,) = await recorder.ack([(0, etag)])
            assert (ack.verdict, ack.state) == ("missing", "granted")


async def test_a_lost_put_answer_is_acked_by_the_digest(running: Running) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await recorder.start()
        (grant,) = await recorder.grant([chunk])
        await recorder.put(grant, chunk)
        (ack,) = await recorder.ack([(0, None)])
        assert (ack.verdict, ack.state) == ("match", "acked")


async def test_a_lost_ack_answer_costs_nothing(running: Running) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await recorder.start()
        (first,) = await recorder.send([chunk])
        before = await running.sql("select state, acked_at, etag from chunks")
        (again,) = await recorder.ack([(0, None)])
        assert (first.verdict, again.verdict, again.state) == ("match", "match", "acked")
        assert await running.sql("select state, acked_at, etag from chunks") == before


async def test_a_confirmed_chunk_stays_confirmed_when_acked_again(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0)])
        await running.plane.confirm.run()
        (again,) = await recorder.ack([(0, None)])
        assert (again.verdict, again.state) == ("match", "confirmed")


async def test_a_wrong_etag_is_not_believed_and_the_next_grant_overwrites(running: Running) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await recorder.start()
        (grant,) = await recorder.grant([chunk])
        assert grant.put is not None
        assert grant.put.headers["if-none-match"] == "*"
        assert (await recorder.put(grant, chunk)).status == 200
        assert (await recorder.put(grant, chunk)).status == 412, "a second write is refused"
        (ack,) = await recorder.ack([(0, '"00000000000000000000000000000000"')])
        assert (ack.verdict, ack.state) == ("etag_differs", "granted")
        (over,) = await recorder.grant([chunk])
        assert over.put is not None
        assert "if-none-match" not in over.put.headers
        put = await recorder.put(over, chunk)
        assert put.status == 200
        (ack,) = await recorder.ack([(0, put.etag)])
        assert ack.verdict == "match"


@pytest.mark.parametrize(
    ("other", "verdict"),
    [(b"x" * 99_999, "size_differs"), (b"x" * 100_000, "digest_differs")],
)
async def test_other_bytes_under_the_key_are_told_apart_and_replaced(
    running: Running, other: bytes, verdict: str
) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await granted(recorder, chunk)
        sha256 = hashlib.sha256(other).digest()
        await asyncio.to_thread(
            running.s3.put_object,
            Bucket=running.settings.s3_bucket_name,
            Key=await running.key_of(recorder, 0),
            Body=other,
            ChecksumSHA256=base64.b64encode(sha256).decode(),
        )
        etag = hashlib.md5(other, usedforsecurity=False).hexdigest()
        (ack,) = await recorder.ack([(0, etag)])
        assert (ack.verdict, ack.state) == (verdict, "granted")
        (ack,) = await recorder.send([chunk])
        assert ack.verdict == "match"


async def test_without_any_digest_nothing_is_proven(running: Running) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await granted(recorder, chunk)
        # Stored by somebody without a checksum: the store has none to tell.
        await running.put_object(await running.key_of(recorder, 0), chunk.data)
        head = running.s3.head_object(
            Bucket=running.settings.s3_bucket_name, Key=await running.key_of(recorder, 0), ChecksumMode="ENABLED"
        )
        (ack,) = await recorder.ack([(0, None)])
        assert ack.verdict == ("match" if "ChecksumSHA256" in head else "unproven")


async def test_one_bad_chunk_does_not_fail_its_neighbours(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(4)]
        grants = await recorder.grant(chunks)
        puts = [await recorder.put(grants[seq], chunks[seq]) for seq in (0, 2)]
        acks = await recorder.ack([(0, puts[0].etag), (1, "e"), (2, "wrong"), (3, None), (9, None)])
        assert [ack.verdict for ack in acks] == ["match", "missing", "etag_differs", "missing", None]
        assert acks[4].problem is not None
        assert acks[4].problem.code == "chunk_not_granted"
        assert (await recorder.status()).received == [[0, 0]]


async def test_a_head_that_failed_is_never_an_ack(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await recorder.start()
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)

        async def no_answer(self: object, key: str) -> None:
            raise BucketUnreachable(f"HEAD {key}: 503")

        with monkeypatch.context() as broken:
            broken.setattr("control_plane.bucket.s3.S3Bucket.head", no_answer)
            (ack,) = await recorder.ack([(0, put.etag)])
            assert (ack.verdict, ack.state) == ("unreachable", "granted")
        (again,) = await recorder.grant([chunk])
        assert again.put is not None
        assert "if-none-match" in again.put.headers, "nothing was seen: nothing may be overwritten"
        (ack,) = await recorder.ack([(0, put.etag)])
        assert ack.verdict == "match"


async def test_many_acks_of_many_recordings_at_once(running: Running) -> None:
    async def record(count: int) -> bool:
        async with running.recorder() as recorder:
            await recorder.start()
            chunks = [recorder.chunk(seq, size=500) for seq in range(count)]
            grants = await recorder.grant(chunks)
            puts = [await recorder.put(grant, chunk) for grant, chunk in zip(grants, chunks, strict=True)]
            answers = await asyncio.gather(*(recorder.ack([(seq, put.etag)]) for seq, put in enumerate(puts)))
            assert [ack.verdict for (ack,) in answers] == ["match"] * count
            return (await recorder.status()).received == [[0, count - 1]]

    assert all(await asyncio.gather(*(record(5) for _ in range(12))))


async def test_an_ack_of_a_recording_being_deleted_is_refused(running: Running) -> None:

    async with running.recorder() as recorder:
        chunk = recorder.chunk(0)
        await recorder.start()
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)
        await running.sql("update recordings set state = 'deleting', deleting_at = now()")
        for call in (recorder.ack([(0, put.etag)]), recorder.grant([chunk]), recorder.complete([chunk])):
            with pytest.raises(Refused) as refused:
                await call
            assert (refused.value.problem.status, refused.value.problem.code) == (410, "recording_deleted")
