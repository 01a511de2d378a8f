"""The purge: in the end nothing is left in the bucket, whoever comes late and whatever fails; and nothing else ever goes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import DEPLOYMENT_KEY, prefixes_of, recording_prefix
from control_plane.embedded import EmbeddedStack
from control_plane.wiring import ControlPlane, open_control_plane
from tests.support.deletions import (
    admin,
    finish,
    let_urls_die,
    listed,
    look_again,
    only_deletion,
    recorded,
    versions,
)
from tests.support.plane import Running, running_plane
from tests.support.proxy import FaultProxy, Hold, Respond

pytestmark = pytest.mark.anyio


@pytest.fixture
def proxy(settings: Settings) -> Iterator[FaultProxy]:
    """Between the control plane and the bucket; recorders and the test itself go straight to it."""
    host, _, port = settings.s3_endpoint.rpartition("//")[2].partition(":")
    with FaultProxy((host, int(port))) as found:
        yield found


@pytest.fixture
async def behind(stack: EmbeddedStack, settings: Settings, proxy: FaultProxy) -> AsyncIterator[Running]:
    """A control plane that sees the bucket through the proxy."""
    changed = settings.model_copy(update={"s3_endpoint": proxy.url, "s3_public_endpoint": settings.s3_endpoint})
    async with running_plane(stack, changed) as found:
        yield found


async def test_late_puts_are_removed_until_no_url_is_alive_and_after(running: Running) -> None:
    async with running.recorder() as recorder, running.recorder("bob") as bob:
        await recorded(bob)
        bobs = await versions(running, bob)
        await recorder.start()
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(3)]
        grants = await recorder.grant(chunks)
        await recorder.delete()
        await running.plane.services.purges.run()
        (row,) = await running.sql(
            """select purge_until - (select max(expires_at) from chunks where recording_id = r.id) as margin
                 from recordings r where state = 'deleting'"""
        )
        assert row["margin"].total_seconds() == 3_600

        assert (await recorder.put(grants[0], chunks[0])).status == 200, "its URL still lives"
        await look_again(running)
        assert (await running.plane.services.purges.run()).removed == 1
        assert await versions(running, recorder) == []
        assert await recorder.delete() == "deleting"

        assert (await recorder.put(grants[1], chunks[1])).status == 200
        await let_urls_die(running)
        last = await running.plane.services.purges.run()
        assert (last.removed, last.finished) == (1, 1), "what was found at the end is removed, then it is looked again"
        assert await recorder.delete() == "deleted"

        # Later than any PUT can come; but the audit sees it, and knows what it is.
        assert (await recorder.put(grants[2], chunks[2])).status == 200
        dry = await running.plane.audit.run(dry_run=True)
        assert (dry.detail["unexpected"], dry.detail["remains_removed"]) == ({"remains": 1}, 0)
        assert len(await versions(running, recorder)) == 1
        report = await running.plane.audit.run()
        assert (report.detail["unexpected"], report.detail["remains_removed"]) == ({"remains": 1}, 1)
        assert await versions(running, recorder) == []
        assert await versions(running, bob) == bobs
        assert await recorder.delete() == "deleted"


async def test_an_audit_removes_nothing_but_remains_of_the_deleted(running: Running) -> None:
    """Keys that no ledger knows, granted chunks without an ack, what is foreign: all of it stays."""
    async with running.recorder() as recorder, running.recorder() as unknown:
        chunks = await recorded(recorder)
        (grant,) = await recorder.grant([recorder.chunk(3)])
        await recorder.put(grant, recorder.chunk(3))
        await recorded(unknown)
        stranger = (await running.key_of(unknown, 0)).replace(unknown.recording_id, str(UUID(int=7)))
        await running.put_object(stranger, b"?")
        await running.put_object("v1/readme.txt", b"?")
        await running.sql("delete from chunks where recording_id = %(id)s", {"id": unknown.recording_id})
        before = await versions(running, recorder), await versions(running, unknown)
        report = await running.plane.audit.run()
        assert report.detail["remains_removed"] == 0
        assert (await versions(running, recorder), await versions(running, unknown)) == before
        for key in (stranger, "v1/readme.txt"):
            running.s3.head_object(Bucket=running.settings.s3_bucket_name, Key=key)
        assert (await recorder.status()).received == [[0, len(chunks)]], "the one without an ack was adopted"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "deployment"), ("GET", "versions"), ("POST", "delete"), (".*", ".*")],
    ids=["marker", "listing", "removal", "everything"],
)
async def test_a_bucket_that_is_down_is_counted_shown_and_tried_again(
    behind: Running, proxy: FaultProxy, method: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind.recorder() as recorder:
        await recorded(recorder)
        kept = await versions(behind, recorder)
        proxy.add(method, path, Respond(503), times=None)
        assert await recorder.delete() == "deleting", "the owner's word is taken, whatever the bucket does"
        waits = []
        for failures in (1, 2, 3):
            purged = await admin(behind, "POST", "/v1/admin/purge")
            assert purged == {"looked_at": 1, "removed": 0, "finished": 0, "failed": 1, "more": False}
            assert (await recorder.status()).members["deletion"]["failures"] == failures
            assert (await listed(recorder))[recorder.recording_id]["deletion"]["failures"] == failures
            told = await admin(behind, "GET", "/v1/admin/deletions")
            assert (told["under_way"], told["failing"]) == (1, 1)
            (deletion,) = told["deletions"]
            assert (deletion["owner"], deletion["failures"], deletion["removed_objects"]) == ("alice", failures, 0)
            assert "503" in deletion["failure"]
            assert (await behind.plane.services.purges.run()).looked_at == 0, "it waits before it tries again"
            waits += await behind.sql(
                "select round(extract(epoch from purge_after - now()) / 5) as wait from recordings"
            )
            await look_again(behind)
        assert [row["wait"] for row in waits] == [1, 2, 4], "longer each time"
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len([record for record in errors if "could not be purged" in record.message]) == 3
        assert await versions(behind, recorder) == kept

        proxy.clear()
        await let_urls_die(behind)
        assert (await behind.plane.services.purges.run()).removed == len(kept)
        assert await recorder.delete() == "deleted"
        assert await versions(behind, recorder) == []
        assert await admin(behind, "GET", "/v1/admin/deletions") == {"under_way": 0, "failing": 0, "deletions": []}


async def test_removals_that_are_refused_or_pretended_are_failures(behind: Running, proxy: FaultProxy) -> None:
    """An object lock, a missing permission, a store that says yes: the recording is not called deleted."""
    async with behind.recorder() as recorder:
        await recorded(recorder, 1)
        await recorder.delete()
        key = next(key for key in await versions(behind, recorder) if key.startswith("v1/"))
        said = f"<DeleteResult><Error><Key>{key}</Key><Code>AccessDenied</Code></Error></DeleteResult>"
        for body, cause in ((said, "AccessDenied"), ("<DeleteResult></DeleteResult>", "still lists")):
            proxy.add("POST", "delete", Respond(200, {"content-type": "application/xml"}, body.encode()), times=None)
            await let_urls_die(behind)
            assert (await behind.plane.services.purges.run()).failed == 1
            (deletion,) = (await admin(behind, "GET", "/v1/admin/deletions"))["deletions"]
            assert cause in deletion["failure"]
            assert await recorder.delete() == "deleting"
            proxy.clear()
        await finish(behind)
        assert await recorder.delete() == "deleted"
        assert await versions(behind, recorder) == []


async def test_hidden_versions_are_a_failure_though_what_is_seen_goes(behind: Running, proxy: FaultProxy) -> None:
    """Credentials that may not list versions in a bucket that keeps them: older ones would stay for ever."""
    async with behind.recorder() as recorder:
        await recorded(recorder)
        await recorder.delete()
        proxy.add("GET", r"[?&]versions", Respond(403, {}, b"<Error><Code>AccessDenied</Code></Error>"), times=None)
        await let_urls_die(behind)
        purged = await behind.plane.services.purges.run()
        assert (purged.removed, purged.failed, purged.finished) == (4, 1, 0)
        assert "s3:ListBucketVersions" in (await only_deletion(behind))["failure"]
        bucket, prefixes = behind.settings.s3_bucket_name, prefixes_of(UUID(recorder.recording_id))
        for prefix in prefixes:
            assert "Contents" not in behind.s3.list_objects_v2(Bucket=bucket, Prefix=prefix), "what is seen is gone"
        proxy.clear()
        await finish(behind)
        assert await versions(behind, recorder) == []
        assert await recorder.delete() == "deleted"


async def test_one_recording_that_fails_holds_up_no_other(behind: Running, proxy: FaultProxy) -> None:
    async with behind.recorder() as bad, behind.recorder() as good:
        for recorder in (bad, good):
            await recorded(recorder)
            await recorder.delete()
        proxy.add("GET", f"versions.*{bad.recording_id}|{bad.recording_id}.*versions", Respond(500), times=None)
        purged = await behind.plane.services.purges.run()
        assert (purged.looked_at, purged.failed) == (2, 1)
        assert await versions(behind, good) == []
        assert len(await versions(behind, bad)) == 4


@pytest.mark.parametrize("marker", ["absent", "foreign", "unreadable"])
async def test_nothing_is_removed_from_a_bucket_without_our_mark(running: Running, marker: str) -> None:
    bucket = running.settings.s3_bucket_name
    async with running.recorder() as recorder, running.recorder() as gone:
        for one in (recorder, gone):
            await recorded(one)
            await one.delete()
        await running.sql(
            "update recordings set purge_after = now() + interval '1 hour' where id = %(id)s",
            {"id": recorder.recording_id},
        )
        await running.plane.services.purges.run()
        await running.sql(
            "update recordings set state = 'deleted', deleted_at = now() where id = %(id)s", {"id": gone.recording_id}
        )
        await running.sql("delete from chunks where recording_id = %(id)s", {"id": gone.recording_id})
        remains = f"{recording_prefix(UUID(gone.recording_id))}00000000-0000-1-{'a' * 64}"
        await running.put_object(remains, b"x")
        mark = running.s3.get_object(Bucket=bucket, Key=DEPLOYMENT_KEY)["Body"].read()
        other = {"foreign": b'{"version": 1, "deployment_id": "%s"}' % str(UUID(int=9)).encode(), "unreadable": b"!"}
        if marker == "absent":
            await running.delete_object(DEPLOYMENT_KEY)
        else:
            await running.put_object(DEPLOYMENT_KEY, other[marker])

        await let_urls_die(running)
        purged = await running.plane.services.purges.run()
        assert (purged.failed, purged.removed) == (1, 0)
        report = await running.plane.audit.run()
        assert (report.outcome, report.detail["remains_removed"]) == ("undecided", 0)
        assert len(await versions(running, recorder)) == 4
        assert await versions(running, gone) == [remains]
        assert DEPLOYMENT_KEY in (await only_deletion(running))["failure"]

        await running.put_object(DEPLOYMENT_KEY, mark)
        await finish(running)
        await running.plane.audit.run()
        assert await versions(running, recorder) == await versions(running, gone) == []


async def test_two_purgers_at_once_do_no_harm(running: Running) -> None:
    async with open_control_plane(running.settings) as other:
        recorders = [running.recorder() for _ in range(6)]
        for recorder in recorders:
            async with recorder:
                await recorded(recorder)
                await recorder.delete()
        purgers = (running.plane.services.purges, other.services.purges, running.plane.services.purges)
        for _ in range(2):
            await let_urls_die(running)
            await asyncio.gather(*(purger.run() for purger in purgers))
        rows = await running.sql("select state, purge_failures, purged_objects from recordings")
        assert rows == [{"state": "deleted", "purge_failures": 0, "purged_objects": 4}] * 6
        for recorder in recorders:
            assert await versions(running, recorder) == []


async def test_two_purgers_at_the_same_recording_do_no_harm(running: Running) -> None:
    """As after a lease that was too short: both list, both remove, both finish."""
    async with open_control_plane(running.settings) as other, running.recorder() as recorder:
        await recorded(recorder, 5)
        await recorder.delete()

        async def purge(plane: ControlPlane) -> int:
            await let_urls_die(running)
            return (await plane.services.purges.run()).failed

        for _ in range(3):
            failed = await asyncio.gather(*(purge(plane) for plane in (running.plane, other, running.plane, other)))
            assert failed == [0, 0, 0, 0]
        assert await recorder.delete() == "deleted"
        assert await versions(running, recorder) == []


@pytest.mark.parametrize("asked", [1, 2])
async def test_a_purge_that_was_cut_off_is_gone_on_with_at_once(behind: Running, proxy: FaultProxy, asked: int) -> None:
    async with behind.recorder() as recorder:
        await recorded(recorder)
        await recorder.delete()
        proxy.add("POST", "delete", Hold(), skip=asked - 1)
        running = asyncio.create_task(behind.plane.services.purges.run())
        await asyncio.to_thread(proxy.wait_for, lambda log: any(x.fault == "hold" for x in log))
        running.cancel()
        await asyncio.wait([running])
        assert len(await versions(behind, recorder)) == (4 if asked == 1 else 3), "the description goes first"
        proxy.clear()
        proxy.release_held()
        assert (await behind.plane.services.purges.run()).looked_at == 1
        assert await versions(behind, recorder) == []
        await finish(behind)
        assert await recorder.delete() == "deleted"
        assert await versions(behind, recorder) == []
