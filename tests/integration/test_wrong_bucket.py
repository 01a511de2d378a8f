"""The bucket becomes another's in the middle of a sweep or a rebuild: nothing more is decided, and that is said."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import DEPLOYMENT_KEY
from control_plane.embedded import EmbeddedStack
from control_plane.services.deployment import WrongBucket
from tests.integration.test_rebuilding import on, rebuild, recorded, stored
from tests.support.databases import fresh_database
from tests.support.plane import Running, running_plane
from tests.support.proxy import FaultProxy, Hold
from tests.support.recorder import Recorder

pytestmark = pytest.mark.anyio

# All that sweeps write, but their own reports.
DECIDED = [
    "select * from recordings order by id",
    "select * from chunks order by recording_id, seq",
    "select * from tickets order by id",
    "select * from sightings order by recording_id, seq",
    "select * from owners order by id",
    "select count(*) from events where kind not like 'releases%'",
]
ANOTHERS = json.dumps({"version": 1, "deployment_id": str(uuid.uuid4())}).encode()


async def decided(running: Running) -> Sequence[Any]:
    return [await running.sql(statement) for statement in DECIDED]


async def replaced_at(
    behind: Running, proxy: FaultProxy, moment: tuple[str, str, int], run: Callable[[], Awaitable[Any]]
) -> Any:
    """What `run` answers (or raises) where another's mark lies in the bucket from this request on; nothing is decided after."""
    method, path, skip = moment
    mark = await stored(behind, DEPLOYMENT_KEY)
    began = len(proxy.log())
    proxy.clear()
    proxy.add(method, path, Hold(), skip=skip)
    running = asyncio.ensure_future(run())
    await asyncio.to_thread(proxy.wait_for, lambda log: any(seen.fault == Hold.name for seen in log[began:]))
    before = await decided(behind)
    await behind.put_over(DEPLOYMENT_KEY, ANOTHERS)
    proxy.release_held()
    end: Any = (await asyncio.gather(running, return_exceptions=True))[0]
    assert await decided(behind) == before, moment
    await behind.put_over(DEPLOYMENT_KEY, mark)
    return end


async def test_an_empty_database_at_anothers_bucket_is_told_of_rebuild(running: Running) -> None:
    await running.put_over(DEPLOYMENT_KEY, ANOTHERS)
    with pytest.raises(WrongBucket, match="`safereel rebuild`"):
        await running.plane.deployment.claim_bucket()


def behind(proxy: FaultProxy, settings: Settings) -> Settings:
    """The control plane's own calls go through the proxy; recorders and the test go past it."""
    return settings.model_copy(update={"s3_endpoint": proxy.url, "s3_public_endpoint": settings.s3_endpoint})


async def put_unacked(recorder: Recorder, seq: int) -> None:
    chunk = recorder.chunk(seq, size=300)
    (grant,) = await recorder.grant([chunk])
    await recorder.put(grant, chunk)


async def test_from_that_moment_an_audit_decides_nothing(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    """One chunk to be healed, one to be asked for, one that is back, one to adopt, and a recording to take up."""
    async with (
        running_plane(stack, behind(bucket_proxy, settings)) as running,
        running.recorder() as recorder,
        running.recorder("bob") as forgotten,
    ):
        chunks = await recorded(recorder, 5)
        await recorded(forgotten, 1)
        keys = [await running.key_of(recorder, seq) for seq in range(5)]
        await running.delete_object(keys[3])
        await running.plane.audit.run()
        await running.plane.audit.run()
        await running.hide_object(keys[1])
        await running.delete_object(keys[2])
        await running.plane.audit.run()
        await running.put_object_with_digest(keys[3], chunks[3].data)
        await put_unacked(recorder, 5)
        await running.sql("delete from chunks where recording_id = %(id)s", {"id": forgotten.recording_id})
        await running.sql("delete from recordings where id = %(id)s", {"id": forgotten.recording_id})

        moments = [
            ("HEAD", "/00000001-", 0),  # seen missing a second time
            ("GET", "versions.*00000001-", 0),  # what is left of it; not of the other, which is asked for beside it
            ("POST", "delete", 0),  # its delete marker is taken away
            ("HEAD", "/00000003-", 0),
            ("HEAD", "/00000005-", 0),
            ("GET", "/recording.json", 0),
            ("HEAD", forgotten.recording_id, 0),
            ("GET", "list-type=2.*meta", 0),
        ]
        for moment in moments:
            report = await replaced_at(running, bucket_proxy, moment, running.plane.audit.run)
            assert (report.outcome, "another deployment" in report.cause) == ("undecided", True), moment
        bucket_proxy.clear()

        assert (await running.plane.audit.run()).outcome == "decided"
        assert (await recorder.status()).missing == [[2, 2]]
        assert (await recorder.status()).received == [[0, 1], [3, 5]]
        assert (await forgotten.status()).received == [[0, 0]]


async def test_from_that_moment_a_rebuild_takes_up_nothing(
    running: Running, stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 2, complete=True)
        assert (await running.plane.services.manifests.run()).written == 1
        await running.delete_object(await running.key_of(recorder, 0))
        with fresh_database(stack) as url:
            lost = behind(bucket_proxy, on(settings, stack, url))
            async with running_plane(stack, lost, claims=False) as anew:
                await anew.sql("update deployment set id = gen_random_uuid()")
                for moment in [
                    ("GET", "/recording.json", 0),
                    ("HEAD", "/v1/", 0),
                    ("GET", "list-type=2.*meta", 0),
                    ("GET", "/manifest.json", 0),
                ]:
                    end = await replaced_at(anew, bucket_proxy, moment, partial(rebuild, anew))
                    assert isinstance(end, WrongBucket), moment
                bucket_proxy.clear()
                rebuilt = await rebuild(anew)
                assert (rebuilt.whole, rebuilt.completed, rebuilt.missing) == (True, 1, 1)
