"""Work that machines share: one turn for many replicas, sweeps from a queue, what becomes of those whose worker died."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from control_plane.config import Settings
from control_plane.domain.models import SweepKind
from control_plane.domain.work import ALL_SHARDS, Shards, SweepWork
from control_plane.jobs.worker import Pace, sweep_lines, working
from control_plane.wiring import ControlPlane, open_control_plane
from control_plane.working import clock_jobs
from tests.support.plane import Running

pytestmark = pytest.mark.anyio

DEADLINE_S = 30.0
QUICK = Pace(heartbeat_s=0.2, silent_s=1.0)
JOBS = "select status::text, args from procrastinate.procrastinate_jobs order by id"


async def until(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    """The first truthy answer of `look`."""
    end = time.monotonic() + DEADLINE_S
    while not (found := await look()):
        assert time.monotonic() < end, f"{what}: not within {DEADLINE_S:.0f} s"
        await anyio.sleep(0.02)
    return found


async def recorded(running: Running, count: int = 3) -> str:
    """A recording with so many acked chunks; its id."""
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(seq, size=500) for seq in range(count)])
        return recorder.recording_id


async def rows(running: Running) -> list[dict[str, Any]]:
    return await running.sql(
        "select kind, outcome, first_shard, last_shard, round, worker from sweeps where outcome is not null order by started_at"
    )


async def test_a_turn_is_given_once_in_an_interval(running: Running) -> None:
    ticks, every = running.plane.ticks, timedelta(hours=1)
    done: list[int] = []

    async def note(number: int) -> None:
        done.append(number)

    async def all_ask() -> None:
        asked = [ticks.claimed("task", every, lambda number=number: note(number)) for number in range(20)]  # type: ignore[misc]  # bound now
        await asyncio.gather(*(ask() for ask in asked))

    await all_ask()
    await all_ask()
    assert len(done) == 1
    await running.sql("update ticks set due_at = now() - interval '10 days'")
    await all_ask()
    await all_ask()
    assert len(done) == 2, "what was not done for days is done once"
    await running.sql("update ticks set due_at = now() + interval '5 minutes'")
    await all_ask()
    await all_ask()
    assert len(done) == 3, "a tenth of the interval early is not too early"
    await running.sql("update ticks set due_at = now() + interval '3 hours'")
    await all_ask()
    assert len(done) == 4, "the interval was longer before"


async def test_an_acked_chunk_is_confirmed_by_a_worker(running: Running) -> None:
    plane = running.plane
    assert await plane.services.dispatch.confirm() == 0, "nothing to confirm is no job"
    await recorded(running)
    assert await plane.services.dispatch.confirm() == 1
    assert await plane.services.dispatch.confirm() == 0, "one that waits will do"
    async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
        await until("confirmed", lambda: confirmed(running))
        await until("the job is gone", lambda: gone(running))
    ((row),) = await rows(running)
    assert (row["kind"], row["outcome"], row["first_shard"], row["last_shard"]) == ("confirm", "decided", 0, 255)
    assert row["worker"]


async def confirmed(running: Running) -> bool:
    return not await running.sql("select 1 from chunks where state <> 'confirmed'")


async def gone(running: Running) -> bool:
    return not await running.sql(JOBS)


async def test_many_chunks_are_confirmed_by_shards(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.domain.work.MUCH_TO_CONFIRM", 4)
    for _ in range(5):
        await recorded(running, 1)
    plane = running.plane
    assert await plane.services.dispatch.confirm() == 8
    async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
        await until("confirmed", lambda: confirmed(running))
        await until("the jobs are gone", lambda: gone(running))
    found = await rows(running)
    assert {row["last_shard"] - row["first_shard"] for row in found} == {31}
    looked_at = await running.sql("select sum(looked_at)::int as looked_at from sweeps")
    assert looked_at == [{"looked_at": 5}]


async def test_a_round_goes_over_all_shards_once_and_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.domain.work.CHUNKS_PER_UNIT", 1)
    await recorded(running, 2)
    plane = running.plane
    await running.sql("update audited_shards set audited_at = '2020-01-01'")
    assert await plane.services.dispatch.audit() == 16
    assert await plane.services.dispatch.audit() == 0, "all of it waits"
    async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
        await until(
            "the round has ended", lambda: running.sql("select 1 from audit_rounds where finished_at is not null")
        )
    found = await rows(running)
    assert sorted((row["first_shard"], row["last_shard"]) for row in found) == [
        (n * 16, n * 16 + 15) for n in range(16)
    ]
    assert {row["round"] for row in found} == {1}
    assert await running.sql("select shards_done, given_up from audit_rounds") == [
        {"shards_done": 256, "given_up": False}
    ]
    assert await running.sql("select 1 from audited_shards where audited_at < '2021-01-01'") == []
    assert await plane.services.dispatch.audit() == 16, "the next round"


async def test_a_round_that_lacks_a_part_is_gone_on_with(running: Running) -> None:
    """Whatever became of the job: killed, failed, or its table emptied."""
    plane = running.plane
    await plane.services.dispatch.audit()
    await running.sql("truncate procrastinate.procrastinate_jobs cascade")
    assert await plane.services.dispatch.audit() == 1
    assert await running.sql("select id, given_up from audit_rounds") == [{"id": 1, "given_up": False}]
    await running.sql("update audit_rounds set progressed_at = now() - interval '1 day'")
    await plane.services.dispatch.audit()
    found = await running.sql("select given_up, finished_at is null as runs from audit_rounds order by id")
    assert found == [{"given_up": True, "runs": False}, {"given_up": False, "runs": True}]


async def test_a_late_part_of_an_older_round_counts_for_no_newer_one(running: Running) -> None:
    plane, work = running.plane, running.plane.services.dispatch._work
    await plane.services.dispatch.audit()
    (before,) = await running.sql("select now() as at")
    await work.covered(Shards(0, 15), 1, before["at"], decided=True)
    await running.sql("update audit_rounds set progressed_at = now() - interval '1 day'")
    await plane.services.dispatch.audit()
    await work.covered(Shards(16, 31), 1, before["at"], decided=True)
    await asyncio.gather(*(work.covered(Shards(0, 127), 2, before["at"], decided=True) for _ in range(4)))
    assert await running.sql("select id, shards_done from audit_rounds order by id") == [
        {"id": 1, "shards_done": 16},
        {"id": 2, "shards_done": 128},
    ]
    ended = await asyncio.gather(
        work.covered(Shards(128, 191), 2, before["at"], decided=True),
        work.covered(Shards(192, 255), 2, before["at"], decided=True),
    )
    assert sorted(ended) == [False, True]


async def test_what_an_undecided_audit_went_through_is_not_newly_audited(running: Running) -> None:
    await running.sql("update audited_shards set audited_at = '2020-01-01'")
    await running.delete_object("meta/deployment.json")
    await running.plane.services.dispatch.audit()
    report = await running.plane.audit.run()
    assert (report.outcome, report.round) == ("undecided", 1)
    assert await running.sql("select distinct audited_at::date::text as at from audited_shards") == [
        {"at": "2020-01-01"}
    ]
    assert await running.sql("select 1 from audit_rounds where finished_at is null") == [], (
        "the next round is the retry"
    )


async def test_a_sweep_whose_worker_died_is_done_by_another(running: Running, settings: Settings) -> None:
    """In this order: one takes it, falls silent, a newer one is asked for or not, it is taken over, another runs it."""
    plane, queue = running.plane, running.plane.queue
    await recorded(running)
    async with open_control_plane(settings.model_copy(update={"safereel_worker_silent_ms": 300})) as other:
        await plane.services.dispatch.audit()
        await take_and_die(plane)
        assert await plane.services.dispatch.audit() == 0, "somebody has it"
        await until("taken over", other.services.dispatch.take_over)
        assert await other.services.dispatch.take_over() == 0
        async with working(queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
            await until(
                "the round has ended", lambda: running.sql("select 1 from audit_rounds where finished_at is not null")
            )
    assert len(await rows(running)) == 1


async def test_a_dead_worker_s_sweep_gives_way_to_a_newer_one(running: Running, settings: Settings) -> None:
    plane = running.plane
    await recorded(running)
    async with open_control_plane(settings.model_copy(update={"safereel_worker_silent_ms": 300})) as other:
        await plane.services.dispatch.confirm()
        await take_and_die(plane)
        assert await plane.services.dispatch.confirm() == 1
        assert [job["status"] for job in await running.sql(JOBS)] == ["doing", "todo"]
        await until("taken over", other.services.dispatch.take_over)
        assert [job["status"] for job in await running.sql(JOBS)] == ["todo"]
        async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
            await until("confirmed", lambda: confirmed(running))


async def take_and_die(plane: ControlPlane) -> None:
    """What is left of a worker that was killed: a job that it took, and a heartbeat that ends."""
    manager = plane.queue.app.job_manager
    worker_id = await manager.register_worker()
    assert await manager.fetch_job(queues=None, worker_id=worker_id) is not None


async def test_a_sweep_whose_end_got_lost_is_taken_over_from_the_living(running: Running) -> None:
    """The worker lives, but what it wrote at the end never arrived: it would hold back confirmations for ever."""
    plane = running.plane
    await recorded(running)
    await plane.services.dispatch.confirm()
    await take_and_die(plane)
    assert await plane.services.dispatch.take_over() == 0
    await running.sql("update procrastinate.procrastinate_events set at = now() - interval '2 minutes'")
    assert await plane.services.dispatch.take_over() == 1
    assert [job["status"] for job in await running.sql(JOBS)] == ["todo"]


async def test_a_stop_puts_back_what_it_cut_off(running: Running) -> None:
    plane = running.plane
    begun = asyncio.Event()

    async def endless(_: SweepWork) -> None:
        begun.set()
        await asyncio.Event().wait()

    await plane.services.dispatch.audit()
    async with working(plane.queue, sweep_lines(endless, at_once=2), QUICK, finish_s=0):
        await asyncio.wait_for(begun.wait(), DEADLINE_S)
    assert [job["status"] for job in await running.sql(JOBS)] == ["todo"]
    assert await running.sql("select 1 from procrastinate.procrastinate_workers") == []


async def test_a_stop_lets_finish_what_takes_moments(running: Running) -> None:
    plane = running.plane
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def short(_: SweepWork) -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    await plane.services.dispatch.audit()
    async with working(plane.queue, sweep_lines(short, at_once=2), QUICK, finish_s=DEADLINE_S):
        await asyncio.wait_for(begun.wait(), DEADLINE_S)
        asyncio.get_running_loop().call_later(0.2, may_end.set)
    assert ended.is_set()
    assert await running.sql(JOBS) == []


async def test_a_sweep_that_fails_ends_and_is_said(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    plane = running.plane

    async def broken(_: SweepWork) -> None:
        raise RuntimeError("a defect")

    await plane.services.dispatch.audit()
    async with working(plane.queue, sweep_lines(broken, at_once=2), QUICK, finish_s=1):
        await until("the job is gone", lambda: gone(running))
    assert "Work failed; the clock has it tried again" in caplog.text
    assert await plane.services.dispatch.audit() == 1


async def test_where_nobody_works_it_is_said(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    plane = running.plane
    await plane.services.dispatch.audit()
    await plane.services.dispatch.take_over()
    assert "No worker runs" not in caplog.text
    await running.sql("update procrastinate.procrastinate_events set at = now() - interval '31 seconds'")
    for _ in range(3):
        await plane.services.dispatch.take_over()
    assert caplog.text.count("start `safereel worker`") == 1


async def test_a_worker_outlives_its_connections(running: Running) -> None:
    plane = running.plane
    async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
        await until("it is there", lambda: running.sql("select 1 from procrastinate.procrastinate_workers"))
        await running.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid() and query ~ 'procrastinate'"
        )
        await recorded(running)
        await until("put there", plane.services.dispatch.confirm)
        await until("confirmed", lambda: confirmed(running))


FRESH = "select 1 from procrastinate.procrastinate_workers where last_heartbeat > now() - interval '0.6 seconds'"
RENAME = "alter function procrastinate.{}(bigint) rename to {}"
HEARTBEAT = "procrastinate_update_heartbeat_v1"


async def fresh_workers(running: Running, count: int) -> bool:
    return len(await running.sql(FRESH)) == count


async def test_a_heartbeat_that_fails_is_not_the_last(running: Running) -> None:
    plane, every_kind = running.plane, len(SweepKind)
    async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
        await until("they are there", lambda: fresh_workers(running, every_kind))
        await running.sql(RENAME.format(HEARTBEAT, "away"))
        await until("silent", lambda: fresh_workers(running, 0))
        await running.sql(RENAME.format("away", HEARTBEAT))
        await until("heard of again", lambda: fresh_workers(running, every_kind))


async def test_a_worker_whose_heartbeat_goes_on_failing_begins_anew(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    plane, every_kind = running.plane, len(SweepKind)
    ids = "select id from procrastinate.procrastinate_workers order by id"

    async def said() -> bool:
        return caplog.text.count("A worker lost the queue; it begins anew") == every_kind

    async with working(plane.queue, sweep_lines(plane.carry.carry_out, at_once=2), QUICK, finish_s=1):
        await until("they are there", lambda: fresh_workers(running, every_kind))
        before = await running.sql(ids)
        await running.sql(RENAME.format(HEARTBEAT, "away"))
        await until("said", said)
        await running.sql(RENAME.format("away", HEARTBEAT))
        await until("others are there", lambda: fresh_workers(running, every_kind))
        assert not [row for row in await running.sql(ids) if row in before]
        await recorded(running)
        await until("put there", plane.services.dispatch.confirm)
        await until("confirmed", lambda: confirmed(running))
    assert "Traceback" not in caplog.text


async def test_audits_do_not_keep_confirmations_waiting(running: Running) -> None:
    plane = running.plane
    busy, end = asyncio.Event(), asyncio.Event()

    async def slow_audits(work: SweepWork) -> None:
        if work.kind is SweepKind.AUDIT:
            busy.set()
            await end.wait()
        else:
            await plane.carry.carry_out(work)

    await recorded(running)
    await plane.queue.put([SweepWork(SweepKind.AUDIT, Shards(n, n)) for n in range(8)])
    async with working(plane.queue, sweep_lines(slow_audits, at_once=2), QUICK, finish_s=0):
        await asyncio.wait_for(busy.wait(), DEADLINE_S)
        await plane.services.dispatch.confirm()
        await until("confirmed", lambda: confirmed(running))
        end.set()


async def test_everything_of_the_clock_is_claimed(running: Running) -> None:
    """Two replicas that have every tick at the same moment: each thing is done by one of them."""
    jobs = clock_jobs(running.plane, running.settings)
    async with open_control_plane(running.settings) as other:
        await asyncio.gather(*(job.run() for job in [*jobs, *clock_jobs(other, running.settings)]))
    assert {row["name"] for row in await running.sql("select name from ticks")} == {job.name for job in jobs}
    assert sorted(job["args"]["kind"] for job in await running.sql(JOBS)) == ["audit", "fixity"]


async def test_work_of_another_version_is_refused_by_name() -> None:
    work = SweepWork(SweepKind.AUDIT, ALL_SHARDS, dry_run=True)
    assert SweepWork.of_json(work.as_json()) == work
    with pytest.raises(ValueError, match="unheard"):
        SweepWork.of_json({**work.as_json(), "kind": "unheard"})
