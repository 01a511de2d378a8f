"""Tickets to the end: a chunk is lost only when nobody can send it, loudly, and never for good if it turns up again."""

import logging
from datetime import timedelta
from uuid import uuid4

import pytest

from control_plane.api.answers import rfc3339
from control_plane.domain.keys import DEPLOYMENT_KEY
from control_plane.services.tickets import TicketRun
from tests.integration.test_rebuilding import stored
from tests.support.losing import SILENT, ends, judge, lose, says_gone, send_again, silent_for, told, used
from tests.support.plane import Running
from tests.support.recorder import Refused
from tests.support.tickets import administrator, asked_for, recorded, scrape

pytestmark = pytest.mark.anyio


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


async def test_what_was_accepted_as_lost_is_repaired_when_its_holder_returns(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await lose(running, recorder, chunks, 2)
        assert (await recorder.complete(chunks, accept_lost=True)).lost == [[2, 2]]
        async with running.recorder(recording_id=recorder.recording_id) as other:
            await send_again(other, await other.beat(chunks, more_to_come=False), chunks)
        status = await recorder.status()
        assert (status.complete, status.lost, status.received) == (True, [], [[0, 3]])


async def test_what_a_recorder_kept_is_asked_for_and_not_released_again(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        holding = {"recording_id": recorder.recording_id, "ranges": [[3, 3]], "open": True, "kept": [[0, 2]]}
        released = (await recorder.beat_holding([holding])).releases
        assert [seq for seq, _ in released[recorder.recording_id]] == [3], "the others were released before"
        await asked_for(running, recorder, [1])
        beat = await recorder.beat_holding([holding])
        assert [ticket.seq for ticket in beat.tickets] == [1]
        assert (await judge(running)).lost == (), "somebody has it"
        await send_again(recorder, beat, chunks)
        assert (await recorder.status()).missing == []


async def test_what_was_kept_and_lost_meanwhile_is_asked_for_when_it_is_named(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await recorder.beat(chunks)
        await asked_for(running, recorder, [2])
        await says_gone(recorder, chunks, 2)
        assert len((await judge(running)).lost) == 1
        async with running.recorder(recording_id=recorder.recording_id) as other:
            kept = {"recording_id": recorder.recording_id, "ranges": [], "open": False, "kept": [[2, 2]]}
            await send_again(other, await other.beat_holding([kept]), chunks)
        assert (await recorder.status()).lost == []


async def test_administrators_see_who_could_send_what_is_missing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.services.figures.KEEP_S", 0.0)
    async with recorded(running) as (recorder, chunks), administrator(running) as admin:
        assert (await admin.call("GET", "/v1/admin/at-risk"))["recordings"] == []
        await recorder.beat(chunks[:2])
        await asked_for(running, recorder, [0, 1, 2])
        report = await running.plane.audit.run()
        assert (report.looked_at, report.detail["known_missing"], report.detail["known_lost"]) == (1, 3, 0)
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
        assert (page["recordings"], page["next_after"]) == ([], None)
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


async def test_what_is_seen_once_and_sweeps_that_are_blind_are_told(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.services.figures.KEEP_S", 0.0)
    async with recorded(running) as (recorder, _), administrator(running) as admin:

        async def in_doubt() -> tuple[int, str | None]:
            found = await admin.call("GET", "/v1/admin/at-risk")
            assert (found["recordings"], found["doubted_chunks"]) == ([], 0)
            return found["sighted_chunks"], found["undecided"] and found["undecided"]["cause"]

        assert await in_doubt() == (0, None)
        await running.delete_object(await running.key_of(recorder, 1))
        await running.plane.audit.run()
        assert await in_doubt() == (1, None)

        mark = await stored(running, DEPLOYMENT_KEY)
        await running.delete_object(DEPLOYMENT_KEY)
        began = (await running.plane.audit.run()).started_at
        await running.plane.audit.run()
        await running.plane.fixity.run()
        assert await in_doubt() == (1, "The bucket has no meta/deployment.json.")
        since = (await admin.call("GET", "/v1/admin/at-risk"))["undecided"]["since"]
        assert since == rfc3339(began), "not the latest: the first of them"

        await running.put_over(DEPLOYMENT_KEY, mark)
        await running.plane.audit.run(dry_run=True)
        assert (await in_doubt())[1], "a dry run decides nothing"
        await running.sql("delete from sightings")
        await running.plane.confirm.run(sweep_id=uuid4())
        assert await in_doubt() == (0, None), "one that decides sees the mark, whatever its kind"
