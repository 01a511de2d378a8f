"""Turns at the bucket: a large batch keeps nobody else from looking."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.models import Chunk, ChunkState
from control_plane.services.looking import Looker

pytestmark = pytest.mark.anyio


class SlowBucket:
    """Answers one HEAD after the other, and remembers which keys were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.in_use = asyncio.Event()

    async def head(self, key: str) -> None:
        self.asked.append(key)
        self.in_use.set()
        await asyncio.sleep(0)


def chunks(recording: int, count: int) -> list[Chunk]:
    given: Any = dict.fromkeys(Chunk.__dataclass_fields__)
    known = {
        "recording_id": UUID(int=recording),
        "segment": 0,
        "size": 1,
        "sha256": "a" * 64,
        "state": ChunkState.GRANTED,
    }
    return [Chunk(**{**given, **known, "seq": seq}) for seq in range(count)]


async def test_one_chunk_does_not_wait_for_a_batch_of_another_call() -> None:
    bucket: Any = SlowBucket()
    looker = Looker(bucket, at_once=4, patience_s=None)
    batches = [asyncio.create_task(looker.look_at_all(chunks(recording, 500))) for recording in range(3)]
    await bucket.in_use.wait()  # then each batch stands in the queue with as many as it may
    sight = await looker.look(chunks(9, 1)[0])
    assert sight.reached
    assert len(bucket.asked) < 100, "of 1,500 that were asked for before"
    assert [len(await batch) for batch in batches] == [500] * 3
    assert len(bucket.asked) == 1_501


async def test_a_batch_has_the_patience_of_one_look() -> None:
    class Silent(SlowBucket):
        async def head(self, key: str) -> None:
            await super().head(key)
            await asyncio.Event().wait()

    bucket: Any = Silent()
    looker = Looker(bucket, at_once=4, patience_s=0.05)
    sights = await asyncio.wait_for(looker.look_at_all(chunks(1, 300)), timeout=5)
    assert not any(sight.reached for sight in sights)
    assert len(bucket.asked) == 4, "the others had no turn"


async def test_a_batch_does_not_wait_for_a_store_that_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(SlowBucket):
        hangs = True

        async def head(self, key: str) -> None:
            await super().head(key)
            if self.hangs:
                await asyncio.sleep(0.05)
                raise BucketUnreachable("no answer within a call's time")

    monkeypatch.setattr("control_plane.services.looking.SILENT_S", 0.1)
    bucket: Any = Hanging()
    looker = Looker(bucket, at_once=4)
    sights = await asyncio.gather(*(looker.look(chunk) for chunk in chunks(1, 1_000)))
    assert not any(sight.reached for sight in sights)
    assert len(bucket.asked) < 100, "of 1,000: the others had waited long enough"
    bucket.hangs = False
    assert (await looker.look(chunks(2, 1)[0])).reached, "whoever comes later asks"
