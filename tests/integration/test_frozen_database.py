"""A PostgreSQL that is there and does not move: every call is answered in time, and nothing has to be restarted after."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import psycopg
import pytest
from procrastinate import PsycopgConnector

from control_plane.db import patience
from control_plane.db.database import Database, DatabaseUnreachable
from control_plane.domain.models import SweepKind
from control_plane.domain.work import ALL_SHARDS, SweepWork
from control_plane.embedded import EmbeddedStack
from control_plane.embedded.child import Child
from control_plane.embedded.folder import DataFolder
from control_plane.embedded.postgres import Postgres
from control_plane.jobs import connecting
from control_plane.jobs.connecting import QueuePool
from control_plane.jobs.queue import JobQueue, QueueUnreachable
from control_plane.jobs.worker import Pace, sweep_lines, working
from control_plane.migrating import migrate
from tests.support.plane import Running, fresh_bucket, running_plane, settings_for
from tests.support.processes import go_on, stand_still
from tests.support.recorder import Refused

if TYPE_CHECKING:
    from control_plane.config import Settings

pytestmark = pytest.mark.anyio

PATIENCE_S = 0.5
# Beyond the patience: for starting, waiting for a place in the pool, and a machine with much else to do. The driver's own wait
# for its cancellation takes ten seconds.
SLACK_S = 4.0
DEADLINE_S = 60.0
CONNECTIONS = 6


class OwnPostgres:
    """A PostgreSQL that no other test uses."""

    def __init__(self, child: Child, url: str) -> None:
        self._child = child
        self.url = url

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still: the kernel still takes connections, and nobody answers."""
        stopped = stand_still(self._child.pid)
        try:
            yield
        finally:
            go_on(stopped)


@pytest.fixture
async def postgres() -> AsyncIterator[OwnPostgres]:
    with tempfile.TemporaryDirectory(prefix="safereel-") as root:
        folder = DataFolder(Path(root))
        folder.create()
        server = Postgres(folder, port=folder.load_ports(("postgres",))["postgres"], password="frozen")
        child = await server.start()
        try:
            await asyncio.to_thread(migrate, server.url)
            yield OwnPostgres(child, server.url)
        finally:
            await child.stop()


@pytest.fixture
async def running(stack: EmbeddedStack, postgres: OwnPostgres) -> AsyncIterator[Running]:
    with fresh_bucket(stack) as bucket:
        settings: Settings = settings_for(stack, postgres.url, bucket, safereel_database_pool=CONNECTIONS)
        async with running_plane(stack, settings) as found:
            yield found


async def refused_in_time(call: Callable[[], Awaitable[object]]) -> None:
    """The call is answered, by 503, when the patience is at an end and not much later."""
    began = time.monotonic()
    with pytest.raises(Refused) as refused:
        await call()
    assert (refused.value.problem.status, refused.value.problem.code) == (503, "database_unavailable")
    assert time.monotonic() - began < PATIENCE_S + SLACK_S


async def until_taken(call: Callable[[], Awaitable[object]]) -> None:
    """Returns when the call is no longer answered that the database does not answer."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await call()
            except Refused as refused:
                if refused.problem.code != "database_unavailable":
                    raise
            else:
                return


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it looks so."""
    while not await look():  # noqa: ASYNC110  # of another process
        await anyio.sleep(0.05)


async def test_every_call_is_answered_in_time(
    running: Running, postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", PATIENCE_S)
    async with running.recorder() as recorder, running.recorder() as ended, running.recorder("bob") as other:
        chunk, second = recorder.chunk(0), recorder.chunk(1)
        for each in (recorder, ended):
            await each.start()
        await recorder.send([chunk])
        (grant,) = await recorder.grant([second])
        etag = (await recorder.put(grant, second)).etag
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "status": recorder.status,
            "start": other.start,
            "grant": lambda: recorder.grant([recorder.chunk(2)]),
            "ack": lambda: recorder.ack([(1, etag)]),
            "heartbeat": lambda: recorder.beat([chunk]),
            "list": lambda: recorder.call("GET", "/v1/recordings"),
            "chunks": lambda: recorder.call("GET", f"/v1/recordings/{recorder.recording_id}/chunks"),
            "me": lambda: recorder.call("GET", "/v1/me"),
            "complete": lambda: recorder.complete([chunk, second]),
            "delete": ended.delete,
        }
        for call in calls.values():  # each on a connection that is there
            await until_taken(recorder.status)
            with postgres.frozen():
                await refused_in_time(call)
        with postgres.frozen():  # and more than the pool has room for
            await asyncio.gather(*map(refused_in_time, [*calls.values(), *calls.values()]))
        for call in calls.values():
            await until_taken(call)
        assert (await recorder.status()).complete
        assert await recorder.delete() == "deleting"


