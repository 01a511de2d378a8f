"""`safereel rebuild`, killed again and again wherever it happens to be, leaves the ledger that one undisturbed run leaves."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import recording_key
from control_plane.embedded import EmbeddedStack
from tests.integration.test_machines import machines, until
from tests.integration.test_rebuilding import beside_an_empty_ledger, on, rebuild, recorded
from tests.support.deletions import finish
from tests.support.live import Program
from tests.support.plane import Running
from tests.support.proxy import FaultProxy

pytestmark = pytest.mark.anyio

KILLS = 10
RECORDINGS, CHUNKS = 12, 4
# A process that reads in a bucket behind a proxy, on a machine that does other things besides.
DEADLINE_S = 120.0
LEDGER = """
select r.id::text, r.owner, r.title, r.share_id, r.state as recording, r.chunk_count, r.total_bytes, r.created_at, r.completed_at,
       c.seq, c.segment, c.size, c.sha256, c.etag, c.state, c.generation, c.reserved
  from recordings r left join chunks c on c.recording_id = r.id order by r.id, c.seq
"""
TICKETS = "select recording_id::text, seq, reason, state from tickets order by 1, 2"
COUNTERS = "select id, used_bytes, reserved_bytes, reserved_chunks from owners order by id"
TAKEN_UP = """
select recording_id::text, sum((detail->>'chunks')::int)::int as chunks from events
 where kind = 'chunk_taken_up' group by 1 order by 1
"""


async def bucket_of_all_kinds(running: Running) -> None:
    """Open, complete, complete with a loss, without a description, deleted, empty; of two owners."""
    for at in range(RECORDINGS):
        async with running.recorder("alice" if at % 2 else "bob") as recorder:
            chunks = await recorded(recorder, at % CHUNKS + 1, complete=at % 3 == 0 and at > 0)
            while (await running.plane.services.manifests.run()).written:
                pass
            if at == 3:
                await running.delete_object(await running.key_of(recorder, chunks[0].seq))
            if at == 5:
                await running.delete_object(recording_key(UUID(recorder.recording_id)))
            if at == 7:
                await recorder.delete()
                await finish(running)


async def ledger(running: Running) -> Sequence[Any]:
    return [
        await running.sql(LEDGER),
        await running.sql(TICKETS),
        await running.sql(COUNTERS),
        await running.sql(TAKEN_UP),
    ]


@pytest.mark.thorough
async def test_killed_at_random_it_leaves_what_one_run_leaves(
    running: Running, stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy, tmp_path: Path
) -> None:
    await bucket_of_all_kinds(running)
    async with beside_an_empty_ledger(stack, settings) as alone:
        await rebuild(alone)
        expected = await ledger(alone)
        assert not await alone.plane.services.quotas.recount_all()
    assert {row["state"] for row in expected[0]} == {"acked", "missing"}

    chance = random.Random(4)
    async with beside_an_empty_ledger(stack, settings) as anew:
        url = anew.settings.database_url.get_secret_value()
        with machines(on(settings, stack, url), tmp_path, S3_ENDPOINT=bucket_proxy.url) as started:
            killed = 0
            for _ in range(KILLS):
                began, so_far = len(bucket_proxy.log()), chance.randint(1, 20)
                victim = started.start("rebuild")
                await until_asked(bucket_proxy, began + so_far, victim)
                if victim.runs:
                    victim.kill()
                    killed += 1
            assert killed >= KILLS / 2
            last = started.start("rebuild")
            assert await asyncio.to_thread(last.wait, DEADLINE_S) == 1, "one recording has no description"
        assert await ledger(anew) == expected
        assert not await anew.plane.services.quotas.recount_all()


async def until_asked(proxy: FaultProxy, requests: int, victim: Program) -> None:
    """Until the bucket has had so many requests, or the process has ended."""

    async def looked() -> bool:
        return len(proxy.log()) >= requests or not victim.runs

    await until(f"{requests} requests", looked)
