"""Webhooks of downloads: told at each end, signed, again and again until taken, and never not at all."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.services.webhooks import PER_OWNER, Sent, WebhookService
from tests.support.downloads import begin, cut, looked_at, made, recorded
from tests.support.movies import film
from tests.support.parts import ROOT
from tests.support.plane import Running, running_plane
from tests.support.receiver import Receiver, never, status
from tests.support.recorder import Recorder, Refused
from tests.support.tickets import scrape

pytestmark = pytest.mark.anyio

NEW, OLD = "whsec_" + "bmV3" * 8, "whsec_" + "b2xk" * 8


@pytest.fixture
async def telling(stack: EmbeddedStack, settings: Settings) -> AsyncIterator[Running]:
    """A control plane that sends webhooks, also to receivers on loopback."""
    changed = {"safereel_webhook_secret": SecretStr(f"{NEW} {OLD}"), "safereel_webhook_private_addresses": True}
    async with running_plane(stack, settings.model_copy(update=changed)) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as found:
        yield found


def sending(telling: Running) -> WebhookService:
    found = telling.plane.webhooks
    assert found is not None
    return found


async def cancelled(recorder: Recorder, receiver: Receiver, *, size: int = 500) -> dict[str, Any]:
    """A download with a webhook, at its end without having been made: there is a message now."""
    await recorded(recorder, [recorder.chunk(0, size=size)])
    begun = await begin(recorder, webhook_url=receiver.url)
    told: dict[str, Any] = await recorder.call("DELETE", f"/v1/downloads/{begun['id']}")
    return told


async def due_now(running: Running) -> None:
    await running.sql("update webhook_deliveries set due_at = now(), lease_until = null where state = 'pending'")


async def test_a_file_that_is_ready_is_told_of(telling: Running, receiver: Receiver) -> None:
    async with telling.recorder(mime_type="video/webm") as recorder:
        await recorded(recorder, cut(film(seconds=1)), title="Ärztin")
        begun = await begin(recorder, webhook_url=receiver.url)
        assert begun["webhook"] == {
            "url": receiver.url,
            "state": "waiting",
            "attempts": 0,
            "last_error": None,
            "next_attempt_at": None,
        }
        ready = await made(telling, recorder, begun)
        assert ready["webhook"]["state"] == "pending"
        assert await sending(telling).run() == Sent(delivered=1)
        (taken,) = receiver.taken
        assert taken.verified(NEW) == taken.verified(OLD)
        message = taken.verified(NEW)
        assert (message["type"], message["timestamp"]) == ("download.ready", ready["finished_at"])
        same = ("id", "state", "version", "allow_gaps", "bytes_total", "created_at", "finished_at", "expires_at")
        assert {name: message["data"][name] for name in same} == {name: ready[name] for name in same}
        assert message["data"]["file"] == ready["file"]
        assert (message["data"]["recordings"], message["data"]["problem"]) == ([recorder.recording_id], None)
        told = await looked_at(recorder, begun)
        assert (told["webhook"]["state"], told["webhook"]["attempts"]) == ("delivered", 1)
        assert told["webhook"]["next_attempt_at"] is None
        assert told["version"] > ready["version"], "who polls with the ETag hears of it"
        assert await sending(telling).run() == Sent()


async def test_each_end_is_told(telling: Running, receiver: Receiver) -> None:
    """Whichever statement made it."""
    async with telling.recorder() as recorder, telling.recorder() as other:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        await recorded(other, [other.chunk(0, size=501)])
        ready = await made(telling, recorder, await begin(recorder, webhook_url=receiver.url))
        await telling.sql("update downloads set expires_at = now()")
        await telling.plane.download_cleaning.run()
        await begin(other, webhook_url=receiver.url)
        await other.delete()
        again = await begin(recorder, webhook_url=receiver.url)
        assert again["id"] != ready["id"]
        await recorder.call("DELETE", f"/v1/downloads/{again['id']}")
        assert await sending(telling).run() == Sent(delivered=4)
        messages = {each["type"]: each["data"] for each in (taken.verified(NEW) for taken in receiver.taken)}
        assert set(messages) == {"download.ready", "download.expired", "download.failed", "download.cancelled"}
        assert messages["download.failed"]["problem"]["code"] == "recording_deleted"
        assert messages["download.expired"]["id"] == ready["id"]


async def test_without_a_webhook_nothing_is_told(telling: Running) -> None:
    async with telling.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        assert (await made(telling, recorder, await begin(recorder)))["webhook"] is None
        assert await sending(telling).run() == Sent()


async def test_who_is_not_ready_is_told_again(telling: Running, receiver: Receiver) -> None:
    receiver.answers = [status(500), status(302, location=receiver.url), status(503, retry_after="1800")]
    async with telling.recorder() as recorder:
        download = await cancelled(recorder, receiver)
        for attempt, error in enumerate(("500", "302", "503"), start=1):
            assert await sending(telling).run() == Sent(again=1)
            told = (await looked_at(recorder, download))["webhook"]
            assert (told["state"], told["attempts"]) == ("pending", attempt)
            assert error in told["last_error"]
            assert told["next_attempt_at"] is not None
            assert await sending(telling).run() == Sent(), "not before its time"
            if attempt == 3:
                rows = await telling.sql(
                    "select due_at > now() + interval '29 minutes' as late from webhook_deliveries"
                )
                assert rows == [{"late": True}], "it asked for half an hour"
            await due_now(telling)
        assert await sending(telling).run() == Sent(delivered=1)
        assert (await looked_at(recorder, download))["webhook"]["last_error"] is None
        assert len({taken.headers["webhook-id"] for taken in receiver.taken}) == 1
        assert len({taken.body for taken in receiver.taken}) == 1
        assert [taken.verified(NEW)["type"] for taken in receiver.taken] == ["download.cancelled"] * 4


async def test_a_dead_port_is_tried_again(telling: Running, receiver: Receiver) -> None:
    async with telling.recorder() as recorder:
        async with Receiver() as gone:
            download = await cancelled(recorder, gone)
        assert await sending(telling).run() == Sent(again=1)
        assert (await looked_at(recorder, download))["webhook"]["last_error"] == "It could not be connected to."
        async with Receiver(port=gone.port) as back:
            await due_now(telling)
            assert await sending(telling).run() == Sent(delivered=1)
            assert len(back.taken) == 1


async def test_after_a_day_it_is_given_up_and_said_aloud(
    telling: Running, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.always = status(500)
    async with telling.recorder() as recorder:
        download = await cancelled(recorder, receiver)
        # A day before the first try does not count: nobody was there to send.
        await telling.sql("update webhook_deliveries set created_at = now() - interval '3 days'")
        assert await sending(telling).run() == Sent(again=1)
        await telling.sql("update webhook_deliveries set first_tried_at = now() - interval '23 hours 59 minutes'")
        await due_now(telling)
        assert await sending(telling).run() == Sent(again=1)
        rows = await telling.sql(
            "select due_at <= first_tried_at + interval '1 day 1 s' as last from webhook_deliveries"
        )
        assert rows == [{"last": True}], "the last try is at the day's end"
        await telling.sql("update webhook_deliveries set first_tried_at = now() - interval '1 day'")
        await due_now(telling)
        with caplog.at_level(logging.ERROR):
            assert await sending(telling).run() == Sent(given_up=1)
        assert "given up" in caplog.text
        told = (await looked_at(recorder, download))["webhook"]
        assert (told["state"], told["attempts"], told["next_attempt_at"]) == ("given_up", 3, None)
        await due_now(telling)
        assert await sending(telling).run() == Sent()


async def test_gone_is_given_up_at_once(telling: Running, receiver: Receiver) -> None:
    receiver.always = status(410)
    async with telling.recorder() as recorder:
        await cancelled(recorder, receiver)
        assert await sending(telling).run() == Sent(given_up=1)


async def test_killed_between_sending_and_noting_it_is_sent_again(
    telling: Running, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same id, by which a receiver knows it."""

    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        return False

    async with telling.recorder() as recorder:
        download = await cancelled(recorder, receiver)
        with monkeypatch.context() as patched:
            patched.setattr(sending(telling)._deliveries, "note", hang)
            run = asyncio.create_task(sending(telling).run())
            await receiver.until(1)
            run.cancel()
            await asyncio.wait([run])
        assert await sending(telling).run() == Sent(), "the dead one's lease still stands"
        await telling.sql("update webhook_deliveries set lease_until = now()")
        assert await sending(telling).run() == Sent(delivered=1)
        first, second = receiver.taken
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
        told = (await looked_at(recorder, download))["webhook"]
        assert (told["state"], told["attempts"]) == ("delivered", 2)


