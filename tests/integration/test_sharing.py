"""Links to recordings: they work once a recording is complete, end, are revoked for ever, and tell nothing of the owner."""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from yarl import URL

from control_plane.config import Settings
from control_plane.domain.keys import recording_key, share_key
from control_plane.domain.models import SweepOutcome
from control_plane.embedded import EmbeddedStack
from control_plane.services.rebuilding import Rebuilt
from tests.support.databases import fresh_database
from tests.support.deletions import finish
from tests.support.downloads import begin, cut, made, recorded
from tests.support.movies import film
from tests.support.plane import Running, running_plane, settings_for
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio

OWNER = "alice.with.a.name@example.com"
SOON = "2999-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody without a token sees."""

    status: int
    told: dict[str, Any]
    headers: dict[str, str]

    @property
    def all(self) -> str:
        return json.dumps([self.told, self.headers])


async def look(running: Running, path: str, **headers: str) -> Seen:
    async with aiohttp.ClientSession() as client, client.get(running.endpoint + path, headers=headers) as answer:
        told = await answer.json(content_type=None)
        told.pop("request_id", None)
        return Seen(answer.status, told, {name.lower(): value for name, value in answer.headers.items()})


async def view(running: Running, share_id: str, **headers: str) -> Seen:
    return await look(running, f"/v1/shares/{share_id}", **headers)


