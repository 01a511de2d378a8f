"""Steps of losing, asking and deleting that meet each other, in forced orders: nobody is asked in vain, nothing is given up."""

import asyncio
import logging
from typing import Any

import pytest

from control_plane.db.heartbeats import HeartbeatStore
from control_plane.db.tickets import TicketStore
from control_plane.domain.tickets import LostCause
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.tickets import TicketRun
from control_plane.wiring import open_control_plane
from tests.support.losing import SILENT, ends, judge, send_again, silent_for, told, used
from tests.support.plane import Running
from tests.support.tickets import asked_for, recorded

pytestmark = pytest.mark.anyio


async def test_a_holder_that_calls_while_it_is_judged_is_heard(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tickets are read, the holder comes back, then the end is written."""
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0])
        await silent_for(running, recorder, SILENT)
        writing = TicketStore.lose

        async def after_a_beat(self: Any, judged: Any, read_at: Any) -> Any:
            assert len(judged) == 1
            await recorder.beat(chunks)
            return await writing(self, judged, read_at)

        with monkeypatch.context() as forced:
            forced.setattr(TicketStore, "lose", after_a_beat)
            assert (await judge(running)).lost == []
        assert (await recorder.status()).missing == [[0, 0]]


async def test_an_ack_while_it_is_judged_is_kept(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0])
        beat = await recorder.beat(chunks)
        await silent_for(running, recorder, SILENT)
        writing = TicketStore.lose

        async def after_an_ack(self: Any, judged: Any, read_at: Any) -> Any:
            await send_again(recorder, beat, chunks)
            return await writing(self, judged, read_at)

        with monkeypatch.context() as forced:
            forced.setattr(TicketStore, "lose", after_an_ack)
            assert (await judge(running)).lost == []
        assert [row["state"] for row in await ends(running)] == ["fulfilled"]
        assert await used(running) == 4 * 3_000


async def test_what_was_lost_and_asked_for_anew_while_it_is_judged_stays_asked_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run ends the ticket first; a holder comes back, is asked anew, and goes: of that ticket nobody has judged."""
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0])
        await silent_for(running, recorder, SILENT)
        writing = TicketStore.lose

        async def after_another_run(self: Any, judged: Any, read_at: Any) -> Any:
            assert len(await writing(self, judged, read_at)) == 1
            await recorder.beat(chunks)
            await recorder.beat(chunks[1:])
            return await writing(self, judged, read_at)

        with monkeypatch.context() as forced:
            forced.setattr(TicketStore, "lose", after_another_run)
            assert (await judge(running)).lost == []
        assert [(row["state"], row["reopened"]) for row in await ends(running)] == [("lost", False), ("open", True)]
        assert (await recorder.status()).missing == [[0, 0]]
        assert await used(running) == 4 * 3_000


async def test_what_was_acked_since_it_was_judged_is_not_lost_whatever_its_ticket_says(running: Running) -> None:
    """An ack closes the ticket; this sees that the end does not hang on that alone."""
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0])
        store = running.plane.services.tickets._tickets
        (ticket,), read_at = await store.to_judge(10)
        assert read_at is not None
        await running.sql("update chunks set generation = generation + 1 where seq = 0")
        await recorder.beat(chunks[1:])
        assert await store.lose([(ticket, LostCause.GONE)], read_at) == []
        assert [row["state"] for row in await ends(running)] == ["open"]
        assert (await recorder.status()).missing == [[0, 0]]


async def test_a_deletion_while_it_is_judged_withdraws(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0])
        await silent_for(running, recorder, SILENT)
        writing = TicketStore.lose

        async def after_a_deletion(self: Any, judged: Any, read_at: Any) -> Any:
            await recorder.delete()
            return await writing(self, judged, read_at)

        with monkeypatch.context() as forced:
            forced.setattr(TicketStore, "lose", after_a_deletion)
            assert (await judge(running)).lost == []
        assert [row["state"] for row in await ends(running)] == ["withdrawn"]
        assert await used(running) == 0


async def test_a_deletion_between_look_and_ticket_opens_none(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded(running) as (recorder, chunks):
        await running.delete_object(await running.key_of(recorder, 0))
        await running.plane.audit.run()
        handling = DiscrepancyService.handle

        async def after_a_deletion(self: Any, findings: Any, sweep: Any) -> Any:
            await recorder.delete()
            return await handling(self, findings, sweep)

        with monkeypatch.context() as forced:
            forced.setattr(DiscrepancyService, "handle", after_a_deletion)
            assert (await running.plane.audit.run()).detail["tickets_opened"] == 0
        assert await ends(running) == []
        beat = await recorder.beat(chunks)
        assert (beat.tickets, beat.discard) == ((), (recorder.recording_id,))


async def test_a_deleted_recording_is_not_asked_for_by_its_returning_holder(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0])
        await silent_for(running, recorder, SILENT)
        assert len((await judge(running)).lost) == 1
        await recorder.delete()
        beat = await recorder.beat(chunks)
        assert (beat.tickets, beat.discard) == ((), (recorder.recording_id,))
        assert [row["state"] for row in await ends(running)] == ["lost"]
        assert await used(running) == 0


