"""Tickets to the end: a chunk is lost only when nobody can send it, loudly, and never for good if it turns up again."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from control_plane.db.heartbeats import HeartbeatStore
from control_plane.db.tickets import TicketStore
from control_plane.domain.tickets import LostCause
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.tickets import TicketRun
from control_plane.wiring import open_control_plane
from tests.support.plane import Running
from tests.support.recorder import Beat, Chunk, Recorder, Refused
from tests.support.tickets import administrator, asked_for, recorded, scrape

pytestmark = pytest.mark.anyio

SILENT = timedelta(days=7.1)


async def judge(running: Running) -> TicketRun:
    return await running.plane.services.tickets.run()


async def ends(running: Running) -> list[dict[str, Any]]:
    """How tickets stand, in the order in which they were opened."""
    return await running.sql("select seq, state, cause, reopened from tickets order by opened_at, seq")


async def told(running: Running) -> list[tuple[str, int, str | None]]:
    rows = await running.sql("select kind, seq, cause from events order by id")
    return [(row["kind"], row["seq"], row["cause"]) for row in rows]


async def says_gone(recorder: Recorder, chunks: Sequence[Chunk], seq: int) -> None:
    """It is asked for a chunk, and has dropped it."""
    (ticket,) = [ticket for ticket in (await recorder.beat(chunks)).tickets if ticket.seq == seq]
    await recorder.beat([chunk for chunk in chunks if chunk.seq != seq], gone=[ticket.id])


async def silent_for(running: Running, recorder: Recorder, time: timedelta) -> None:
    await running.sql(
        "update recorders set last_beat_at = now() - %(time)s where id = %(id)s",
        {"time": time, "id": recorder.recorder_id},
    )


async def used(running: Running) -> int:
    (row,) = await running.sql("select used_bytes from owners where id = 'alice'")
    drifted = await running.plane.services.quotas.recount_all()
    assert not drifted, "the counters are what the ledger holds"
    found: int = row["used_bytes"]
    return found


async def send_again(recorder: Recorder, beat: Beat, chunks: Sequence[Chunk]) -> None:
    for ticket in beat.tickets:
        put = await recorder.put(ticket, chunks[ticket.seq])
        (ack,) = await recorder.ack([(ticket.seq, put.etag)])
        assert ack.verdict == "match"


async def test_what_its_only_holder_dropped_is_lost_and_everybody_hears_of_it(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("control_plane.services.figures.KEEP_S", 0.0)
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [2])
        await recorder.beat(chunks)
        assert (await judge(running)).lost == (), "it holds it"
        assert await used(running) == 4 * 3_000, "what is missing counts"
        await says_gone(recorder, chunks, 2)
        with caplog.at_level(logging.ERROR):
            (lost,) = (await judge(running)).lost
        assert (lost.seq, lost.cause) == (2, "gone")
        assert "Chunks are lost" in caplog.text
        status = await recorder.status()
        assert (status.lost, status.missing, status.open_tickets) == ([[2, 2]], [], 0)
        assert await used(running) == 3 * 3_000, "what is lost does not"
        (row,) = await running.sql("select state, cause, closed_at from tickets")
        assert (row["state"], row["cause"]) == ("lost", "gone")
        assert row["closed_at"] is not None
        assert (await told(running))[-1] == ("ticket_lost", 2, "gone")
        found = await scrape(running)
        assert (found["safereel_chunks_lost"], found['safereel_events_total{kind="ticket_lost"}']) == (1, 1)
        with pytest.raises(Refused) as refused:
            await recorder.complete(chunks)
        assert refused.value.problem.members["missing"] == [[2, 2]]
        assert (await recorder.complete(chunks, accept_lost=True)).lost == [[2, 2]]
        before = await ends(running)
        assert await judge(running) == TicketRun(0, (), 0)
        assert await ends(running) == before


@pytest.mark.parametrize(("silent", "lost"), [(timedelta(days=6.9), False), (SILENT, True)])
async def test_a_silent_holder_is_waited_for(running: Running, silent: timedelta, lost: bool) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0, 1])
        await silent_for(running, recorder, silent)
        assert [ticket.cause for ticket in (await judge(running)).lost] == (["silent"] * 2 if lost else [])
        assert (await recorder.status()).lost == ([[0, 1]] if lost else [])


async def test_one_device_does_not_speak_for_another(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        async with running.recorder(recording_id=recorder.recording_id) as other:
            await other.beat(chunks)
            await says_gone(recorder, chunks, 0)
            assert (await judge(running)).lost == ()
            (ticket,) = (await other.beat(chunks)).tickets
            assert ticket.seq == 0
            await silent_for(running, other, SILENT)
            assert [ticket.cause for ticket in (await judge(running)).lost] == ["silent"]


async def test_what_nobody_holds_waits_as_long(running: Running) -> None:
    """Released, and lost by the bucket since: somebody may bring it back from a backup."""
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await recorder.beat(chunks[1:])
        await asked_for(running, recorder, [0])
        await recorder.beat(chunks[1:])
        assert (await judge(running)).lost == ()
        await running.sql("update tickets set opened_at = opened_at - %(time)s", {"time": SILENT})
        assert [ticket.cause for ticket in (await judge(running)).lost] == ["unheld"]


async def test_who_never_said_what_it_holds_may_be_back_with_it(running: Running) -> None:
    """It crashed before its first beat; another device of the owner has nothing."""
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        async with running.recorder(recording_id=recorder.recording_id) as other:
            await says_gone(other, chunks, 0)
        assert (await judge(running)).lost == ()
        await send_again(recorder, await recorder.beat(chunks), chunks)
        assert [row["state"] for row in await ends(running)] == ["fulfilled"]


async def lose(running: Running, recorder: Recorder, chunks: Sequence[Chunk], seq: int) -> None:
    await asked_for(running, recorder, [seq])
    await says_gone(recorder, chunks, seq)
    assert [ticket.seq for ticket in (await judge(running)).lost] == [seq]


async def test_bytes_that_are_sent_after_all_are_welcome(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await lose(running, recorder, chunks, 1)
        (ack,) = await recorder.send([chunks[1]])
        assert (ack.verdict, ack.state) == ("match", "acked")
        assert (await told(running))[-1] == ("chunk_returned", 1, "acked")
        assert await used(running) == 4 * 3_000
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 3]]


async def test_an_object_that_turns_up_after_all_is_welcome(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await lose(running, recorder, chunks, 1)
        await running.put_object_with_digest(await running.key_of(recorder, 1), chunks[1].data)
        assert (await running.plane.audit.run()).detail["returned"] == 1
        assert (await told(running))[-1] == ("chunk_returned", 1, "seen")
        assert await used(running) == 4 * 3_000
        assert (await recorder.status()).received == [[0, 3]]


async def test_the_holder_back_after_lost_is_asked_again(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [0, 3])
        await silent_for(running, recorder, SILENT)
        assert len((await judge(running)).lost) == 2
        beat = await recorder.beat(chunks)
        assert {ticket.seq for ticket in beat.tickets} == {0, 3}, "in the answer to its first beat"
        assert (await recorder.status()).missing == [[0, 0], [3, 3]]
        assert await used(running) == 4 * 3_000
        assert await ends(running) == [
            {"seq": 0, "state": "lost", "cause": "silent", "reopened": False},
            {"seq": 3, "state": "lost", "cause": "silent", "reopened": False},
            {"seq": 0, "state": "open", "cause": None, "reopened": True},
            {"seq": 3, "state": "open", "cause": None, "reopened": True},
        ]
        assert ("ticket_reopened", 0, "missing") in await told(running)
        await send_again(recorder, beat, chunks)
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 3]]


async def test_who_says_gone_and_lists_it_all_the_same_is_not_asked_in_circles(running: Running) -> None:
    """Its list has a chunk whose file cannot be read. Once it has left the list and comes back, it is believed again."""
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        (ticket,) = (await recorder.beat(chunks)).tickets
        await recorder.beat(chunks, gone=[ticket.id])
        assert [ticket.cause for ticket in (await judge(running)).lost] == ["gone"]
        for _ in range(3):
            assert (await recorder.beat(chunks)).tickets == ()
        assert [row["state"] for row in await ends(running)] == ["lost"]
        await recorder.beat(chunks[1:])
        (ticket,) = (await recorder.beat(chunks)).tickets
        assert ticket.seq == 0


async def test_gone_is_forgotten_when_it_is_held_again(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        await says_gone(recorder, chunks, 0)
        await recorder.beat(chunks)
        assert await running.sql("select * from gone_reports") == []
        assert (await judge(running)).lost == ()


async def test_a_cloned_profile_that_has_dropped_it_does_not_end_what_the_other_one_has(running: Running) -> None:
    """Two devices with one recorder id: each one's beat says what it holds, as if it spoke for both."""
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0])
        ids = {"recording_id": recorder.recording_id, "recorder_id": recorder.recorder_id}
        async with running.recorder(**ids) as clone:
            await recorder.beat(chunks)
            await says_gone(clone, chunks, 0)
            await judge(running)
            await send_again(recorder, await recorder.beat(chunks), chunks)
        assert (await recorder.status()).received == [[0, 3]]
        assert [row["state"] for row in await ends(running)][-1] == "fulfilled"


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


