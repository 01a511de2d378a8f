"""`safereel drill`: what it rehearses, what it says where a deployment does not repair, and that it leaves nothing behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.domain.bucket import BucketUnreachable
from control_plane.drill.cases import Case, Report
from control_plane.drill.printing import as_json, table
from control_plane.drill.recorder import DrillFailed, DrillRecorder
from control_plane.drill.rehearsing import Plan, rehearse
from control_plane.embedded import EmbeddedStack
from control_plane.wiring import bucket
from tests.support.plane import Running, running_plane, settings_for
from tests.support.proxy import FaultProxy, Respond

pytestmark = pytest.mark.anyio

OWNER = "safereel-drill"


def plan(*, sweeps: bool = True, deadline_s: float = 60.0) -> Plan:
    return Plan(OWNER, deadline_s, beat_s=0.2, sweeps=sweeps)


@asynccontextmanager
async def opened(running: Running) -> AsyncIterator[S3Bucket]:
    async with bucket(running.settings) as found:
        yield found


async def drilled(running: Running, given: Plan, told: list[str] | None = None) -> Report:
    async with opened(running) as found:
        return await rehearse(running.plane, found, given, ([] if told is None else told).append)


def kept(running: Running) -> Sequence[str]:
    """Keys of all versions of chunks in the bucket."""
    name = running.settings.s3_bucket_name
    pages = running.s3.get_paginator("list_object_versions").paginate(Bucket=name, Prefix="v1/")
    return [entry["Key"] for page in pages for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, ())]


async def require_nothing_left(running: Running) -> None:
    assert await running.sql("select id from recordings where state not in ('deleting', 'deleted')") == []
    assert await running.sql("select 1 from holdings") == []
    assert await running.sql("select 1 from tickets where state = 'open'") == []
    assert await asyncio.to_thread(kept, running) == []


async def test_every_mishap_is_recovered_by_its_way(running: Running) -> None:
    told: list[str] = []
    async with running.recorder("alice") as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0)])

        report = await drilled(running, plan(), told)

        assert report.recovered, table(report)
        assert {outcome.case: outcome.way for outcome in report.outcomes} == {
            Case.PURGED: "resent by ticket",
            Case.CORRUPTED: "resent by ticket",
            Case.OVERWRITTEN: "healed",
            Case.TRUNCATED: "resent by ticket",
            Case.HIDDEN: "healed",
            Case.UNACKED: "adopted",
        }
        assert any("recovered" in words for words in told)
        assert (await recorder.status()).confirmed == [[0, 0]], "others' recordings are none of its business"
        await recorder.delete()
        await running.plane.services.purges.run()
    await require_nothing_left(running)


async def test_an_audit_before_the_acks_repairs_nothing_of_the_drills(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow machine what was put is adopted before it is acked; that is no way in which a mishap was recovered."""
    ack = DrillRecorder.ack

    async def after_an_audit(recorder: DrillRecorder, etags: Mapping[int, str | None]) -> None:
        assert (await running.plane.audit.run()).detail["adopted"] == len(Case)
        await ack(recorder, etags)

    monkeypatch.setattr(DrillRecorder, "ack", after_an_audit)
    report = await drilled(running, plan())
    ways = {outcome.case: outcome.way for outcome in report.outcomes}
    assert (ways[Case.PURGED], ways[Case.HIDDEN], ways[Case.UNACKED]) == ("resent by ticket", "healed", "adopted")


async def test_a_deployment_whose_sweeps_do_not_run_fails_before_anything_is_damaged(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.drill.rehearsing.harm", None)
    report = await drilled(running, plan(sweeps=False, deadline_s=2))
    assert not report.recovered
    assert report.cause is not None
    assert "not confirmed within 2 s: the deployment's sweeps do not run" in report.cause
    assert "--sweep" in table(report)
    assert json.loads(as_json(report))["recovered"] is False
    await require_nothing_left(running)


async def test_audits_that_do_not_run_fail_it_within_its_deadline(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(**_: Any) -> Any:
        return await running.plane.confirm.run()

    monkeypatch.setattr(running.plane.audit, "run", nothing)
    report = await drilled(running, plan(deadline_s=3))
    assert [outcome.case for outcome in report.outcomes if outcome.recovered] == []
    assert report.cause is not None
    assert report.cause.startswith("Not recovered within 3 s: purged, corrupted")
    assert "Not repaired: purged, corrupted" in report.cause
    assert "not safe yet" not in report.cause
    assert "NOT RECOVERED" in table(report)
    await require_nothing_left(running)


async def test_what_is_called_repaired_is_read(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger alone does not convince it."""

    async def wrong(*_: Any) -> None:
        raise BucketUnreachable("status 500")

    monkeypatch.setattr("control_plane.drill.rehearsing._Rehearsal._is_whole", wrong)
    with pytest.raises(BucketUnreachable):
        await drilled(running, plan())
    await require_nothing_left(running)


@pytest.mark.parametrize("at", ["waiting for a sweep", "recovered"])
async def test_a_drill_that_is_stopped_deletes_its_recording(running: Running, at: str) -> None:
    stopped = asyncio.Event()

    def tell(words: str) -> None:
        if at in words and not stopped.is_set():
            stopped.set()
            drill.cancel()

    async with opened(running) as found:
        drill = asyncio.create_task(rehearse(running.plane, found, plan(sweeps=at == "recovered"), tell))
        with pytest.raises(asyncio.CancelledError):
            await drill
    assert stopped.is_set()
    await require_nothing_left(running)


async def test_what_a_killed_drill_left_goes_with_the_next(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def killed(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as forced:
        forced.setattr("control_plane.drill.rehearsing._tidy", killed)
        with suppress(asyncio.CancelledError):
            await drilled(running, plan())
    assert len(await running.sql("select id from recordings where state = 'open'")) == 1
    async with running.recorder(OWNER) as recorder:  # of the same owner, and not a drill's
        await recorder.start()

        told: list[str] = []
        assert (await drilled(running, plan(), told)).recovered

        assert "deleted 1 of an earlier drill" in told
        assert (await recorder.status()).state == "open"
        await recorder.delete()
    await running.plane.services.purges.run()
    await require_nothing_left(running)


async def test_a_bucket_that_recorders_cannot_reach_is_told(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    name = settings.s3_bucket_name
    public = settings_for(stack, settings.database_url.get_secret_value(), name, s3_public_endpoint=bucket_proxy.url)
    async with running_plane(stack, public) as running:
        bucket_proxy.add("PUT", r"/v1/", Respond(403), times=1)
        with pytest.raises(DrillFailed, match="answered 403"):
            await drilled(running, plan())
        bucket_proxy.cut()
        with pytest.raises(DrillFailed, match="S3_PUBLIC_ENDPOINT") as failed:
            await drilled(running, plan())
        assert "X-Amz" not in str(failed.value), "a URL is a permission"
        await require_nothing_left(running)
