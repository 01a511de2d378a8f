"""A rebuild beside recorders that go on, and beside sweeps: nothing acked is lost, nothing deleted comes back."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import beside_an_empty_ledger, rebuild
from tests.support.deletions import finish, versions
from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

LIVES, STEPS = 10, 12


@dataclass(slots=True)
class Life:
    """One recorder: what it was promised, and whether it deleted its recording."""

    recorder: Recorder
    chance: random.Random
    chunks: list[Chunk] = field(default_factory=list)
    acked: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    complete: bool = False
    deleted: bool = False

    async def step(self, running: Running) -> None:
        """One thing that a recorder does."""
        if self.deleted:
            return
        await self.recorder.start()
        what = self.chance.choice(["send", "send", "send", "put", "beat", "beat", "complete", "delete"])
        if what in {"send", "put"} and not self.complete:
            chunk = self.recorder.chunk(len(self.chunks), size=500)
            self.chunks.append(chunk)
            await self.send([chunk], claims=what == "send")
        if what == "beat":
            await self.beat(running)
        if what == "complete" and self.chance.random() < 0.3:
            await self.end()
        if what == "delete" and self.chance.random() < 0.2:
            await self.recorder.delete()
            self.deleted = True

    async def send(self, chunks: Sequence[Chunk], *, claims: bool = True) -> None:
        claimed: list[tuple[int, str | None]] = []
        for grant, chunk in zip(await self.recorder.grant(chunks), chunks, strict=True):
            if grant.state == "granted":
                claimed.append((chunk.seq, (await self.recorder.put(grant, chunk)).etag))
            elif grant.state != "refused":
                self.acked.add(chunk.seq)
        if claims and claimed:
            for ack in await self.recorder.ack(claimed):
                assert ack.verdict == "match", ack
                self.acked.add(ack.seq)

    async def beat(self, running: Running) -> None:
        held = [chunk for chunk in self.chunks if chunk.seq not in self.released]
        beat = await self.recorder.beat(held)
        assert not beat.discard, "nobody has deleted it"
        for seq, _ in beat.releases.get(self.recorder.recording_id, ()):
            assert await stored_whole(running, self.recorder, self.chunks[seq]), "released, and not in the bucket"
            self.released.add(seq)
        for ticket in beat.tickets:
            put = await self.recorder.put(ticket, self.chunks[ticket.seq])
            await self.recorder.ack([(ticket.seq, put.etag)])

    async def end(self) -> None:
        if not self.complete and self.chunks:
            if held := [chunk for chunk in self.chunks if chunk.seq not in self.released]:
                await self.send(held)
            self.complete = (await self.recorder.complete(self.chunks)).complete


async def stored_whole(running: Running, recorder: Recorder, chunk: Chunk) -> bool:
    page = await running.sql("select shard from recordings where id = %(id)s", {"id": recorder.recording_id})
    key = f"v1/{page[0]['shard']:02x}/{recorder.recording_id}/{chunk.seq:08d}-{chunk.segment:04d}-{chunk.size}-{chunk.sha256}"
    try:
        got = await asyncio.to_thread(running.s3.get_object, Bucket=running.settings.s3_bucket_name, Key=key)
    except ClientError:
        return False
    body: bytes = await asyncio.to_thread(got["Body"].read)
    return body == chunk.data


async def sweeps(running: Running, over: asyncio.Event) -> int:
    """Everything that the clock would do, again and again until it is over."""
    rounds = 0
    while not over.is_set():
        await asyncio.gather(running.plane.audit.run(), running.plane.confirm.run())
        await running.plane.services.manifests.run()
        await running.plane.services.purges.run()
        await running.plane.services.tickets.run()
        rounds += 1
    return rounds


async def rebuilds(running: Running, over: asyncio.Event) -> int:
    rounds = 0
    while not over.is_set():
        await rebuild(running)
        rounds += 1
    return rounds


@pytest.mark.parametrize("seed", [1])
@pytest.mark.thorough
async def test_beside_recorders_that_go_on(
    running: Running, stack: EmbeddedStack, settings: Settings, seed: int
) -> None:
    chance = random.Random(seed)
    async with AsyncExitStack() as opened:
        lives = [
            Life(await opened.enter_async_context(running.recorder(f"owner {at % 3}")), random.Random(chance.random()))
            for at in range(LIVES)
        ]
        for life in lives:
            for _ in range(STEPS):
                await life.step(running)
        await running.plane.confirm.run()
        await running.plane.services.manifests.run()
        await finish(running)  # a deletion whose purge has not begun is not in the bucket: it would be forgotten
        anew = await opened.enter_async_context(beside_an_empty_ledger(stack, settings))
        for life in lives:
            life.recorder.move_to(anew.endpoint)
        deployment_id = await running.plane.deployment.claim_bucket()
        await anew.sql("update deployment set id = %(id)s", {"id": deployment_id})  # as the first rebuild does

        over = asyncio.Event()
        beside = [asyncio.create_task(sweeps(anew, over)), asyncio.create_task(rebuilds(anew, over))]
        try:
            await asyncio.gather(*(go_on(life, anew) for life in lives))
        finally:
            over.set()
            rounds = await asyncio.gather(*beside)
        assert min(rounds) >= 1
        await converged(anew, lives)


async def go_on(life: Life, running: Running) -> None:
    for _ in range(STEPS):
        await life.step(running)


async def converged(running: Running, lives: Sequence[Life]) -> None:
    for life in lives:
        if not life.deleted:
            await life.recorder.start()
            await life.end()
    for _ in range(3):
        await running.plane.audit.run()
        await running.plane.confirm.run()
    for life in lives:
        if not life.deleted:
            await life.beat(running)
    await running.plane.services.manifests.run()
    await finish(running)
    await rebuild(running)
    for life in lives:
        if life.deleted:
            assert await versions(running, life.recorder) == []
            rows = await running.sql(
                "select state from recordings where id = %(id)s and state not in ('deleting', 'deleted')",
                {"id": life.recorder.recording_id},
            )
            assert rows == [], "a deleted recording is back"
        else:
            status = await life.recorder.status()
            last = len(life.chunks) - 1
            assert (status.confirmed or [[0, -1]]) == [[0, last]], (status, life.acked)
            assert life.acked <= set(range(last + 1))
            assert life.released == set(range(last + 1))
            assert status.open_tickets == 0
    assert not await running.plane.services.quotas.recount_all()
