"""A part is killed under a running `safereel rebuild`: it says so in a sentence, and the next run makes the ledger whole."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.integration.test_machines import machines, until
from tests.integration.test_rebuilding import beside_an_empty_ledger, rebuild
from tests.integration.test_rebuilding_kills import DEADLINE_S, bucket_of_all_kinds, ledger, until_asked
from tests.support.databases import admin_connection, database_url, new_database
from tests.support.mortal_stack import MortalStack, Part, mortal_stack
from tests.support.plane import Running, new_bucket, running_plane, settings_for
from tests.support.proxy import FaultProxy, Hold

pytestmark = pytest.mark.anyio

# One after the other, at this request of the bucket: while recordings are taken up, while chunks are proven, between the two
# listings, and when one of the recordings is complete again.
KILLS: Sequence[tuple[Part, str, str, int]] = [
    ("PostgreSQL", "GET", r"/recording\.json", 5),
    ("SeaweedFS", "HEAD", r"/v1/", 10),
    ("PostgreSQL", "GET", r"prefix=meta", 0),
    ("SeaweedFS", "GET", r"/manifest\.json", 1),
]
SERVERS = 2
SAID = {"PostgreSQL": "Start PostgreSQL, or mend DATABASE_URL", "SeaweedFS": "Is the bucket up"}


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[MortalStack]:
    async with mortal_stack(tmp_path / "parts") as found:
        yield found


def lost_ledger(mortal: MortalStack, bucket: str) -> Settings:
    """An empty ledger, of a deployment that the bucket does not know."""
    with admin_connection(mortal.parts) as connection:
        url = database_url(mortal.parts, new_database(connection))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update deployment set id = gen_random_uuid()")
    return settings_for(mortal.parts, url, bucket)


async def after_one_run(mortal: MortalStack, bucket: str) -> Sequence[Any]:
    """What an undisturbed rebuild makes of it."""
    async with running_plane(mortal.parts, lost_ledger(mortal, bucket), claims=False) as alone:
        await rebuild(alone)
        return await ledger(alone)


@pytest.mark.thorough
async def test_a_part_that_dies_is_named_and_the_next_run_makes_it_whole(mortal: MortalStack, tmp_path: Path) -> None:
    first = lost_ledger(mortal, bucket := new_bucket(mortal.parts))
    async with running_plane(mortal.parts, first) as running:
        await bucket_of_all_kinds(running)
    expected = await after_one_run(mortal, bucket)

    settings = lost_ledger(mortal, bucket)
    with (
        FaultProxy(("127.0.0.1", int(settings.s3_endpoint.rpartition(":")[2]))) as proxy,
        machines(settings, tmp_path, S3_ENDPOINT=proxy.url) as started,
    ):
        for part, method, path, skip in KILLS:
            proxy.clear()
            proxy.add(method, path, Hold(), skip=skip)
            hit = started.start("rebuild")
            await until("the moment", partial(held, proxy))
            await mortal.kill(part)
            proxy.release_held()
            assert await asyncio.to_thread(hit.wait, DEADLINE_S) == 1
            told = [line for line in hit.said().splitlines() if not line.startswith("{")]  # without the log
            assert len(told) == 2, told
            assert "run it again" in told[0]
            assert SAID[part] in told[1]
            await mortal.start_again()
        last = started.start("rebuild")
        assert await asyncio.to_thread(last.wait, DEADLINE_S) == 1, "one recording has no description"

    async with running_plane(mortal.parts, settings) as anew:
        assert await ledger(anew) == expected
        assert not await anew.plane.services.quotas.recount_all()


async def held(proxy: FaultProxy) -> bool:
    return any(seen.fault == Hold.name and not seen.finished for seen in proxy.log())


async def test_killed_with_the_server_beside_it_the_next_ones_make_it_whole(
    running: Running, stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy, tmp_path: Path
) -> None:
    """The server's worker audits all the time, and takes up the same at once."""
    await bucket_of_all_kinds(running)
    (deployment,) = await running.sql("select id from deployment")
    async with beside_an_empty_ledger(stack, settings) as alone:
        await rebuild(alone)
        expected = await ledger(alone)

    chance = random.Random(7)
    async with beside_an_empty_ledger(stack, settings) as anew:
        await anew.sql("update deployment set id = %(id)s", deployment)  # as the first rebuild does
        with machines(anew.settings, tmp_path, S3_ENDPOINT=bucket_proxy.url) as started:
            for _ in range(SERVERS):
                server = started.start("serve", "--with-worker")
                command = started.start("rebuild")
                await until_asked(bucket_proxy, len(bucket_proxy.log()) + chance.randint(20, 60), command)
                for victim in chance.sample([server, command], 2):
                    victim.kill()
            started.start("serve", "--with-worker")
            last = started.start("rebuild")
            assert await asyncio.to_thread(last.wait, DEADLINE_S) == 1, "one recording has no description"
            await until("all is confirmed", lambda: all_confirmed(anew))
        assert await ledger(anew) == [[confirmed(row) for row in expected[0]], *expected[1:]]
        assert not await anew.plane.services.quotas.recount_all()


async def all_confirmed(running: Running) -> bool:
    return not await running.sql("select 1 from chunks where state = 'acked'")


def confirmed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return row if row["state"] != "acked" else {**row, "state": "confirmed"}
