"""Heartbeats of one recorder that arrive together: it beats again before it is answered, or a profile was copied."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.support.plane import Running
from tests.support.recorder import uuid7

pytestmark = pytest.mark.anyio


async def test_beats_of_one_recorder_take_turns(running: Running) -> None:
    chance = random.Random(5)
    async with running.recorder() as recorder:
        recordings = [uuid7() for _ in range(40)]
        for recording_id in recordings:
            recorder.recording_id = recording_id
            await recorder.start()

        async def beat(held: Sequence[str]) -> None:
            await recorder.beat_holding([{"recording_id": it, "ranges": [[0, 5]], "open": True} for it in held])

        for _ in range(15):
            some = [chance.sample(recordings, chance.randint(1, len(recordings))) for _ in range(16)]
            await asyncio.gather(*(beat(held) for held in some))  # a deadlock would be answered with 503
        await beat(recordings)
    held = await running.sql("select recording_id::text from holdings")
    assert {row["recording_id"] for row in held} == set(recordings), "the last word counts"
