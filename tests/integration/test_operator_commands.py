"""What an operator sees and does from a shell: sweeps, tickets, events, what is at risk, freezing. On real parts."""

import argparse
import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest

from control_plane.commands import events
from control_plane.config import Settings
from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.events import EventPlace
from control_plane.services.events import EventService
from tests.support import parts
from tests.support.commands import COMMAND, DEADLINE_S, cells, printed, safereel
from tests.support.plane import Running, environment
from tests.support.tickets import administrator, recorded

pytestmark = pytest.mark.anyio

EMPTY = {
    ("sweeps",): "No sweep has run yet",
    ("sweeps", "--kind", "fixity"): "No sweep of this kind",
    ("tickets",): "No open tickets: every chunk that was acknowledged is in the bucket",
    ("tickets", "--state", "lost"): "There are no such tickets",
    ("at-risk",): "Nothing is at risk",
    ("thaw",): "Releases were not frozen",
    ("sweep", "confirm"): "No chunk waited to be confirmed",
    ("sweep", "audit"): "The ledger expects no chunk",
    ("sweep", "fixity"): "No chunk was due",
}


async def test_where_nothing_is_they_say_what_that_means(running: Running) -> None:
    for arguments, words in EMPTY.items():
        out = await printed(running.settings, *arguments)
        assert words in out, arguments
        assert len(out.splitlines()) <= 2, "no table of nothing, no report of nothing"
    said = await asyncio.to_thread(safereel, running.settings, "events")
    assert (said.status, said.out, said.err) == (0, "", "Nothing has happened yet.\n")


@pytest.mark.thorough
async def test_a_loss_from_the_first_look_to_the_table_of_what_to_do(running: Running) -> None:
    settings = running.settings
    async with recorded(running) as (recorder, _):
        assert "All is safe: what was acknowledged (12.0 kB) is in the bucket" in await printed(settings, "at-risk")
        await running.delete_object(await running.key_of(recorder, 2))

        dry = await printed(settings, "sweep", "audit", "--dry-run")
        assert "Compared 4 chunks of the ledger with the bucket: 1 missing." in dry
        assert "nothing was changed" in dry
        assert await running.sql("select from sightings") == []

        first = await printed(settings, "sweep", "audit")
        assert (
            "1 of them seen so for the first time: a second look decides, so run `safereel sweep audit` again" in first
        )
        second = await printed(settings, "sweep", "audit")
        assert "Done: 1 ticket opened." in second
        assert "`safereel at-risk`" in second

        found = f"{recorder.recording_id}/2"
        tickets = await printed(settings, "tickets")
        assert cells(tickets, "recording/chunk") == [found]
        assert (cells(tickets, "why"), cells(tickets, "owner")) == (["missing"], ["alice"])
        for filters in (["--owner", "alice"], ["--recording", str(recorder.recording_id)], ["--state", "all"]):
            assert found in await printed(settings, "tickets", *filters)
        for filters in (["--owner", "bob"], ["--recording", str(uuid4())], ["--state", "healed"]):
            assert "There are no such tickets." in await printed(settings, "tickets", *filters)

        risk = await printed(settings, "at-risk")
        assert "Safe: 9,000 bytes" in risk.replace("9.0 kB", "9,000 bytes")
        assert "Missing: 1 chunk (3.0 kB) of 1 recording." in risk
        assert cells(risk.partition("\n\n")[2], "recording") == [str(recorder.recording_id)]
        assert "No worker runs" in risk
        assert "bring" in risk.casefold(), "what to do"

        events = await printed(settings, "events")
        assert cells(events, "event") == ["ticket_opened"]
        sweeps = await printed(settings, "sweeps", "--kind", "audit")
        assert cells(sweeps, "found") == ["1 missing"] * 3
        assert cells(sweeps, "done") == ["1 ticket opened", "nothing", "would: nothing"]
        report = await printed(settings, "sweeps", cells(sweeps, "id")[0])
        assert "Done: 1 ticket opened." in report
        assert 'discrepancies: {"missing": 1}' in report


