"""Nothing stays stuck: whatever the bucket holds or has lost, the recorder's usual round of calls comes to an end."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.wiring import presigner
from tests.support.deletions import recorded, versions
from tests.support.plane import Running
from tests.support.recorder import Chunk, Grant, Permission, Recorder, Refused

pytestmark = pytest.mark.anyio

# Grant, PUT, ack; once more where something was in the way; once more where the first PUT's answer was lost as well.
ROUNDS = 3


async def rounds(recorder: Recorder, chunk: Chunk) -> int:
    """Does as recorders do until the chunk is acked; how many rounds that took."""
    for number in range(1, ROUNDS + 1):
        (grant,) = await recorder.grant([chunk])
        if grant.state in {"acked", "confirmed"}:
            return number
        put = await recorder.put(grant, chunk)
        assert put.status in {200, 412}, put.body
        (ack,) = await recorder.ack([(chunk.seq, put.etag if put.status == 200 else None)])
        if ack.verdict == "match":
            return number
    raise AssertionError(f"not in the bucket after {ROUNDS} rounds")


async def remove_versions(running: Running, recorder: Recorder) -> None:
    """All of the recording's objects and their versions are gone, as after a wrong command on the bucket."""
    bucket = running.settings.s3_bucket_name
    for key in set(await versions(running, recorder)):
        found = await asyncio.to_thread(running.s3.list_object_versions, Bucket=bucket, Prefix=key)
        for version in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
            running.s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])


Disturb = Callable[[Running, str, Chunk], Awaitable[None]]

IN_THE_WAY: dict[str, Disturb] = {
    "nothing": lambda running, key, _: running.delete_object(key),
    "the chunk itself": lambda running, key, chunk: running.put_object_with_digest(key, chunk.data),
    "its bytes, without a digest": lambda running, key, chunk: running.put_object(key, chunk.data),
    "as many other bytes": lambda running, key, chunk: running.put_object_with_digest(key, b"x" * chunk.size),
    "fewer bytes": lambda running, key, chunk: running.put_object_with_digest(key, chunk.data[:-1]),
}


@pytest.mark.parametrize("disturb", IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
async def test_no_state_of_the_bucket_keeps_a_recorder_looping(running: Running, disturb: Disturb) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        await recorder.grant([chunk])
        key = await running.key_of(recorder, 0)
        await disturb(running, key, chunk)
        assert await rounds(recorder, chunk) <= 2
        got = running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=key)
        assert got["Body"].read() == chunk.data


@pytest.mark.parametrize("etag", ["told", "lost"])
async def test_what_vanishes_between_its_put_and_its_ack_is_sent_again(running: Running, etag: str) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)
        await running.delete_object(await running.key_of(recorder, 0))
        (ack,) = await recorder.ack([(0, put.etag if etag == "told" else None)])
        assert (ack.verdict, ack.state) == ("missing", "granted")
        (again,) = await recorder.grant([chunk])
        assert again.put is not None
        assert "if-none-match" not in again.put.headers, "should it turn up again, it is not in the way"
        assert await rounds(recorder, chunk) == 1


async def test_a_grant_whose_url_expired_is_granted_again(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        await recorder.grant([chunk])
        old = presigner(running.settings).put(
            await running.key_of(recorder, 0),
            size=chunk.size,
            sha256=chunk.sha256,
            content_type=recorder.mime_type,
            overwrite=False,
            now=datetime.now(UTC) - timedelta(days=1),
        )
        refused = await recorder.put(Grant(0, "granted", Permission(old.url, old.headers), None, None), chunk)
        assert refused.status == 403
        await running.sql(
            "update chunks set granted_at = granted_at - interval '1 day', expires_at = now() - interval '1 hour'"
        )
        await running.plane.services.expiry.run()
        (ack,) = await recorder.ack([(0, None)])
        assert (ack.verdict, ack.state) == ("missing", "granted")
        (again,) = await recorder.grant([chunk])
        assert again.expires_at is not None
        assert datetime.fromisoformat(again.expires_at) > datetime.now(UTC)
        assert (await recorder.put(again, chunk)).status == 200
        (ack,) = await recorder.ack([(0, None)])
        assert ack.verdict == "match"


@pytest.mark.parametrize("finished", [False, True], ids=["open", "complete"])
async def test_a_recording_that_vanished_from_the_bucket_is_missing_and_comes_back(
    running: Running, finished: bool
) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder)
        await running.plane.confirm.run()
        if finished:
            await recorder.complete(chunks)
        await remove_versions(running, recorder)
        for _ in range(2):
            await running.plane.audit.run()
        status = await recorder.status()
        assert (status.received, status.missing, status.open_tickets) == ([], [[0, 2]], 3)
        if not finished:
            with pytest.raises(Refused) as refused:
                await recorder.complete(chunks)
            assert refused.value.problem.members["missing"] == [[0, 2]]
        assert [await rounds(recorder, chunk) for chunk in chunks] == [1, 1, 1], "without waiting for a ticket"
        await running.plane.confirm.run()
        status = await recorder.status()
        assert (status.confirmed, status.missing, status.open_tickets) == ([[0, 2]], [], 0)
        assert (await recorder.complete(chunks)).complete
