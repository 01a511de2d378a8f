"""A database that is there, and not as it was: callers are told to repeat, and nothing has to be restarted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg import sql

from tests.support.plane import Running
from tests.support.recorder import Refused, Status

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def read_only(running: Running) -> AsyncIterator[None]:
    """All sessions end, and new ones find what a standby is after a failover: no writes."""
    url = running.settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        await connection.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
        await connection.execute(
            """select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()"""
        )
        try:
            yield
        finally:
            await connection.execute(sql.SQL("alter database {} reset default_transaction_read_only").format(name))


async def taken(call: Awaitable[Status]) -> bool:
    """False where the call is to be repeated."""
    try:
        await call
    except Refused as refused:
        if refused.problem.code != "database_unavailable":
            raise
        return False
    return True


async def test_a_database_that_takes_no_writes_is_told_as_unavailable(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0)
        await recorder.send([chunk])
        async with read_only(running):
            for _ in range(2):  # the first may meet connections that have just ended
                for write in (
                    lambda: recorder.grant([recorder.chunk(1)]),
                    lambda: recorder.beat([chunk]),
                    lambda: recorder.complete([chunk]),
                    recorder.delete,
                ):
                    with pytest.raises(Refused) as refused:
                        await write()
                    assert (refused.value.problem.status, refused.value.problem.code) == (503, "database_unavailable")
        # Connections made meanwhile still take no writes: each is given up when that is noticed.
        async with asyncio.timeout(20):
            while not await taken(recorder.complete([chunk])):
                pass


async def test_health_tells_a_database_that_takes_no_writes(running: Running) -> None:
    async def health(path: str = "/health") -> tuple[int, dict[str, Any]]:
        async with aiohttp.ClientSession() as client, client.get(running.endpoint + path) as answer:
            return answer.status, await answer.json()

    unhealthy = {"status": "unhealthy", "checks": {"storage": "ok", "database": "read_only"}}
    async with asyncio.timeout(20), read_only(running):
        while await health() != (
            503,
            unhealthy,
        ):  # the first may be told of before, or meet connections that have just ended
            pass
        assert await health("/health/ready") == (503, {"status": "not_ready"})
        assert await health("/health/live") == (200, {"status": "live"})
    async with asyncio.timeout(20):
        while (await health())[0] != 200:
            pass


async def test_replicas_serve_on_while_the_schema_changes(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0)
        await recorder.send([chunk])

        async def calls() -> None:
            """Often enough, and at once, that statements are prepared on several connections."""
            for _ in range(12):
                reads = [recorder.status() for _ in range(6)]
                writes = [recorder.grant([chunk]), recorder.ack([(0, None)]), recorder.beat([chunk])]
                await asyncio.gather(*reads, *writes, recorder.start())

        for change in ("alter table recordings add more int", "alter table chunks add more int"):
            await calls()
            await running.sql(change)
        await calls()
        for _ in range(8):
            with pytest.raises(Refused) as refused:
                await recorder.complete([chunk, recorder.chunk(1)])
            assert refused.value.problem.code == "chunks_missing"
        await running.sql("alter table recordings drop more")
        assert (await recorder.complete([chunk])).complete