async def share(recorder: Recorder, expires_at: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = await recorder.call(
        "PUT", f"/v1/recordings/{recorder.recording_id}/share", {"expires_at": expires_at}
    )
    return told


async def revoke(recorder: Recorder) -> dict[str, Any]:
    told: dict[str, Any] = await recorder.call("DELETE", f"/v1/recordings/{recorder.recording_id}/share")
    return told


async def link_of(recorder: Recorder) -> str:
    share_id: str = (await recorder.status()).members["share_id"]
    return share_id


async def shared_recording(recorder: Recorder) -> str:
    """A complete recording of three chunks, and its link."""
    await recorded(recorder, [recorder.chunk(seq, size=1_000) for seq in range(3)], title="Room 4")
    return await link_of(recorder)


async def rebuild(running: Running) -> Rebuilt:
    return await running.plane.rebuild.run(lambda _: None, dry_run=False)


async def test_a_link_works_once_the_recording_is_complete(running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(3)]
        await recorder.start(title="Room 4")
        link = await link_of(recorder)
        await recorder.send(chunks)
        for path in (f"/v1/shares/{link}", f"/v1/shares/{link}/chunks"):
            early = await look(running, path)
            assert (early.status, early.told["code"]) == (409, "share_not_ready")
            assert "Room 4" not in early.all
            assert int(early.headers["retry-after"]) > 0
        await recorder.complete(chunks)

    seen = await view(running, link)
    assert seen.status == 200
    assert (seen.told["title"], seen.told["bytes"], seen.told["gaps"], seen.told["file"]) == ("Room 4", 3_000, [], None)
    assert seen.told["chunk_count"] == 3
    page = await look(running, f"/v1/shares/{link}/chunks?limit=2")
    rest = await look(running, f"/v1/shares/{link}/chunks?after={page.told['next_after']}")
    listed = [*page.told["chunks"], *rest.told["chunks"]]
    assert [each["seq"] for each in listed] == [0, 1, 2]
    async with aiohttp.ClientSession() as client:
        for each, chunk in zip(listed, chunks, strict=True):
            async with client.get(URL(each["get"]["url"], encoded=True)) as answer:
                assert hashlib.sha256(await answer.read()).hexdigest() == chunk.sha256
    assert "X-Amz-Expires=900&" in listed[0]["get"]["url"]


async def test_nothing_is_told_of_the_owner(running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        link = await shared_recording(recorder)
        chunks = await look(running, f"/v1/shares/{link}/chunks")
        urls = [each["get"].pop("url") for each in chunks.told["chunks"]]
        seen = [await view(running, link), chunks, await view(running, "none"), await view(running, f"{link}x")]
        await revoke(recorder)
        seen.append(await view(running, link))
        for answer in seen:
            for secret in (OWNER, recorder.recorder_id, recorder.recording_id, "quota", "owner"):
                assert secret not in answer.all.replace("This link leads", ""), secret
            assert answer.headers["x-robots-tag"] == "noindex, nofollow"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
        for url in urls:
            assert OWNER not in url
            assert recorder.recorder_id not in url


async def test_links_that_do_not_work_are_all_alike(running: Running) -> None:
    answers = list[Seen]()
    for harm in ("revoked", "ended", "deleting", "deleted"):
        async with running.recorder(OWNER) as recorder:
            link = await shared_recording(recorder)
            if harm == "revoked":
                await revoke(recorder)
            elif harm == "ended":
                await share(recorder, SOON)
                assert (await view(running, link)).status == 200
                await running.sql(
                    "update recordings set share_expires_at = now() - interval '1 ms' where share_id = %(link)s",
                    {"link": link},
                )
            else:
                await recorder.delete()
                if harm == "deleted":
                    await finish(running)
            answers += [await view(running, link), await look(running, f"/v1/shares/{link}/chunks")]
    answers += [await view(running, guess) for guess in ("never", link[:-1], "a" * 500, "%00", "%E2%98%83")]
    for answer in answers:
        assert (answer.status, answer.told) == (404, answers[0].told)
    assert answers[0].told["code"] == "share_unknown"


async def test_a_revoked_link_never_works_again(running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        old = await shared_recording(recorder)
        told = await revoke(recorder)
        assert (told["shared"], told["path"]) == (False, None)
        assert await revoke(recorder) == told
        again = await share(recorder)
        assert again["share_id"] != old
        assert again["path"] == f"/s/{again['share_id']}"
        assert await share(recorder) == again
        assert await link_of(recorder) == again["share_id"]
        assert (await recorder.status()).members["share"] == {"shared": True, "expires_at": None}
        listed = (await recorder.call("GET", "/v1/recordings"))["recordings"][0]
        assert (listed["share_id"], listed["share"]["shared"]) == (again["share_id"], True)
        assert (await view(running, old)).status == 404
        assert (await view(running, again["share_id"])).status == 200


async def test_an_end_is_kept_by_the_databases_clock(stack: EmbeddedStack, running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        link = await shared_recording(recorder)
        for past in ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00+02:00"):
            with pytest.raises(Refused) as refused:
                await share(recorder, past)
            assert (refused.value.problem.status, refused.value.problem.code) == (422, "share_expiry_past")
        for wrong in (
            "tomorrow",
            "2999-01-01",
            "2999-01-01T00:00:00",
            "2999-13-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "",
        ):
            with pytest.raises(Refused) as refused:
                await share(recorder, wrong)
            assert (refused.value.problem.status, refused.value.problem.code) == (422, "time_malformed"), wrong
        assert (await view(running, link)).status == 200
        (row,) = await running.sql(
            "select to_char(now() + interval '1 s', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as soon"
        )
        assert (await share(recorder, row["soon"]))["share_id"] == link
        await running.sql("select pg_sleep(1.1)")
        assert (await view(running, link)).status == 404
        assert (await share(recorder, None))["share_id"] == link
        assert (await view(running, link)).status == 200


async def test_nobody_else_decides(running: Running) -> None:
    async with running.recorder(OWNER) as recorder, running.recorder("bob") as bob:
        link = await shared_recording(recorder)
        bob.recording_id = recorder.recording_id
        for call in (share(bob), revoke(bob)):
            with pytest.raises(Refused) as refused:
                await call
            assert (refused.value.problem.status, refused.value.problem.code) == (404, "recording_unknown")
        assert (await view(running, link)).status == 200


async def test_the_file_is_given_where_there_is_one(running: Running) -> None:
    async with running.recorder("alice") as recorder:
        await recorded(recorder, [recorder.chunk(0, size=1_000)], source="file", title="Fäst & “loud”")
        link = await link_of(recorder)
        assert (await view(running, link)).told["file"] is None
        download = await made(running, recorder, await begin(recorder))
        assert download["state"] == "ready", download
        file = (await view(running, link)).told["file"]
        assert (file["size"], file["name"]) == (1_000, download["file"]["name"])
        async with aiohttp.ClientSession() as client, client.get(URL(file["url"], encoded=True)) as answer:
            assert await answer.read() == recorder.chunk(0, size=1_000).data
            assert "attachment" in answer.headers["content-disposition"]


async def test_a_zip_with_other_recordings_is_never_given(running: Running) -> None:
    async with running.recorder("alice") as one, running.recorder("alice") as other:
        for recorder in (one, other):
            await recorded(recorder, [recorder.chunk(0, size=1_000)], source="file")
        download = await made(running, one, await begin(one, one.recording_id, other.recording_id))
        assert download["state"] == "ready", download
        assert (await view(running, await link_of(one))).told["file"] is None


async def test_rebuilding_keeps_to_what_was_decided(stack: EmbeddedStack, settings: Settings) -> None:
    """From the bucket alone: revoked stays revoked, the new link works, an end stays, and what is spoiled is not shared."""
    links = dict[str, str]()
    async with running_plane(stack, settings) as running:
        for name in ("untouched", "revoked", "renewed", "ending", "spoiled"):
            async with running.recorder(OWNER) as recorder:
                links[name] = await shared_recording(recorder)
                if name in {"revoked", "renewed"}:
                    await revoke(recorder)
                if name == "renewed":
                    links["new"] = (await share(recorder))["share_id"]
                if name == "ending":
                    await share(recorder, SOON)
                if name == "spoiled":
                    await share(recorder, None)
                    await running.put_object(share_key(UUID(recorder.recording_id)), b'{"version": 1, "shared": true}')
        await running.plane.services.manifests.run()
    with fresh_database(stack) as url:
        async with running_plane(stack, settings_for(stack, url, settings.s3_bucket_name), claims=False) as other:
            done = await rebuild(other)
            assert done.whole, done
            seen = {name: (await view(other, link)).status for name, link in links.items()}
            (row,) = await other.sql(
                "select share_expires_at::text as ends from recordings where share_id = %(id)s", {"id": links["ending"]}
            )
    assert seen == {"untouched": 200, "revoked": 404, "renewed": 404, "new": 200, "ending": 200, "spoiled": 404}
    assert row["ends"].startswith("2999-01-01")


async def test_an_older_ledger_hears_of_a_revocation(running: Running) -> None:
    """As if the database had been restored from a backup of the time before."""
    async with running.recorder(OWNER) as recorder:
        link = await shared_recording(recorder)
        await revoke(recorder)
        await running.sql("update recordings set shared = true, share_told_at = null")
        assert (await view(running, link)).status == 200
        await rebuild(running)
        assert (await view(running, link)).status == 404


async def test_an_audit_writes_again_what_the_bucket_lost(running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        await shared_recording(recorder)
        await revoke(recorder)
        key = share_key(UUID(recorder.recording_id))
        body = running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=key)["Body"].read()
        await running.delete_object(key)
        report = await running.plane.audit.run()
        assert report.outcome is SweepOutcome.DECIDED
        assert report.detail["meta_missing"] == 1
        assert report.detail["unexpected"] == {}
        assert running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=key)["Body"].read() == body


async def test_nothing_is_answered_before_the_bucket_has_it(
    stack: EmbeddedStack, settings: Settings, running: Running
) -> None:
    """A bucket that takes no writes: the link stays as it is, and the owner is told."""
    async with running.recorder(OWNER) as recorder:
        link = await shared_recording(recorder)
        cut_off = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
        async with running_plane(stack, cut_off, claims=False) as other:
            recorder.move_to(other.endpoint)
            with pytest.raises(Refused) as refused:
                await revoke(recorder)
            assert (refused.value.problem.status, refused.value.problem.code) == (503, "storage_unavailable")
        assert (await view(running, link)).status == 200


async def test_a_deletion_takes_it_along(running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        await shared_recording(recorder)
        await share(recorder, SOON)
        await recorder.delete()
        for call in (share(recorder), revoke(recorder)):
            with pytest.raises(Refused) as refused:
                await call
            assert refused.value.problem.code == "recording_deleted"
        await finish(running)
        for key in (share_key, recording_key):
            found = running.s3.list_object_versions(
                Bucket=running.settings.s3_bucket_name, Prefix=key(UUID(recorder.recording_id))
            )
            assert not found.get("Versions")


async def test_decisions_at_once_leave_bucket_and_ledger_agreed(running: Running) -> None:
    async with running.recorder(OWNER) as recorder:
        await shared_recording(recorder)
        await asyncio.gather(*(call for _ in range(5) for call in (share(recorder), revoke(recorder))))
        key = share_key(UUID(recorder.recording_id))
        told = json.loads(running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=key)["Body"].read())
        status = (await recorder.status()).members
        assert (told["share_id"], told["shared"]) == (status["share_id"], status["share"]["shared"])


async def test_viewers_are_counted_by_address(stack: EmbeddedStack, settings: Settings) -> None:
    changed = {"safereel_share_rate_limit": 3, "safereel_rate_window_ms": 600_000}
    async with running_plane(stack, settings.model_copy(update=changed)) as running:
        for forged in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
            assert (await view(running, "none", **{"x-forwarded-for": forged})).status == 404
        refused = await view(running, "none", **{"x-forwarded-for": "203.0.113.4"})
        assert (refused.status, refused.told["code"]) == (429, "rate_limited")
        assert refused.headers["ratelimit-policy"] == '"address";q=3;w=600'
        async with running.recorder(OWNER) as recorder:  # who has a token is not counted there
            await recorder.start()
    changed["safereel_trusted_proxies"] = 1
    async with running_plane(stack, settings.model_copy(update=changed)) as running:
        for number in range(6):
            seen = await view(running, "none", **{"x-forwarded-for": f"6.6.6.6, 203.0.113.{number // 2}"})
            assert seen.status == 404
        for _ in range(2):
            last = await view(running, "none", **{"x-forwarded-for": "7.7.7.7, 203.0.113.0"})
        assert last.status == 429


async def test_the_film_of_a_link_is_the_film(running: Running) -> None:
    """Real media, as the player gets it."""
    data = film(seconds=1)
    async with running.recorder(OWNER) as recorder:
        await recorded(recorder, cut(data))
        page = await look(running, f"/v1/shares/{await link_of(recorder)}/chunks")
    got = b""
    async with aiohttp.ClientSession() as client:
        for each in page.told["chunks"]:
            async with client.get(URL(each["get"]["url"], encoded=True)) as answer:
                got += await answer.read()
    assert got == data
