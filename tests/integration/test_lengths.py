"""How long a recording lasts: told by its recorder with each chunk, shown to every device of its owner."""

from typing import Any

import pytest

from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio


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