async def test_what_a_dead_sender_says_late_does_not_count(telling: Running, receiver: Receiver) -> None:
    receiver.answers = [status(500)]
    async with telling.recorder() as recorder:
        download = await cancelled(recorder, receiver)
        store = sending(telling)._deliveries
        (slow,) = await store.claim(lease=timedelta(0), per_owner=4, limit=4)
        receiver.answers = []
        assert await sending(telling).run() == Sent(delivered=1)
        assert await sending(telling)._send(slow) is None
        assert (await looked_at(recorder, download))["webhook"]["state"] == "delivered"


async def test_a_slow_receiver_holds_up_nobody_elses(telling: Running, receiver: Receiver) -> None:
    """Many messages for one that never answers, and one for another owner."""
    async with Receiver() as slow:
        slow.always = never
        for number in range(PER_OWNER + 2):
            async with telling.recorder("mallory") as other:
                await cancelled(other, slow, size=600 + number)
        async with telling.recorder() as recorder:
            await cancelled(recorder, receiver)
            run = asyncio.create_task(sending(telling).run())
            await receiver.until(1)
            await slow.until(PER_OWNER)
            # And what comes while they are waited for.
            async with telling.recorder() as later:
                await cancelled(later, receiver, size=501)
            await receiver.until(2)
            assert len(slow.taken) == PER_OWNER
            run.cancel()
            await asyncio.wait([run])