async def test_what_was_accepted_as_lost_is_repaired_when_its_holder_returns(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await lose(running, recorder, chunks, 2)
        assert (await recorder.complete(chunks, accept_lost=True)).lost == [[2, 2]]
        async with running.recorder(recording_id=recorder.recording_id) as other:
            await send_again(other, await other.beat(chunks, more_to_come=False), chunks)
        status = await recorder.status()
        assert (status.complete, status.lost, status.received) == (True, [], [[0, 3]])


async def test_administrators_see_who_could_send_what_is_missing(running: Running) -> None:
    async with recorded(running) as (recorder, chunks), administrator(running) as admin:
        assert (await admin.call("GET", "/v1/admin/at-risk"))["recordings"] == []
        await recorder.beat(chunks[:2])
        await asked_for(running, recorder, [0, 1, 2])
        (found,) = (await admin.call("GET", "/v1/admin/at-risk"))["recordings"]
        assert (found["owner"], found["prospect"], found["missing_chunks"], found["missing_bytes"]) == (
            "alice",
            "asked",
            3,
            9_000,
        )
        assert [(holder["recorder_id"], holder["chunks"]) for holder in found["holders"]] == [(recorder.recorder_id, 2)]
        assert found["undelivered_tickets"] == 3
        await recorder.beat(chunks[:2])
        await running.sql("update tickets set delivered_at = now() - interval '1 hour' where delivered_at is not null")
        (found,) = (await admin.call("GET", "/v1/admin/at-risk"))["recordings"]
        assert (found["prospect"], found["undelivered_tickets"]) == ("unserved", 1)
        await silent_for(running, recorder, timedelta(hours=1))
        (found,) = (await admin.call("GET", "/v1/admin/at-risk"))["recordings"]
        assert found["prospect"] == "away"
        page = await admin.call("GET", f"/v1/admin/at-risk?after={recorder.recording_id}")
        assert page == {"recordings": [], "next_after": None}
        overview = await admin.call("GET", "/v1/admin/overview")
        assert (overview["open_tickets"], overview["lost_chunks"], overview["frozen"]) == (3, 0, False)


async def test_administrators_list_tickets(running: Running) -> None:
    async with recorded(running) as (recorder, chunks), administrator(running) as admin:
        await asked_for(running, recorder, [0, 1, 2])
        await says_gone(recorder, chunks, 1)
        await judge(running)
        (lost,) = (await admin.call("GET", "/v1/admin/tickets?state=lost"))["tickets"]
        assert (lost["seq"], lost["owner"], lost["cause"], lost["gone_reports"]) == (1, "alice", "gone", 1)
        seen = []
        query = ""
        while True:
            page = await admin.call("GET", f"/v1/admin/tickets?limit=2{query}")
            seen += [ticket["seq"] for ticket in page["tickets"]]
            if page["next_cursor"] is None:
                break
            query = f"&cursor={page['next_cursor']}"
        assert sorted(seen) == [0, 1, 2]
        assert {
            ticket["holders"] for ticket in (await admin.call("GET", "/v1/admin/tickets?state=open"))["tickets"]
        } == {1}
        with pytest.raises(Refused) as refused:
            await admin.call("GET", "/v1/admin/tickets?state=closed")
        assert refused.value.problem.code == "state_unknown"