async def test_the_pool_is_whole_again(postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", PATIENCE_S)
    async with Database.open(postgres.url, max_size=CONNECTIONS, timeout_s=5) as database:

        async def all_at_once() -> None:
            """Needs as many connections as the pool may have, and all of them at the same time."""
            everybody = asyncio.Barrier(CONNECTIONS)

            async def one() -> None:
                async with database.transaction() as connection:
                    await database.rows("ping", {}, on=connection)
                    await everybody.wait()

            try:
                await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
            except DatabaseUnreachable:
                await everybody.abort()
                raise

        async def hung() -> None:
            with patience.within_request(), pytest.raises(DatabaseUnreachable):
                await database.ping()

        await all_at_once()
        with postgres.frozen():
            await asyncio.gather(*(hung() for _ in range(CONNECTIONS * 2)))
        async with asyncio.timeout(DEADLINE_S):
            while True:
                with suppress(DatabaseUnreachable):
                    await all_at_once()
                    return


async def test_what_hung_in_a_transaction_is_dropped_and_replaced(
    postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", PATIENCE_S)
    async with Database.open(postgres.url, max_size=1, timeout_s=DEADLINE_S) as database:

        async def backend() -> int:
            row = await database.row("backend", {}, on=None)
            assert row is not None
            pid: int = row["pid"]
            return pid

        monkeypatch.setitem(database._queries, "backend", "select pg_backend_pid() as pid")
        before = await backend()

        async def hang() -> None:
            async with database.transaction() as connection:
                await database.rows("ping", {}, on=connection)
                with postgres.frozen():
                    await database.rows("ping", {}, on=connection)

        with patience.within_request(), pytest.raises(DatabaseUnreachable, match="no answer within"):
            await hang()
        after = await backend()
        assert after != before, "a connection in an unknown state must not be used again"
        async with (
            await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as own,
            asyncio.timeout(DEADLINE_S),
        ):
            alive = "select from pg_stat_activity where pid = %(pid)s"
            while (await own.execute(alive, {"pid": before})).rowcount:
                pass


async def test_work_of_the_clock_may_take_longer(postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 0.2)
    async with Database.open(postgres.url, max_size=2, timeout_s=DEADLINE_S) as database:
        monkeypatch.setitem(database._queries, "slow", "select pg_sleep(0.6)")
        await database.rows("slow", {})
        with patience.within_request(), pytest.raises(DatabaseUnreachable):
            await database.rows("slow", {})


async def test_a_request_has_one_patience_for_all_its_statements(
    postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 1.0)
    async with Database.open(postgres.url, max_size=2, timeout_s=DEADLINE_S) as database:
        monkeypatch.setitem(database._queries, "slow", "select pg_sleep(0.4)")
        with patience.within_request():
            for _ in range(2):
                await database.rows("slow", {})
            with pytest.raises(DatabaseUnreachable):
                await database.rows("slow", {})


async def test_the_queue_keeps_nobody_waiting(postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "POOL_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(connecting, "ANSWER_S", PATIENCE_S)
    audit = SweepWork(SweepKind.AUDIT, ALL_SHARDS)
    async with JobQueue.open(postgres.url) as queue:

        async def put() -> None:
            async with asyncio.timeout(DEADLINE_S / 4):
                await queue.put([audit])

        async with asyncio.timeout(DEADLINE_S):
            while not await queue.under_way(SweepKind.AUDIT):
                with suppress(QueueUnreachable):
                    await put()
        with postgres.frozen():
            for _ in range(connecting.POOL_SIZE + 1):  # those that were there, and a new one
                began = time.monotonic()
                with pytest.raises(QueueUnreachable):
                    await put()
                assert time.monotonic() - began < 2 * PATIENCE_S + SLACK_S
        async with asyncio.timeout(DEADLINE_S):
            while True:
                with suppress(QueueUnreachable):
                    await put()
                    break


async def test_an_answer_of_the_queue_is_not_waited_for_for_ever(
    postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "ANSWER_S", PATIENCE_S)
    async with QueuePool(postgres.url) as pool:

        async def hang() -> None:
            async with pool.connection() as connection:
                with postgres.frozen():
                    await connection.execute("select 1")

        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            await hang()
        assert time.monotonic() - began < PATIENCE_S + SLACK_S


async def test_workers_are_heard_of_again(postgres: OwnPostgres) -> None:
    """Its fetches hold the queue's connections meanwhile, and its heartbeats wait for them in vain."""
    carried: list[SweepWork] = []

    async def carry_out(work: SweepWork) -> None:
        carried.append(work)

    pace = Pace(heartbeat_s=2.0, silent_s=30.0)
    fresh = "select from procrastinate.procrastinate_workers where last_heartbeat > %(after)s"
    async with (
        await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as own,
        JobQueue.open(postgres.url) as queue,
        working(queue, sweep_lines(carry_out, at_once=2), pace, finish_s=0),
        asyncio.timeout(DEADLINE_S),
    ):
        connector = queue.app.connector
        assert isinstance(connector, PsycopgConnector)
        pool = connector.pool

        async def heard_of(after: datetime) -> bool:
            return (await own.execute(fresh, {"after": after})).rowcount == len(SweepKind)

        async def failed(times: int) -> bool:
            return pool.get_stats().get("requests_errors", 0) >= times

        await until(lambda: heard_of(datetime.min.replace(tzinfo=UTC)))
        async with pool.connection(), pool.connection(), pool.connection():  # all that there may be
            began = datetime.now(UTC)
        await until(lambda: heard_of(began))  # those who registered before: their next heartbeats are the farthest off
        with postgres.frozen():
            await until(lambda: failed(len(SweepKind)))
        ended = datetime.now(UTC)
        await until(lambda: heard_of(ended))
        await queue.put([SweepWork(kind, ALL_SHARDS) for kind in SweepKind])

        async def all_carried() -> bool:
            return len(carried) == len(SweepKind)

        await until(all_carried)
