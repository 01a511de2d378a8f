"""Sweeps as administrators see them: lists, reports, and one run now."""

from typing import Any

import pytest

from control_plane.jobs.worker import Pace, sweep_lines, working
from tests.support.plane import Running
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio

PACE = Pace(heartbeat_s=1, silent_s=10)


def administrator(running: Running) -> Recorder:
    return Recorder(running.endpoint, running.token("admin", scopes=["admin"]))


async def finished(admin: Recorder, sweep_id: str) -> dict[str, Any]:
    """The sweep, once a worker has run it."""
    for _ in range(2_000):
        found: dict[str, Any] = await admin.call("GET", f"/v1/admin/sweeps/{sweep_id}")
        if found["outcome"] != "waiting":
            return found
    raise AssertionError("no worker ran it")


async def test_a_sweep_asked_for_waits_runs_and_has_its_report(running: Running) -> None:
    plane = running.plane
    async with running.recorder() as recorder, administrator(running) as admin:
        await recorder.start()
        await recorder.send([recorder.chunk(seq, size=100) for seq in range(3)])
        (dry,) = (await admin.call("POST", "/v1/admin/sweeps", {"kind": "confirm", "dry_run": True}))["sweeps"]
        (real,) = (await admin.call("POST", "/v1/admin/sweeps", {"kind": "confirm"}))["sweeps"]
        waiting = await admin.call("GET", "/v1/admin/sweeps?outcome=waiting")
        assert {sweep["id"] for sweep in waiting["sweeps"]} == {dry, real}
        assert {sweep["finished_at"] for sweep in waiting["sweeps"]} == {None}
        async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), PACE, finish_s=1):
            for sweep_id, is_dry in ((dry, True), (real, False)):
                sweep = await finished(admin, sweep_id)
                assert (sweep["kind"], sweep["dry_run"], sweep["outcome"]) == ("confirm", is_dry, "decided")
                assert (sweep["first_shard"], sweep["last_shard"]) == (0, 255)
                assert sweep["worker"]
            audit = await admin.call("POST", "/v1/admin/sweeps", {"kind": "audit"})
            assert (await finished(admin, audit["sweeps"][0]))["looked_at"] == 3
        assert (await recorder.status()).confirmed == [[0, 2]]


async def test_an_empty_sweep_that_was_asked_for_has_a_report_too(running: Running) -> None:
    async with administrator(running) as admin:
        (sweep_id,) = (await admin.call("POST", "/v1/admin/sweeps", {"kind": "confirm"}))["sweeps"]
        async with working(
            running.plane.queue, sweep_lines(running.plane.carry.carry_out, at_once=2), PACE, finish_s=1
        ):
            assert (await finished(admin, sweep_id))["looked_at"] == 0


async def test_sweeps_are_listed_by_pages_and_filters(running: Running) -> None:
    async with administrator(running) as admin:
        assert (await admin.call("GET", "/v1/admin/sweeps"))["audit_round"] is None
        await running.plane.services.dispatch.audit()
        for _ in range(5):
            await running.plane.audit.run()
        await running.delete_object("meta/deployment.json")
        await running.plane.audit.run()
        await running.plane.confirm.run()
        everything = await admin.call("GET", "/v1/admin/sweeps")
        assert everything["audit_round"]["shards_done"] == 256
        assert everything["audit_round"]["finished_at"]
        assert [sweep["round"] for sweep in everything["sweeps"]] == [None] * 6 + [1]
        ids = [sweep["id"] for sweep in everything["sweeps"]]
        paged, cursor = list[str](), ""
        while True:
            page = await admin.call("GET", f"/v1/admin/sweeps?limit=3{cursor}")
            paged += [sweep["id"] for sweep in page["sweeps"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert paged == ids
        undecided = await admin.call("GET", "/v1/admin/sweeps?outcome=undecided&kind=audit")
        assert [sweep["id"] for sweep in undecided["sweeps"]] == [ids[1]]
        assert "meta/deployment.json" in undecided["sweeps"][0]["cause"]


async def test_what_does_not_exist_is_refused_by_name(running: Running) -> None:
    async with administrator(running) as admin:
        for address, code in {
            "/v1/admin/sweeps/7d0c1f3a-52b8-4a0e-9f43-0c8f1d2e3b4a": "sweep_unknown",
            "/v1/admin/sweeps?kind=fsck": "kind_unknown",
            "/v1/admin/sweeps?outcome=good": "outcome_unknown",
            "/v1/admin/sweeps?cursor=x": "cursor_malformed",
        }.items():
            with pytest.raises(Refused) as refused:
                await admin.call("GET", address)
            assert refused.value.problem.code == code


async def test_old_reports_are_forgotten(running: Running) -> None:
    await running.plane.audit.run()
    await running.plane.audit.run()
    await running.sql(
        "update sweeps set started_at = now() - interval '31 days' where id = (select id from sweeps limit 1)"
    )
    assert await running.plane.services.sweep_reports.forget() == 1
    assert len(await running.sql("select id from sweeps")) == 1