async def test_machines_get_what_the_api_answers(running: Running) -> None:
    settings = running.settings
    async with recorded(running) as (recorder, _), administrator(running) as admin:
        await running.delete_object(await running.key_of(recorder, 0))
        await printed(settings, "sweep", "audit")
        swept = json.loads(await printed(settings, "sweep", "audit", "--json"))
        assert swept == await admin.call("GET", f"/v1/admin/sweeps/{swept['id']}")
        assert swept == json.loads(await printed(settings, "sweeps", swept["id"], "--json"))
        assert swept["report"]["tickets_opened"] == 1

        listed = json.loads(await printed(settings, "sweeps", "--json"))
        assert listed["sweeps"] == (await admin.call("GET", "/v1/admin/sweeps"))["sweeps"]
        tickets = json.loads(await printed(settings, "tickets", "--json"))
        query = f"owner=alice&recording={recorder.recording_id}"
        assert tickets["tickets"] == (await admin.call("GET", f"/v1/admin/tickets?{query}"))["tickets"]
        assert (len(tickets["tickets"]), tickets["more"]) == (1, False)
        assert (await admin.call("GET", "/v1/admin/tickets?owner=bob"))["tickets"] == []
        risk = json.loads(await printed(settings, "at-risk", "--json"))
        assert risk["recordings"] == (await admin.call("GET", "/v1/admin/at-risk"))["recordings"]
        assert risk["overview"]["open_tickets"] == 1
        (event,) = [json.loads(line) for line in (await printed(settings, "events", "--json")).splitlines()]
        assert event == (await admin.call("GET", "/v1/admin/events"))["events"][0]
        said = await asyncio.to_thread(safereel, settings, "events", "--json", "--after", event["cursor"])
        assert (said.status, said.out) == (0, "")


async def test_a_bucket_that_is_not_trusted_is_status_1_and_says_why(running: Running) -> None:
    await running.delete_object("meta/deployment.json")
    said = await asyncio.to_thread(safereel, running.settings, "sweep", "audit")
    assert (said.status, said.err) == (1, "")
    assert "It decided nothing" in said.out
    assert "meta/deployment.json" in said.out
    listed = await printed(running.settings, "sweeps", "--outcome", "undecided")
    assert cells(listed, "done") == ["undecided"]
    assert "Undecided: 1 sweep, the last one at 2" in listed
    assert "meta/deployment.json" in listed
    assert "Undecided: sweeps have decided nothing since 2" in await printed(running.settings, "at-risk")