async def test_a_message_outlives_its_download(telling: Running, receiver: Receiver) -> None:
    async with telling.recorder() as recorder:
        await cancelled(recorder, receiver)
        await telling.sql("delete from downloads")
        assert await sending(telling).run() == Sent(delivered=1)
        await telling.sql("update webhook_deliveries set finished_at = now() - interval '8 days'")
        assert await sending(telling).run() == Sent(forgotten=1)


async def test_another_webhook_is_another_download(telling: Running, receiver: Receiver) -> None:
    async with telling.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        plain, told = await begin(recorder), await begin(recorder, webhook_url=receiver.url)
        assert plain["id"] != told["id"]
        assert (await begin(recorder, webhook_url=receiver.url))["id"] == told["id"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user@hooks.example.com/", "webhook_url_malformed"),
        ("https://2130706433/", "webhook_url_malformed"),
        ("https://" + "a" * 2_000, "webhook_url_malformed"),
        ("https://hooks.example.com/\x00", "webhook_url_malformed"),
        ("http://hooks.example.com/", "webhook_url_forbidden"),
        ("https://169.254.169.254/", "webhook_url_forbidden"),
        ("https://[::ffff:127.0.0.1]/", "webhook_url_forbidden"),
        (5, "wrong_type"),
    ],
    ids=ascii,
)
async def test_hostile_urls_are_refused_before_anything_is_begun(
    stack: EmbeddedStack, settings: Settings, url: object, code: str
) -> None:
    changed = {"safereel_webhook_secret": SecretStr(NEW)}
    async with running_plane(stack, settings.model_copy(update=changed)) as running, running.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        with pytest.raises(Refused) as refused:
            await begin(recorder, webhook_url=url)
        assert (refused.value.problem.status, refused.value.problem.code) == (422, code)
        assert await running.sql("select id from downloads") == []


async def test_without_a_secret_webhooks_are_off(running: Running) -> None:
    assert running.plane.webhooks is None
    async with running.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        with pytest.raises(Refused) as refused:
            await begin(recorder, webhook_url="https://hooks.example.com/")
        assert (refused.value.problem.status, refused.value.problem.code) == (409, "webhooks_off")


