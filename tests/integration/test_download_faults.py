"""The bucket fails while a download is made: nothing wrong is ever ready, and what passes is gone on with."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.support.downloads import begin, cut, fetched, made, recorded
from tests.support.movies import film
from tests.support.plane import Running, running_plane
from tests.support.proxy import Alter, CutAnswer, Drop, Fault, FaultProxy, ForwardThenDrop, Hold, Respond
from tests.support.recorder import Recorder

pytestmark = pytest.mark.anyio

CALL_S = 2.0
# What S3 may answer to the completion of an upload that it could not complete: a status of success, and this.
ERROR_INSIDE = Respond(
    200, {"content-type": "application/xml"}, b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
)
PARTS, COMPLETION, CHUNKS = r"partNumber=", r"downloads/[^?]*\?.*uploadId=", r"/v1/[0-9a-f]{2}/"
AGAIN = "update downloads set due_at = now()"


@pytest.fixture
async def behind_proxy(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    """A control plane that reaches its bucket through the proxy, and does not wait long."""
    monkeypatch.setattr("control_plane.wiring.S3Bucket", partial(S3Bucket, call_s=CALL_S))
    told = settings.model_copy(update={"s3_endpoint": bucket_proxy.url, "s3_public_endpoint": settings.s3_endpoint})
    async with running_plane(stack, told) as found:
        yield found


async def uploaded(recorder: Recorder, *, small: bool) -> bytes:
    """A file of chunks that have to be passed on (`small`), or that the bucket can copy; its bytes."""
    sizes = [400_000] * 25 if small else [5 * 1024**2, 5 * 1024**2, 1_000]
    chunks = [recorder.chunk(seq, size=size) for seq, size in enumerate(sizes)]
    await recorded(recorder, chunks, source="file")
    return b"".join(chunk.data for chunk in chunks)


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [
        ("POST", r"uploads", Respond(503)),
        ("PUT", PARTS, Respond(503)),
        ("PUT", PARTS, ForwardThenDrop()),
        ("POST", COMPLETION, Respond(503)),
        ("POST", COMPLETION, ERROR_INSIDE),
        ("POST", COMPLETION, Drop()),
        ("POST", COMPLETION, ForwardThenDrop()),
        ("HEAD", r"/downloads/", Respond(503)),
        ("HEAD", r"/downloads/", Respond(404)),
    ],
)
async def test_a_fault_is_waited_out(
    behind_proxy: Running, bucket_proxy: FaultProxy, method: str, path: str, fault: Fault, *, small: bool
) -> None:
    async with behind_proxy.recorder(mime_type="video/mp4") as recorder:
        content = await uploaded(recorder, small=small)
        begun = await begin(recorder)
        bucket_proxy.add(method, path, fault, times=None)
        told = await made(behind_proxy, recorder, begun)
        assert (told["state"], told["waiting_for"], told["file"]) == ("queued", "retry", None), told
        assert told["problem"]["code"] == "storage_unavailable"
        assert any(exchange.fault for exchange in bucket_proxy.log())
        bucket_proxy.clear()
        await behind_proxy.sql(AGAIN)
        ready = await made(behind_proxy, recorder, begun)
        assert (ready["state"], ready["problem"]) == ("ready", None), ready
        assert (await fetched(behind_proxy, recorder, ready))[0] == content


@pytest.mark.parametrize("fault", [Respond(503), CutAnswer(), Hold()])
async def test_chunks_that_cannot_be_read_are_no_loss(
    behind_proxy: Running, bucket_proxy: FaultProxy, fault: Fault
) -> None:
    """Of a store that does not answer nothing is concluded: no chunk is doubted for it."""
    async with behind_proxy.recorder(mime_type="video/webm") as recorder:
        await recorded(recorder, cut(film(seconds=2)))
        begun = await begin(recorder)
        bucket_proxy.add("GET", CHUNKS, fault, times=None)
        told = await made(behind_proxy, recorder, begun)
        bucket_proxy.release_held()
        assert (told["state"], told["waiting_for"]) == ("queued", "retry")
        assert await behind_proxy.sql("select 1 from sightings") == []
        bucket_proxy.clear()
        await behind_proxy.sql(AGAIN)
        assert (await made(behind_proxy, recorder, begun))["state"] == "ready"


async def test_a_bit_that_flips_on_the_way_is_noticed(behind_proxy: Running, bucket_proxy: FaultProxy) -> None:
    async with behind_proxy.recorder(mime_type="video/mp4") as recorder:
        content = await uploaded(recorder, small=True)
        begun = await begin(recorder)
        bucket_proxy.add("GET", CHUNKS, Alter(), times=1, skip=5)
        told = await made(behind_proxy, recorder, begun)
        assert (told["state"], told["waiting_for"]) == ("queued", "chunks")
        (sighting,) = await behind_proxy.sql("select verdict, read_again_at is not null as to_read from sightings")
        assert (sighting["verdict"], sighting["to_read"]) == ("digest_differs", True)
        await behind_proxy.sql(AGAIN)  # the chunk itself is right, as the next read shows
        ready = await made(behind_proxy, recorder, begun)
        assert (await fetched(behind_proxy, recorder, ready))[0] == content


async def test_faults_that_do_not_pass_end_it(behind_proxy: Running, bucket_proxy: FaultProxy) -> None:
    async with behind_proxy.recorder(mime_type="video/mp4") as recorder:
        await uploaded(recorder, small=True)
        begun = await begin(recorder)
        bucket_proxy.add("PUT", PARTS, Respond(503), times=None)
        await behind_proxy.sql("update downloads set faults = 11")
        told = await made(behind_proxy, recorder, begun)
        assert (told["state"], told["problem"]["code"]) == ("failed", "storage_unavailable")
        assert "Ask again" in told["problem"]["detail"]


async def test_what_kills_each_of_its_makers_comes_to_an_end(running: Running) -> None:
    async with running.recorder(mime_type="video/mp4") as recorder:
        await uploaded(recorder, small=True)
        begun = await begin(recorder)
        await running.sql("update downloads set state = 'running', lease_until = now(), faults = 11")
        told = await made(running, recorder, begun)
        assert (told["state"], told["problem"]["code"]) == ("failed", "internal")


async def test_a_bucket_that_is_another_deployments_gets_nothing(running: Running) -> None:
    async with running.recorder(mime_type="video/mp4") as recorder:
        await uploaded(recorder, small=True)
        begun = await begin(recorder)
        await running.sql("update deployment set id = gen_random_uuid()")
        told = await made(running, recorder, begun)
        assert (told["state"], told["waiting_for"]) == ("queued", "retry")
        listed = running.s3.list_objects_v2(Bucket=running.settings.s3_bucket_name, Prefix="downloads/")
        assert "Contents" not in listed