async def test_freeze_and_thaw_do_what_the_api_does(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        assert "Releases are frozen since 2" in await printed(running.settings, "freeze")
        assert not (await recorder.beat(chunks)).releases
        assert "Frozen: nothing is released since" in await printed(running.settings, "at-risk")
        assert "Releases go on." in await printed(running.settings, "thaw")
        assert (await recorder.beat(chunks)).releases
        assert json.loads(await printed(running.settings, "thaw", "--json")) == {"frozen": False, "freeze": None}


async def test_a_sweep_that_nobody_knows_is_one_sentence(settings: Settings) -> None:
    said = await asyncio.to_thread(safereel, settings, "sweeps", str(uuid4()))
    assert (said.status, said.out) == (1, "")
    assert said.err == "safereel: No sweep has this id, or its report is older than reports are kept.\n"


async def test_what_owners_write_moves_no_cursor(running: Running) -> None:
    """The API lets no control characters in; a ledger that was made anew may know others."""
    async with recorded(running) as (recorder, _):
        await running.sql("update recordings set title = E'\\x1b[2J mine'")
        await running.delete_object(await running.key_of(recorder, 0))
        for _ in range(2):
            await running.plane.audit.run()
        risk = await printed(running.settings, "at-risk")
        assert "\x1b" not in risk
        assert "[2J mine" in risk


@contextmanager
def following(settings: Settings, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`events --follow`, ended in any case."""
    with subprocess.Popen(
        [*COMMAND, "events", "--follow", *arguments],
        cwd=parts.ROOT,
        env={**environment(settings), "PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


async def read_lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    """The next lines that it prints; fails where they do not come."""
    out = process.stdout
    assert out is not None
    async with asyncio.timeout(DEADLINE_S):
        return [await asyncio.to_thread(out.readline) for _ in range(count)]


async def test_following_tells_each_event_once_until_ctrl_c(running: Running) -> None:
    """Those of before, those of now, and those of a transaction that had begun before and ends later."""
    await running.plane.services.freezing.freeze()
    await running.plane.services.freezing.thaw()
    with following(running.settings, "--json") as process:
        before = [json.loads(line)["kind"] for line in await read_lines(process, 2)]
        assert before == ["releases_frozen", "releases_thawed"]
        await running.plane.services.freezing.freeze()
        await running.plane.services.freezing.thaw()
        now = [json.loads(line) for line in await read_lines(process, 2)]
        assert [event["kind"] for event in now] == ["releases_frozen", "releases_thawed"]
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (130, "", "")
    with following(running.settings, "--json", "--after", now[0]["cursor"]) as process:
        (line,) = await read_lines(process, 1)
        assert json.loads(line) == now[1]


async def test_following_misses_nothing_of_a_transaction_that_was_open_at_its_start(running: Running) -> None:
    """What it had written stands before what was told already, by id; what was written beside it waits until it is over."""
    url = running.settings.database_url.get_secret_value()
    await running.plane.services.freezing.freeze()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("insert into events (kind, cause) values ('releases_thawed', 'late')")
        await running.plane.services.freezing.thaw()
        with following(running.settings, "--json") as process:
            (first,) = await read_lines(process, 1)
            await connection.commit()
            told = [json.loads(line) for line in [first, *await read_lines(process, 2)]]
            assert [event["kind"] for event in told] == ["releases_frozen", "releases_thawed", "releases_thawed"]
            assert {event["cause"] for event in told} == {"administrator", "late"}
            assert len({event["cursor"] for event in told}) == 3


async def test_following_outlives_its_connections(running: Running) -> None:
    """As when the database starts again: what happened meanwhile is told, once."""
    await running.plane.services.freezing.freeze()
    with following(running.settings, "--json") as process:
        await read_lines(process, 1)
        await running.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        await running.sql("insert into events (kind, cause) values ('releases_thawed', 'administrator')")
        (line,) = await read_lines(process, 1)
        assert json.loads(line)["kind"] == "releases_thawed"
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=DEADLINE_S)
        assert (process.returncode, out) == (130, "")
        assert len(err.splitlines()) <= 1, err


async def test_following_waits_for_a_database_that_goes_before_the_first_look(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await running.plane.services.freezing.freeze()
    looks = 0
    end = EventService.end

    async def away_at_first(service: EventService) -> EventPlace:
        nonlocal looks
        looks += 1
        if looks <= 2:
            raise DatabaseUnreachable("terminating connection due to administrator command")
        return await end(service)

    monkeypatch.setattr(EventService, "end", away_at_first)
    arguments = argparse.Namespace(json=True, recording=None, kind=None, after=None, limit=10, follow=True)
    following = asyncio.create_task(events.tell(running.settings, arguments))
    out = err = ""
    async with asyncio.timeout(DEADLINE_S):
        while "releases_frozen" not in out:
            assert not following.done(), "it waits"
            await asyncio.wait({following}, timeout=0.05)
            more = capsys.readouterr()
            out, err = out + more.out, err + more.err
    following.cancel()
    await asyncio.wait({following})
    assert out.count("\n") == 1
    assert err.count("it goes on when the database answers again") == 1


def closed_at_once(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Status and complaints of a command whose reader goes before the first line."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=parts.ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        return process.wait(DEADLINE_S), process.stderr.read()


def at_terminal(settings: Settings, columns: int, *arguments: str) -> str:
    """What a terminal of so many columns shows."""
    master, slave = os.openpty()
    env = environment(settings, COLUMNS=str(columns))
    with subprocess.Popen([*COMMAND, *arguments], cwd=parts.ROOT, env=env, stdout=slave) as process:
        os.close(slave)
        assert process.wait(DEADLINE_S) == 0
    shown = os.read(master, 65_536).decode()
    os.close(master)
    return shown


async def test_a_reader_that_has_seen_enough_is_no_fault(running: Running) -> None:
    await running.plane.audit.run()
    assert await asyncio.to_thread(closed_at_once, running.settings, "sweeps") == (128 + signal.SIGPIPE, "")


async def test_a_narrow_terminal_gets_all_of_it(running: Running) -> None:
    """Lines are short, and nothing is cut off."""
    sweep = (await running.plane.audit.run(sweep_id=uuid4())).id
    shown = await asyncio.to_thread(at_terminal, running.settings, 60, "sweeps")
    assert str(sweep) in shown
    assert max(len(line) for line in shown.splitlines()) <= 60
