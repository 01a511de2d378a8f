"""Another owner begins a forgotten recording while its description is read: nothing of the first owner becomes theirs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import rebuild, recorded
from tests.support.plane import Running, running_plane
from tests.support.proxy import FaultProxy, Hold

pytestmark = pytest.mark.anyio

Run = Callable[[Running], Awaitable[Any]]


async def audit(running: Running) -> Any:
    return await running.plane.audit.run()


@pytest.mark.parametrize("run", [audit, rebuild])
async def test_what_is_another_owners_by_now_takes_up_nothing(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy, run: Run
) -> None:
    behind = settings.model_copy(update={"s3_endpoint": bucket_proxy.url, "s3_public_endpoint": settings.s3_endpoint})
    async with running_plane(stack, behind) as running, running.recorder("alice") as alice:
        await recorded(alice, 2)
        await running.sql("truncate recordings, chunks, owners cascade")
        bucket_proxy.add("GET", r"/recording\.json", Hold())
        under_way = asyncio.ensure_future(run(running))
        await asyncio.to_thread(bucket_proxy.wait_for, lambda log: any(seen.fault == Hold.name for seen in log))
        async with running.recorder("mallory", recording_id=alice.recording_id) as mallory:
            await mallory.start()
            # A chunk of theirs in it, as from a version that granted before it looked who else had been there.
            await running.sql(
                "insert into chunks (recording_id, seq, segment, size, sha256, expires_at)"
                " values (%(id)s, 7, 0, 1, sha256('theirs'), now())",
                {"id": alice.recording_id},
            )
            bucket_proxy.release_held()
            await under_way
            assert (await mallory.status()).received == []
        assert await running.sql("select owner from recordings") == [{"owner": "mallory"}]
        assert await running.sql("select seq, state from chunks") == [{"seq": 7, "state": "granted"}]
        assert not await running.plane.services.quotas.recount_all()
