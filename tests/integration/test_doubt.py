"""Doubt outlives whoever looked before: no older look gives leave to drop a chunk that a newer one did not find."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from control_plane.wiring import open_control_plane
from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

PATIENCE_S = 20.0


@asynccontextmanager
async def confirmed(running: Running) -> AsyncIterator[tuple[Recorder, Chunk]]:
    """A recording of one confirmed chunk that its recorder still holds."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0)
        await recorder.send([chunk])
        await running.plane.confirm.run()
        yield recorder, chunk


class Gate:
    """Holds back who has come to a point, until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.passed = asyncio.Event()

    async def wait(self) -> None:
        self.reached.set()
        await asyncio.wait_for(self.opened.wait(), PATIENCE_S)


def hold_listing(gate: Gate, listing: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """The listing of a large bucket: after its first pages, the rest takes its time."""

    async def held(prefix: str, **given: Any) -> AsyncIterator[Any]:
        async for page in listing(prefix, **given):
            yield page
        await gate.wait()

    return held


async def released(recorder: Recorder, chunk: Chunk) -> bool:
    return bool((await recorder.beat([chunk])).releases)


@asynccontextmanager
async def owner_locked(running: Running) -> AsyncIterator[None]:
    """What a grant, a deletion or a recount of this owner does for a moment."""
    url = running.settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("select from owners for update")
        yield
        await connection.rollback()


async def until_somebody_waits(running: Running) -> None:
    waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(PATIENCE_S):
        while not await running.sql(waiting):  # noqa: ASYNC110  # another process tells, by a query alone
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("seen_by", ["another audit", "a repeated ack"])
async def test_an_audit_that_listed_before_takes_no_doubt_away(
    running: Running, monkeypatch: pytest.MonkeyPatch, seen_by: str
) -> None:
    gate = Gate()
    async with confirmed(running) as (recorder, chunk), open_control_plane(running.settings) as other:
        bucket = other.audit._bucket
        monkeypatch.setattr(bucket, "list_pages", hold_listing(gate, bucket.list_pages))
        auditing = asyncio.create_task(other.audit.run())
        await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
        await running.delete_object(await running.key_of(recorder, 0))
        if seen_by == "another audit":
            assert (await running.plane.audit.run()).detail["first_sightings"] == 1
        else:
            assert [ack.verdict for ack in await recorder.ack([(0, None)])] == ["missing"]
        gate.opened.set()
        assert (await auditing).detail["discrepancies"] == {}, "what this one saw was right, then"
        assert not await released(recorder, chunk), "nowhere but on the device"
        await running.plane.audit.run()
        await running.plane.audit.run()
        assert (await recorder.status()).missing == [[0, 0]]


async def test_a_confirmation_that_looked_before_confirms_no_doubted_chunk(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    confirming = type(running.plane.confirm._sweeps).confirm

    async def held(self: Any, *given: Any) -> int:
        await gate.wait()
        return await confirming(self, *given)

    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0)
        await recorder.send([chunk])
        with monkeypatch.context() as forced:
            forced.setattr(type(running.plane.confirm._sweeps), "confirm", held)
            sweeping = asyncio.create_task(running.plane.confirm.run())
            await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
            await running.delete_object(await running.key_of(recorder, 0))
            assert [ack.verdict for ack in await recorder.ack([(0, None)])] == ["missing"]
            gate.opened.set()
            assert (await sweeping).detail["confirmed"] == 0
        assert not await released(recorder, chunk)


@asynccontextmanager
async def late_ack(running: Running, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    """An ack whose HEAD has seen the chunk before the body begins; it is committed in the body, where the gate is opened."""
    gate, chunks = Gate(), type(running.plane.services.acks._chunks)
    committing = chunks.record_acks

    async def held(self: Any, *acks: Any) -> Any:
        await gate.wait()
        states = await committing(self, *acks)
        gate.passed.set()
        return states

    with monkeypatch.context() as forced:
        forced.setattr(chunks, "record_acks", held)
        acking = asyncio.create_task(recorder.ack([(0, None)]))
        await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
        yield gate
        assert [ack.verdict for ack in await acking] == ["match"]


def committed_before(method: str, gate: Gate, running: Running, forced: pytest.MonkeyPatch) -> None:
    """The gate is opened, and what it held back is done, just before the audit writes what it saw."""
    store = type(running.plane.audit._sweeps)
    writing = getattr(store, method)

    async def after_the_ack(self: Any, findings: Any) -> Any:
        gate.opened.set()
        await asyncio.wait_for(gate.passed.wait(), PATIENCE_S)
        return await writing(self, findings)

    forced.setattr(store, method, after_the_ack)


async def test_a_late_ack_takes_no_newer_sighting_away(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit's look is the newer one, though the ack raised the chunk's generation before the audit wrote."""
    async with confirmed(running) as (recorder, chunk):
        async with late_ack(running, recorder, monkeypatch) as gate:
            await running.delete_object(await running.key_of(recorder, 0))
            committed_before("record_sightings", gate, running, monkeypatch)
            await running.plane.audit.run()
        assert not await released(recorder, chunk), "nowhere but on the device"


