"""How long a recording lasts: told by its recorder with each chunk, shown to every device of its owner."""

import json
from typing import Any
from uuid import UUID

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import manifest_key
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import beside_an_empty_ledger, rebuild, stored
from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio

CHUNKS = "/v1/recordings/{}/chunks"


async def claim(recorder: Recorder, seq: int, **told: object) -> dict[str, Any]:
    chunk = recorder.chunk(seq, size=10)
    claimed = {"seq": seq, "segment": 0, "size": chunk.size, "sha256": chunk.sha256, **told}
    path = f"/v1/recordings/{recorder.recording_id}/grants"
    answer: dict[str, Any] = await recorder.call("POST", path, {"chunks": [claimed]})
    return answer


async def lengths(recorder: Recorder) -> tuple[object, object]:
    """By itself, and in the list."""
    alone = await recorder.call("GET", f"/v1/recordings/{recorder.recording_id}")
    (listed,) = (await recorder.call("GET", "/v1/recordings"))["recordings"]
    return alone["duration_ms"], listed["duration_ms"]


async def test_a_recording_lasts_until_its_last_chunk_ends(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        assert await lengths(recorder) == (None, None)
        await claim(recorder, 1, start_ms=5_000, duration_ms=2_500)
        await claim(recorder, 0, start_ms=0, duration_ms=5_000)
        assert await lengths(recorder) == (7_500, 7_500), "what is still on the device counts"
        await recorder.send([recorder.chunk(seq, size=10) for seq in (0, 1)])
        page = await recorder.call("GET", f"/v1/recordings/{recorder.recording_id}/chunks")
        assert [(c["start_ms"], c["duration_ms"]) for c in page["chunks"]] == [(0, 5_000), (5_000, 2_500)]


async def test_what_was_said_first_stays_and_what_was_not_said_may_follow(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await claim(recorder, 0)
        assert await lengths(recorder) == (None, None)
        await claim(recorder, 0, start_ms=0, duration_ms=5_000)
        await claim(recorder, 0, start_ms=0, duration_ms=9_000)
        assert await lengths(recorder) == (5_000, 5_000)
        (again,) = (await claim(recorder, 0))["grants"]
        assert again["state"] == "granted", "it decides nothing"
        assert await lengths(recorder) == (5_000, 5_000)


@pytest.mark.parametrize("told", [{"start_ms": -1}, {"duration_ms": 2**60}, {"duration_ms": 1.5}, {"start_ms": "0"}])
async def test_what_is_no_length_is_refused(running: Running, told: dict[str, object]) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        with pytest.raises(Refused) as refused:
            await claim(recorder, 0, **told)
        assert refused.value.problem.status == 422
        assert await lengths(recorder) == (None, None)


TIMES = "select seq, state, start_ms, duration_ms from chunks order by seq"


async def complete_with_times(running: Running, recorder: Recorder) -> None:
    """Three chunks, of whose last nobody told a time; with a manifest in the bucket."""
    await recorder.start()
    await claim(recorder, 0, start_ms=0, duration_ms=5_000)
    await claim(recorder, 1, start_ms=8_000, duration_ms=2_500)
    chunks = [recorder.chunk(seq, size=10) for seq in range(3)]
    await recorder.send(chunks)
    await recorder.complete(chunks)
    assert (await running.plane.services.manifests.run()).written == 1


async def test_a_ledger_made_anew_knows_the_times_of_what_was_complete(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        await complete_with_times(running, recorder)
        await running.delete_object(
            (await recorder.call("GET", CHUNKS.format(recorder.recording_id)))["chunks"][1]["key"]
        )
        async with beside_an_empty_ledger(stack, settings) as anew:
            assert (await rebuild(anew)).missing == 1
            assert [tuple(row.values()) for row in await anew.sql(TIMES)] == [
                (0, "acked", 0, 5_000),
                (1, "missing", 8_000, 2_500),
                (2, "acked", None, None),
            ]
            recorder.move_to(anew.endpoint)
            assert await lengths(recorder) == (10_500, 10_500)


async def test_a_manifest_from_before_times_were_told_is_as_good(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        await complete_with_times(running, recorder)
        key = manifest_key(UUID(recorder.recording_id))
        told = json.loads(await stored(running, key))
        told |= {"columns": told["columns"][:4], "chunks": [chunk[:4] for chunk in told["chunks"]]}
        await running.put_object(key, json.dumps(told).encode())
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.completed, rebuilt.bad_manifests, rebuilt.missing) == (1, 0, 0)
            recorder.move_to(anew.endpoint)
            assert await lengths(recorder) == (None, None)