async def test_a_chunk_that_goes_missing_during_a_heartbeat_is_not_released(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds is recorded and no ticket is there yet; two audits find a loss; then the releases are computed."""
    async with recorded(running) as (recorder, chunks):
        releasing = HeartbeatStore.releases

        async def after_two_audits(self: Any, owner: Any, beat: Any, *, limit: int) -> Any:
            await asked_for(running, recorder, [0])
            return await releasing(self, owner, beat, limit=limit)

        with monkeypatch.context() as forced:
            forced.setattr(HeartbeatStore, "releases", after_two_audits)
            late = await recorder.beat(chunks)
        assert {seq for seq, _ in late.releases[recorder.recording_id]} == {1, 2, 3}
        await send_again(recorder, await recorder.beat(chunks), chunks)
        assert (await recorder.status()).received == [[0, 3]]


async def test_a_delayed_answer_is_told_from_a_later_one(running: Running) -> None:
    """An answer from before the loss arrives after the one with the ticket: its counter says that it is the older one."""
    async with recorded(running) as (recorder, chunks):
        delayed = await recorder.beat(chunks)
        assert 0 in {seq for seq, _ in delayed.releases[recorder.recording_id]}
        await asked_for(running, recorder, [0])
        later = await recorder.beat(chunks)
        assert 0 not in {seq for seq, _ in later.releases[recorder.recording_id]}
        assert delayed.counter < later.counter


async def test_a_ticket_that_is_closed_while_it_is_delivered_is_not(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        delivering = HeartbeatStore.deliver

        async def after_it_turned_up(self: Any, tickets: Any, ttl: Any) -> Any:
            await running.put_object_with_digest(await running.key_of(recorder, 0), chunks[0].data)
            await running.plane.audit.run()
            return await delivering(self, tickets, ttl)

        with monkeypatch.context() as forced:
            forced.setattr(HeartbeatStore, "deliver", after_it_turned_up)
            assert (await recorder.beat(chunks)).tickets == ()
        assert [row["state"] for row in await ends(running)] == ["healed"]


async def test_a_complete_recording_is_repaired_too(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.complete(chunks)
        await asked_for(running, recorder, [3])
        status = await recorder.status()
        assert (status.complete, status.missing) == (True, [[3, 3]])
        await send_again(recorder, await recorder.beat(chunks, more_to_come=False), chunks)
        status = await recorder.complete(chunks)
        assert (status.complete, status.missing, status.received) == (True, [], [[0, 3]])


async def test_a_missing_chunk_always_has_a_ticket(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody has removed it by hand."""
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        await running.sql("delete from tickets")
        with caplog.at_level(logging.ERROR):
            assert (await judge(running)).mended == 1
        assert "Missing chunks had no ticket" in caplog.text
        await send_again(recorder, await recorder.beat(chunks), chunks)
        assert (await judge(running)).mended == 0


async def test_run_one_judges_and_run_two_the_rest(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.services.tickets.JUDGED_A_RUN", 3)
    async with recorded(running, count=5) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, list(range(5)))
        assert (await judge(running)).judged == 3
        await judge(running)
        judged = await running.sql("select seq from tickets where looked_at > opened_at order by seq")
        assert [row["seq"] for row in judged] == [0, 1, 2, 3, 4], "no ticket is always behind the others"
        await silent_for(running, recorder, SILENT)
        lost = [*(await judge(running)).lost, *(await judge(running)).lost]
        assert sorted(ticket.seq for ticket in lost) == [0, 1, 2, 3, 4]
        assert await judge(running) == TicketRun(0, (), 0)


async def test_two_at_once_end_a_ticket_once(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0, 1, 2])
        await silent_for(running, recorder, SILENT)
        async with open_control_plane(running.settings) as other:
            runs = await asyncio.gather(judge(running), other.services.tickets.run(), judge(running))
        assert sum(len(run.lost) for run in runs) == 3
        assert [kind for kind, _, _ in await told(running)].count("ticket_lost") == 3
        assert await used(running) == 3_000


async def test_all_at_once_they_do_no_harm(running: Running) -> None:
    """Acks, judges, beats of two devices and sweeps, each of which locks some of the same rows: nobody waits in a circle."""
    async with recorded(running, count=40) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, list(range(40)))
        await silent_for(running, recorder, SILENT)
        assert len((await judge(running)).lost) == 40
        async with running.recorder(recording_id=recorder.recording_id) as other:
            tickets = (await recorder.beat(chunks)).tickets
            assert len(tickets) == 40
            claims = [(ticket.seq, (await recorder.put(ticket, chunks[ticket.seq])).etag) for ticket in tickets]
            await running.sql("update recorders set last_beat_at = now() - interval '8 days'")
            await asyncio.gather(
                *(recorder.ack(claims[first::4][::-1]) for first in range(4)),
                *(judge(running) for _ in range(4)),
                *(other.beat(chunks, gone=[ticket.id for ticket in tickets[:9]]) for _ in range(4)),
                *(recorder.beat(chunks) for _ in range(4)),
                running.plane.audit.run(),
                running.plane.confirm.run(),
            )
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 39]]
        assert {row["state"] for row in await ends(running)} <= {"lost", "fulfilled", "healed"}
        assert await used(running) == 40 * 3_000