async def test_a_ticket_that_a_late_ack_made_void_leaves_its_doubt(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with confirmed(running) as (recorder, chunk):
        key = await running.key_of(recorder, 0)
        await running.delete_object(key)
        await running.plane.audit.run()
        await running.put_object_with_digest(key, chunk.data)
        async with late_ack(running, recorder, monkeypatch) as gate:
            await running.delete_object(key)
            committed_before("open_tickets", gate, running, monkeypatch)
            assert (await running.plane.audit.run()).detail["tickets_opened"] == 0
        monkeypatch.undo()
        assert (await running.plane.confirm.run()).detail["tickets_opened"] == 1, "the second sighting, not the first"


async def test_an_ack_that_began_before_the_chunk_was_acked_doubts_it_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, looker = Gate(), type(running.plane.services.acks._looker)
    looking = looker.look

    async def held(self: Any, chunk: Any) -> Any:
        await gate.wait()
        return await looking(self, chunk)

    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0)
        (grant,) = await recorder.grant([chunk])
        with monkeypatch.context() as forced:
            forced.setattr(looker, "look", held)
            acking = asyncio.create_task(recorder.ack([(0, None)]))
            await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
        await recorder.put(grant, chunk)
        assert [ack.verdict for ack in await recorder.ack([(0, None)])] == ["match"]
        await running.plane.confirm.run()
        await running.delete_object(await running.key_of(recorder, 0))
        gate.opened.set()
        assert [ack.verdict for ack in await acking] == ["missing"]
        assert not await released(recorder, chunk)


async def test_doubt_that_proved_wrong_ends_with_the_next_sweep(running: Running) -> None:
    async with confirmed(running) as (recorder, chunk):
        key = await running.key_of(recorder, 0)
        await running.delete_object(key)
        await recorder.ack([(0, None)])
        await running.put_object_with_digest(key, chunk.data)
        assert not await released(recorder, chunk)
        await running.plane.audit.run()
        assert await released(recorder, chunk)


async def test_an_ack_that_waited_closes_the_ticket_that_was_opened_meanwhile(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    opening = type(running.plane.audit._sweeps).open_tickets

    async def held(self: Any, findings: Any) -> Any:
        await gate.wait()
        return await opening(self, findings)

    async with confirmed(running) as (recorder, chunk):
        key = await running.key_of(recorder, 0)
        await running.delete_object(key)
        await running.plane.audit.run()
        with monkeypatch.context() as forced:
            forced.setattr(type(running.plane.audit._sweeps), "open_tickets", held)
            auditing = asyncio.create_task(running.plane.audit.run())
            await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
            await running.put_object_with_digest(key, chunk.data)
            async with owner_locked(running):
                acking = asyncio.create_task(recorder.ack([(0, None)]))
                await until_somebody_waits(running)
                gate.opened.set()
                assert (await auditing).detail["tickets_opened"] == 1
            assert [ack.verdict for ack in await acking] == ["match"]
        status = await recorder.status()
        assert (status.open_tickets, status.missing, status.received) == (0, [], [[0, 0]])


async def test_doubt_of_what_was_acked_again_does_not_stay_for_ever(running: Running) -> None:
    async with confirmed(running) as (recorder, chunk):
        recording_id = UUID(recorder.recording_id)
        await running.sql(
            "insert into sightings (recording_id, seq, generation, verdict) values (%(id)s, 0, 1, 'missing')",
            {"id": recording_id},
        )
        await running.sql("update chunks set generation = 2")
        assert not await released(recorder, chunk)
        await running.plane.audit.run()
        assert await released(recorder, chunk)
