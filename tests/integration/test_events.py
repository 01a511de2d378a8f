"""The event log: nothing that happens to a ticket is left out, nothing is changed, and a reader who goes on misses nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder, Refused
from tests.support.tickets import administrator, asked_for, recorded, scrape

pytestmark = pytest.mark.anyio

TELL: LiteralString = "insert into events (kind, owner, cause) values ('ticket_lost', %(owner)s, 'gone')"


async def events(running: Running, query: str = "") -> list[dict[str, Any]]:
    """What an administrator is told."""
    async with administrator(running) as admin:
        found: list[dict[str, Any]] = (await admin.call("GET", f"/v1/admin/events{query}"))["events"]
    return found


async def kinds(running: Running, query: str = "?after=0-0") -> list[str]:
    return [event["kind"] for event in await events(running, query)]


@asynccontextmanager
async def transaction(running: Running) -> AsyncIterator[psycopg.AsyncConnection]:
    """A session of its own, inside a transaction that has its number already."""
    url = running.settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("select pg_current_xact_id()")
        yield connection


async def send_again(recorder: Recorder, chunks: list[Chunk], seq: int) -> None:
    (ticket,) = (await recorder.beat(chunks)).tickets
    put = await recorder.put(ticket, chunks[seq])
    (ack,) = await recorder.ack([(seq, put.etag)])
    assert ack.verdict == "match"


async def test_the_life_of_a_ticket_is_told(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [2])
        await recorder.beat(chunks)
        await send_again(recorder, chunks, 2)
        told = await events(running, f"?after=0-0&recording={recorder.recording_id}")
        assert [(event["kind"], event["cause"]) for event in told] == [
            ("ticket_opened", "missing"),
            ("ticket_delivered", None),
            ("ticket_fulfilled", "acked"),
        ], "delivered twice, told once"
        assert {(event["owner"], event["seq"], event["recording_id"]) for event in told} == {
            ("alice", 2, recorder.recording_id)
        }
        assert len({event["ticket_id"] for event in told}) == 1
        assert told[-1]["detail"]["open_ms"] > 0


async def test_each_end_of_a_ticket_is_told(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await asked_for(running, recorder, [0, 1, 3])
        healed = await running.key_of(recorder, 1)
        await running.put_object_with_digest(healed, chunks[1].data)
        await running.plane.audit.run()
        (ticket, _) = (await recorder.beat(chunks)).tickets
        await recorder.beat(chunks, gone=[ticket.id])
        await recorder.beat(chunks, gone=[ticket.id])
        await recorder.delete()
        told = [(event["kind"], event["seq"]) for event in await events(running, "?after=0-0")]
        assert sorted(told) == [
            ("ticket_delivered", 0),
            ("ticket_delivered", 3),
            ("ticket_gone", 0),
            ("ticket_healed", 1),
            ("ticket_opened", 0),
            ("ticket_opened", 1),
            ("ticket_opened", 3),
            ("ticket_withdrawn", 0),
            ("ticket_withdrawn", 3),
        ]
        (gone,) = await events(running, "?kind=ticket_gone")
        assert (gone["recorder_id"], gone["ticket_id"]) == (recorder.recorder_id, ticket.id)


async def test_what_the_bucket_brings_back_by_itself_is_told(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        await running.hide_object(await running.key_of(recorder, 1))
        await running.plane.audit.run()
        await running.plane.audit.run()
        late = recorder.chunk(4, size=3_000)
        (grant,) = await recorder.grant([late])
        await recorder.put(grant, late)
        await running.plane.audit.run()
        told = [(event["kind"], event["seq"]) for event in await events(running, "?after=0-0")]
        assert told == [("chunk_healed", 1), ("chunk_adopted", 4)]
        await running.sql("delete from chunks where seq in (0, 2)")
        await running.plane.audit.run()
        (taken_up,) = await events(running, "?kind=chunk_taken_up")
        assert (taken_up["recording_id"], taken_up["seq"], taken_up["detail"]) == (
            recorder.recording_id,
            None,
            {"chunks": 2},
        )


async def test_no_statement_can_forget_to_tell(running: Running) -> None:
    """Tickets that somebody closes by hand, all at once."""
    async with recorded(running, count=60) as (recorder, _):
        await asked_for(running, recorder, list(range(60)))
        await running.sql("update tickets set state = 'healed', closed_at = now(), cause = 'by hand'")
        assert sorted(await kinds(running)) == ["ticket_healed"] * 60 + ["ticket_opened"] * 60


async def test_an_event_is_never_changed(running: Running) -> None:
    await running.sql(TELL, {"owner": "alice"})
    for statement in ("update events set owner = 'bob'", "delete from events", "truncate events"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="only ever added"):
            await running.sql(statement)
    assert [event["owner"] for event in await events(running)] == ["alice"]


async def test_who_reads_on_misses_nothing_that_is_committed_later(running: Running) -> None:
    """Three writers. Neither their ids nor the times of their rows are in the order of their commits."""
    async with transaction(running) as early, transaction(running) as late, administrator(running) as admin:
        told: list[str] = []
        after = "0-0"

        async def read_on() -> list[str]:
            nonlocal after
            page = await admin.call("GET", f"/v1/admin/events?after={after}")
            after = page["next_after"]
            told.extend(event["owner"] for event in page["events"])
            return told

        await late.execute(TELL, {"owner": "late"})  # the lower id, by the younger transaction
        await early.execute(TELL, {"owner": "early"})
        await running.sql(TELL, {"owner": "third"})
        assert await read_on() == [], "an older transaction may still write"
        await early.commit()
        assert await read_on() == ["early"]
        await late.commit()
        assert await read_on() == ["early", "late", "third"]
        assert await read_on() == ["early", "late", "third"]


async def test_pages_go_back_to_the_first(running: Running) -> None:
    for number in range(5):
        await running.sql(TELL, {"owner": f"owner-{number}"})
    async with administrator(running) as admin:
        told: list[str] = []
        page = await admin.call("GET", "/v1/admin/events?limit=2")
        while True:
            told += [event["owner"] for event in page["events"]]
            if page["next_before"] is None:
                break
            page = await admin.call("GET", f"/v1/admin/events?limit=2&before={page['next_before']}")
    assert told == [f"owner-{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("before=x", "cursor_malformed"),
        ("after=1-", "cursor_malformed"),
        ("recording=1", "id_malformed"),
        ("kind=x", "kind_unknown"),
    ],
)
async def test_what_is_no_filter_is_refused(running: Running, query: str, code: str) -> None:
    async with administrator(running) as admin:
        with pytest.raises(Refused) as refused:
            await admin.call("GET", f"/v1/admin/events?{query}")
    assert (refused.value.problem.status, refused.value.problem.code) == (422, code)


async def test_what_was_not_is_an_empty_page(running: Running) -> None:
    assert await events(running, f"?recording={uuid4()}") == []


async def test_events_are_counted_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.services.figures.KEEP_S", 0.0)
    await running.sql(TELL, {"owner": "alice"})
    assert (await scrape(running))['safereel_events_total{kind="ticket_lost"}'] == 1
    await running.sql(TELL, {"owner": "alice"})
    assert (await scrape(running))['safereel_events_total{kind="ticket_lost"}'] == 2
    assert (await scrape(running))['safereel_events_total{kind="ticket_lost"}'] == 2
