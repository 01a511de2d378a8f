"""Downloads made by workers that are processes of their own, and are killed while they make them."""

import hashlib
import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from control_plane.config import Settings
from tests.integration.test_machines import Machines, machines, until
from tests.support.downloads import begin, fetched, looked_at, recorded
from tests.support.plane import Running
from tests.support.proxy import FaultProxy, Slow

pytestmark = pytest.mark.anyio

LEASE_MS = "2000"
CHUNK_BYTES, CHUNKS = 1_000_000, 34  # five parts of an upload


async def make_until_ready(running: Running, machine: Machines, downloads: list[str], *, kills: int) -> None:
    """Has the clock do what it does, while workers are killed and started; returns when all are ready."""
    workers = [machine.start("worker") for _ in range(2)]
    chance = random.Random(7)

    async def all_ready() -> bool:
        nonlocal kills
        await running.plane.download_dispatch.run()
        rows = await running.sql("select state, bytes_done, bytes_total from downloads")
        assert {row["state"] for row in rows} <= {"queued", "running", "ready"}, rows
        half = [row for row in rows if row["state"] == "running" and 2 * row["bytes_done"] > row["bytes_total"]]
        if half and kills:
            kills -= 1
            at = chance.randrange(len(workers))
            workers[at].kill()
            workers[at] = machine.start("worker")
        return all(row["state"] == "ready" for row in rows) and not kills

    await until("all downloads", all_ready)
    assert len(downloads) == len(await running.sql("select 1 from downloads where state = 'ready'"))


async def test_a_worker_killed_half_way_is_taken_over_without_starting_from_nothing(
    running: Running, settings: Settings, bucket_proxy: FaultProxy, tmp_path: Path
) -> None:
    through = settings.model_copy(update={"s3_endpoint": bucket_proxy.url, "s3_public_endpoint": settings.s3_endpoint})
    bucket_proxy.add("PUT", "partNumber=", Slow(8_000_000), times=None)
    with machines(through, tmp_path / "logs", SAFEREEL_DOWNLOAD_LEASE_MS=LEASE_MS) as machine:
        async with running.recorder(mime_type="video/mp4") as recorder:
            chunks = [recorder.chunk(seq, size=CHUNK_BYTES) for seq in range(CHUNKS)]
            await recorded(recorder, chunks, source="file")
            begun = await begin(recorder)
            await make_until_ready(running, machine, [begun["id"]], kills=1)
            data, _ = await fetched(running, recorder, await looked_at(recorder, begun))
            assert data == b"".join(chunk.data for chunk in chunks)
    sent = [each for each in bucket_proxy.log() if "partNumber=" in each.path and each.status == 200]
    whole = {each.path.partition("partNumber=")[2].partition("&")[0] for each in sent}
    assert len(whole) == 5
    assert len(sent) < 2 * len(whole)  # a part that was there was not sent again


@pytest.mark.thorough
async def test_a_hundred_downloads_on_three_workers(running: Running, settings: Settings, tmp_path: Path) -> None:
    expected: dict[str, str] = {}
    with machines(settings, tmp_path / "logs", SAFEREEL_DOWNLOAD_LEASE_MS=LEASE_MS) as machine:
        machine.start("worker")
        downloads: list[dict[str, Any]] = []
        for number in range(100):
            owner = f"owner-{number % 10}"
            async with running.recorder(owner, mime_type="video/mp4") as recorder:
                chunks = [recorder.chunk(seq, size=50_000) for seq in range(3)]
                await recorded(recorder, chunks, source="file")
                begun = await begin(recorder)
                downloads.append({**begun, "owner": owner})
                expected[begun["id"]] = hashlib.sha256(b"".join(chunk.data for chunk in chunks)).hexdigest()
        await make_until_ready(running, machine, [each["id"] for each in downloads], kills=0)
    async with aiohttp.ClientSession() as client:
        for each in downloads:
            headers = {"Authorization": f"Bearer {running.token(each['owner'])}", "Accept": "application/json"}
            async with client.get(f"{running.endpoint}/v1/downloads/{each['id']}/file", headers=headers) as told:
                address = (await told.json())["url"]
            async with client.get(URL(address, encoded=True)) as answer:
                assert hashlib.sha256(await answer.read()).hexdigest() == expected[each["id"]]