async def test_a_name_that_leads_inside_is_tried_and_never_reached(
    stack: EmbeddedStack, settings: Settings, receiver: Receiver
) -> None:
    """DNS tells when it is sent, not before."""
    changed = {"safereel_webhook_secret": SecretStr(NEW)}
    async with running_plane(stack, settings.model_copy(update=changed)) as running, running.recorder() as recorder:
        await recorded(recorder, [recorder.chunk(0, size=500)])
        begun = await begin(recorder, webhook_url="https://hooks.example.com/")
        await running.sql("update downloads set webhook_url = %(url)s", {"url": f"http://localhost:{receiver.port}/"})
        await running.plane.services.downloads.cancel("alice", UUID(begun["id"]))
        assert await sending(running).run() == Sent(again=1)
        assert "own network" in (await looked_at(recorder, begun))["webhook"]["last_error"]
        assert receiver.connections == 0


async def test_what_waits_and_what_was_given_up_shows_in_the_metrics(telling: Running, receiver: Receiver) -> None:
    async with telling.recorder() as recorder, telling.recorder() as other:
        receiver.answers = [status(410)]
        await cancelled(recorder, receiver)
        await sending(telling).run()
        await cancelled(other, receiver, size=501)
        await telling.sql(
            "update webhook_deliveries set created_at = now() - interval '1 hour' where state = 'pending'"
        )
        found = await scrape(telling)
        assert (found["safereel_webhooks_pending"], found["safereel_webhooks_given_up"]) == (1, 1)
        assert 3_600 <= found["safereel_webhooks_pending_oldest_seconds"] < 4_000


def block(heading: str, language: str, document: str = "protocol") -> str:
    """The first block of that language below a heading of a document."""
    below = (ROOT / f"docs/{document}.md").read_text().partition(f"{heading}\n")[2]
    return below.partition(f"```{language}\n")[2].partition("```")[0]


async def test_what_was_given_up_is_sent_again_as_the_documents_say(telling: Running, receiver: Receiver) -> None:
    receiver.answers = [status(410)]
    async with telling.recorder() as recorder:
        download = await cancelled(recorder, receiver)
        assert await sending(telling).run() == Sent(given_up=1)
        await telling.sql(block("## When webhooks are given up", "sql", "operations"))
        assert await sending(telling).run() == Sent(delivered=1)
        assert (await looked_at(recorder, download))["webhook"]["state"] == "delivered"


async def test_the_documents_ways_to_verify(telling: Running, receiver: Receiver, tmp_path: Path) -> None:
    """Take what is right, by either secret, and refuse what was touched, by whichever."""
    async with telling.recorder() as recorder:
        download = await cancelled(recorder, receiver)
        await sending(telling).run()
        (taken,) = receiver.taken
    checked = json.dumps({"headers": taken.headers, "body": taken.body.decode()})
    touched = json.dumps({"headers": taken.headers, "body": taken.body.decode().replace("cancelled", "ready")})
    stale = json.dumps({"headers": {**taken.headers, "webhook-timestamp": "1"}, "body": taken.body.decode()})
    programs = [
        (
            sys.executable,
            "webhook.py",
            block("### Webhooks of downloads", "python")
            + "import json, sys\n"
            + "given = json.load(sys.stdin)\n"
            + "print(verified(sys.argv[1], given['headers'], given['body'].encode())['data']['id'])\n",
        ),
        (
            "node",
            "webhook.cjs",
            block("### Webhooks of downloads", "js")
            + "const given = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))\n"
            + "console.log(verified(process.argv[2], given.headers, Buffer.from(given.body)).data.id)\n",
        ),
    ]
    for program, name, text in programs:
        (tmp_path / name).write_text(text)

        async def run(secret: str, given: str, argv: tuple[str, str] = (program, str(tmp_path / name))) -> str | None:
            done = await asyncio.to_thread(
                subprocess.run, [*argv, secret], input=given, check=False, capture_output=True, text=True, timeout=60
            )
            return done.stdout.strip() if done.returncode == 0 else None

        assert await run(NEW, checked) == download["id"], name
        assert await run(OLD, checked) == download["id"], name
        assert await run("whsec_" + "b3Ro" * 8, checked) is None
        assert await run(NEW, touched) is None
        assert await run(NEW, stale) is None
