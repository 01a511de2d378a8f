"""Several replicas and workers as processes of their own, on one database and one bucket: as one, whoever of them is killed."""

import asyncio
import os
import random
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.support.databases import fresh_database
from tests.support.live import Program, free_port
from tests.support.plane import Running, fresh_bucket, running_plane, settings_for
from tests.support.proxy import FaultProxy, Hold

pytestmark = pytest.mark.anyio

DEADLINE_S = 120.0  # three rounds by processes that are killed, on a machine that does other things besides
AUDIT_S = 1.0
SHUTDOWN_MS = 6_000
BUSY_S = 3.0  # until a process that ends is seen to have ended, where the tests run
RECORDINGS, CHUNKS = 8, 6
# Rows that make the ledger large enough for an audit to be cut into sixteen parts. They are no recording's.
BALLAST = """
insert into chunks (recording_id, seq, segment, size, sha256, expires_at)
select gen_random_uuid(), 0, 0, 1, sha256('ballast'), now() - interval '1 year' from generate_series(1, 100000)
"""
LEDGER = "select recording_id::text, seq, state, generation, etag from chunks where recording_id = any (%(ids)s) order by 1, 2"
TICKETS = "select recording_id::text, seq, reason, state, cause from tickets order by 1, 2, opened_at"
ROUNDS = "select id, finished_at from audit_rounds where finished_at is not null and not given_up order by id"
PARTS = "select round, first_shard, count(*)::int as times from sweeps where round is not null group by 1, 2"


async def until(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    """The first truthy answer of `look`."""
    end = time.monotonic() + DEADLINE_S
    while not (found := await look()):
        assert time.monotonic() < end, f"{what}: not within {DEADLINE_S:.0f} s"
        await anyio.sleep(0.05)
    return found


class Machines:
    """Processes on the parts of these settings."""

    def __init__(self, settings: Settings, folder: Path, **changed: str) -> None:
        self._folder = folder
        self._started = list[Program]()
        self._environment = {
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "S3_ENDPOINT": settings.s3_endpoint,
            "S3_ACCESS_KEY_ID": settings.s3_access_key_id,
            "S3_SECRET_ACCESS_KEY": settings.s3_secret_access_key.get_secret_value(),
            "S3_BUCKET_NAME": settings.s3_bucket_name,
            "SAFEREEL_TOKEN_SECRET": settings.safereel_token_secret.get_secret_value(),
            "SAFEREEL_SETTLE_MS": "0",
            "SAFEREEL_CONFIRM_INTERVAL_MS": "500",
            "SAFEREEL_AUDIT_INTERVAL_MS": str(round(AUDIT_S * 1_000)),
            "SAFEREEL_SHUTDOWN_MS": str(SHUTDOWN_MS),
            **changed,
        }

    def start(self, *arguments: str, **changed: str) -> Program:
        environment = {**self._environment, "SAFEREEL_PORT": str(free_port()), **changed}
        log = self._folder / f"{len(self._started)}-{arguments[0]}.log"
        program = Program(arguments, env=environment, log=log)
        self._started.append(program)
        return program

    def close(self) -> None:
        for program in self._started:
            if program.runs:
                program.kill()


@contextmanager
def machines(settings: Settings, folder: Path, **changed: str) -> Iterator[Machines]:
    """To be started; killed at the end."""
    folder.mkdir(exist_ok=True)
    found = Machines(settings, folder, **changed)
    try:
        yield found
    finally:
        found.close()


async def harmed(running: Running, seed: int) -> Sequence[str]:
    """The ids of recordings whose chunks were confirmed; then some objects were harmed, the same for each seed.

    What is deleted with all its versions, or cut off where there is no older version, only a recorder can bring back.
    """
    chance = random.Random(seed)
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(RECORDINGS)]
    await running.sql(BALLAST)
    for recording_id in ids:
        async with running.recorder(recording_id=recording_id) as recorder:
            await recorder.start()
            await recorder.send([recorder.chunk(seq, size=400) for seq in range(CHUNKS)])
    await running.plane.confirm.run()
    for recording_id in ids:
        async with running.recorder(recording_id=recording_id) as recorder:
            for seq in range(CHUNKS):
                key = await running.key_of(recorder, seq)
                harm = chance.choice(["none", "none", "delete", "hide", "cut", "cut for good"])
                if harm in {"delete", "cut for good"}:
                    await asyncio.to_thread(_remove_versions, running, key)
                if harm in {"cut", "cut for good"}:
                    await running.put_object(key, b"cut")
                if harm == "hide":
                    await running.delete_object(key)
    return ids


