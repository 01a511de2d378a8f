"""Recordings that the ledger has forgotten and the bucket has not: whose they are, and their links, the bucket says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import recording_key
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import beside_an_empty_ledger, rebuild, recorded, stored
from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio

RESERVED = "select sum(reserved_bytes)::int as reserved from owners"
WHOSE = "select owner, share_id, title from recordings"


@asynccontextmanager
async def forgotten(
    running: Running, stack: EmbeddedStack, settings: Settings, recorder: Recorder
) -> AsyncIterator[Running]:
    """The same deployment on an empty ledger, where the recorder goes on before any rebuild."""
    async with beside_an_empty_ledger(stack, settings) as anew:
        deployment_id = await running.plane.deployment.claim_bucket()
        await anew.sql("update deployment set id = %(id)s", {"id": deployment_id})
        recorder.move_to(anew.endpoint)
        yield anew


async def test_its_recorder_begins_it_again_and_its_links_stay_good(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 2)
        told, before = await stored(running, recording_key(UUID(recorder.recording_id))), await running.sql(WHOSE)
        async with forgotten(running, stack, settings, recorder) as anew:
            await recorder.start(title="Another")
            (ack,) = await recorder.send([recorder.chunk(2)])
            assert ack.verdict == "match"
            assert await stored(running, recording_key(UUID(recorder.recording_id))) == told
            assert await anew.sql(WHOSE) == before
            assert (await rebuild(anew)).taken.chunks == 2
            assert (await recorder.status()).received == [[0, 2]]


async def test_nobody_else_can_take_it(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    async with running.recorder() as alice, running.recorder("mallory", recording_id=alice.recording_id) as other:
        await recorded(alice, 2, complete=True)
        await running.plane.services.manifests.run()
        told, before = await stored(running, recording_key(UUID(alice.recording_id))), await running.sql(WHOSE)
        async with forgotten(running, stack, settings, other) as anew:
            await other.start()
            rebuilt = await rebuild(anew)
            assert (rebuilt.taken.chunks, rebuilt.completed, rebuilt.whole) == (2, 1, True)
            assert await anew.sql(WHOSE) == before
        async with forgotten(running, stack, settings, other) as anew:
            await other.start()
            with pytest.raises(Refused) as refused:
                await other.grant([other.chunk(0)])
            assert refused.value.problem.code == "recording_conflict"
            assert await stored(running, recording_key(UUID(alice.recording_id))) == told
            rebuilt = await rebuild(anew)
            assert (rebuilt.taken.chunks, rebuilt.completed, rebuilt.whole) == (2, 1, True)
            assert await anew.sql(WHOSE) == before
            assert await anew.sql(RESERVED) == [{"reserved": 0}]
            with pytest.raises(Refused):
                await other.status()