def _remove_versions(running: Running, key: str) -> None:
    bucket = running.settings.s3_bucket_name
    for version in running.s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", ()):
        running.s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])


async def settled(running: Running) -> bool:
    """Whether three whole rounds began after everything had been killed, and everything that they healed is confirmed."""
    (later,) = await running.sql(
        "select count(*)::int as rounds from audit_rounds where finished_at is not null and not given_up"
        " and began_at > (select max(at) from marks)"
    )
    unconfirmed = await running.sql("select 1 from chunks where state = 'acked'")
    return later["rounds"] >= 3 and not unconfirmed


async def mark(running: Running) -> None:
    await running.sql("create table if not exists marks (at timestamptz default now())")
    await running.sql("insert into marks default values")


@asynccontextmanager
async def deployment(stack: EmbeddedStack) -> AsyncIterator[Running]:
    """A database and a bucket of their own, and a control plane to record with; it runs nothing by itself."""
    with ExitStack() as opened:
        url, bucket = opened.enter_context(fresh_database(stack)), opened.enter_context(fresh_bucket(stack))
        async with running_plane(stack, settings_for(stack, url, bucket)) as running:
            yield running


async def result(running: Running, ids: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    return [*await running.sql(LEDGER, {"ids": ids})], [*await running.sql(TICKETS)]


@pytest.mark.parametrize("seed", [20])
@pytest.mark.thorough
async def test_killed_at_random_they_leave_the_ledger_that_one_leaves(
    stack: EmbeddedStack, template: None, tmp_path: Path, seed: int
) -> None:
    async with deployment(stack) as alone:
        ids = await harmed(alone, seed)
        with machines(alone.settings, tmp_path / "alone") as started:
            await mark(alone)
            started.start("serve", "--with-worker")
            await until("three rounds of one", lambda: settled(alone))
        expected = await result(alone, ids)

    async with deployment(stack) as many:
        assert await harmed(many, seed) == ids
        quick = {"SAFEREEL_WORKER_HEARTBEAT_MS": "300", "SAFEREEL_WORKER_SILENT_MS": "1500"}
        with machines(many.settings, tmp_path / "many", **quick) as started:
            for _ in range(3):
                started.start("serve")
            workers = [started.start("worker") for _ in range(3)]
            chance = random.Random(seed)
            done = 0
            for worker in chance.sample(workers, 2):
                done += chance.randint(1, 12)
                await until("some sweeps", partial(many.sql, "select 1 from sweeps offset %(done)s", {"done": done}))
                worker.kill()
            await mark(many)
            await until("three rounds of the rest", lambda: settled(many))
        found = await result(many, ids)

    states = {row["state"] for row in expected[0]}
    assert states == {"confirmed", "missing"}, "some healed, some to be sent again"
    assert found == expected
    missing = [(row["recording_id"], row["seq"]) for row in found[0] if row["state"] == "missing"]
    assert [(row["recording_id"], row["seq"]) for row in found[1] if row["state"] == "open"] == missing


@pytest.mark.thorough
async def test_many_replicas_do_nothing_more_often_than_one(
    stack: EmbeddedStack, template: None, tmp_path: Path
) -> None:
    async with deployment(stack) as running:
        await running.sql(BALLAST)
        with machines(running.settings, tmp_path / "logs") as started:
            for _ in range(3):
                started.start("serve")
            for _ in range(2):
                started.start("worker")
            await until("a round", lambda: running.sql(ROUNDS))
            async with running.recorder() as recorder:
                await recorder.start()
                for seq in range(20):
                    await recorder.send([recorder.chunk(seq, size=100)])
            await until("rounds", lambda: running.sql(f"{ROUNDS} offset 4"))
            await until("confirmed", lambda: _all_confirmed(running))
        assert {row["times"] for row in await running.sql(PARTS)} == {1}
        (spent,) = await running.sql(
            "select count(*)::int as rounds, extract(epoch from max(began_at) - min(began_at))::float8 as seconds"
            " from audit_rounds"
        )
        assert spent["rounds"] <= spent["seconds"] / AUDIT_S + 2
        (looked,) = await running.sql("select sum(looked_at)::int as at from sweeps where kind = 'confirm'")
        assert looked["at"] == 20, "each chunk was looked at once"
        workers = await running.sql("select distinct worker from sweeps where kind = 'audit'")
        assert len(workers) == 2, "both shared the work"


async def _all_confirmed(running: Running) -> bool:
    return not await running.sql("select 1 from chunks where state = 'acked'")


async def test_the_shards_of_a_killed_worker_are_taken_over(running: Running, tmp_path: Path) -> None:
    """Forced: it has begun its listing, is killed, counts as gone, and another one lists the same."""
    quick = {"SAFEREEL_WORKER_HEARTBEAT_MS": "300", "SAFEREEL_WORKER_SILENT_MS": "1500"}
    with _before_the_bucket(running.settings) as proxy, machines(running.settings, tmp_path, **quick) as started:
        proxy.add("GET", "list-type=2", Hold(), times=None)
        killed = started.start("worker", S3_ENDPOINT=proxy.url)
        await running.plane.services.dispatch.audit()
        await asyncio.to_thread(proxy.wait_for, lambda log: any("list-type=2" in seen.path for seen in log))
        killed.kill()
        take_over = running.plane.queue.take_over
        assert await take_over([], silent_s=600) == 0, "not before it was silent for so long"
        heir = started.start("worker")
        await until("it is taken over", lambda: take_over([], silent_s=1.5))
        await until("the round has ended", lambda: running.sql(ROUNDS))
        (swept,) = await running.sql("select worker, outcome, round from sweeps")
        assert swept["worker"].endswith(f":{heir.pid}")
        assert (swept["outcome"], swept["round"]) == ("decided", 1)


async def test_a_worker_told_to_stop_finishes_what_it_has_begun(running: Running, tmp_path: Path) -> None:
    with _before_the_bucket(running.settings) as proxy, machines(running.settings, tmp_path) as started:
        proxy.add("GET", "list-type=2", Hold(), times=1)
        worker = started.start("worker", S3_ENDPOINT=proxy.url)
        await running.plane.services.dispatch.audit()
        await asyncio.to_thread(proxy.wait_for, lambda log: any("list-type=2" in seen.path for seen in log))
        os.kill(worker.pid, signal.SIGTERM)
        proxy.release_held()
        assert await asyncio.to_thread(worker.wait) == 0
        assert len(await running.sql(ROUNDS)) == 1
        assert await running.sql("select 1 from procrastinate.procrastinate_jobs") == []
        said = worker.said()
        assert "A worker takes sweeps" in said
        assert "The worker has stopped" in said
        assert '"level": "error"' not in said


async def test_a_worker_told_to_stop_puts_back_what_it_cannot_finish(running: Running, tmp_path: Path) -> None:
    with _before_the_bucket(running.settings) as proxy, machines(running.settings, tmp_path) as started:
        proxy.add("GET", "list-type=2", Hold(), times=None)
        worker = started.start("worker", S3_ENDPOINT=proxy.url)
        await running.plane.services.dispatch.audit()
        await asyncio.to_thread(proxy.wait_for, lambda log: any("list-type=2" in seen.path for seen in log))
        began = time.monotonic()
        os.kill(worker.pid, signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait) == 0
        assert time.monotonic() - began < SHUTDOWN_MS / 1_000 + BUSY_S
        waiting = await running.sql("select status::text from procrastinate.procrastinate_jobs")
        assert waiting == [{"status": "todo"}]
        assert '"level": "error"' not in worker.said()


@contextmanager
def _before_the_bucket(settings: Settings) -> Iterator[FaultProxy]:
    host, _, port = settings.s3_endpoint.removeprefix("http://").partition(":")
    with FaultProxy((host, int(port))) as proxy:
        yield proxy
