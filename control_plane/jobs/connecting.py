"""The queue's connections. Nobody waits for one, or for an answer on one, without a limit: a server that hangs sends neither."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

# Fetching, finishing and the heartbeat of two queues: each takes a connection for moments.
POOL_SIZE = 3
# Statements of the queue take milliseconds: after that the database hangs, and the next tick or poll tries again.
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
# Longer than the server lets a statement run: where not even its refusal comes, it hangs.
ANSWER_S = 20.0
# How long to wait for one of the pool's connections, and for the sign that it is alive.
POOL_TIMEOUT_S = 5.0
# After that the pool gives a place up, and the next who wants one tries at once: it would wait for minutes between its
# tries, with the database long back.
RECONNECT_S = 5.0
_CONNECTING = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


class QueuePool(AsyncConnectionPool[psycopg.AsyncConnection[Any]]):
    """Connections of which each is hung up where the server lets whoever uses it wait. Has to be opened."""

    def __init__(self, database_url: str) -> None:
        super().__init__(
            database_url,
            min_size=0,
            max_size=POOL_SIZE,
            timeout=POOL_TIMEOUT_S,
            reconnect_timeout=RECONNECT_S,
            open=False,
            check=_alive,
            kwargs={
                **{name: value for name, value in _CONNECTING.items() if name not in conninfo_to_dict(database_url)},
                "options": f"-c search_path=procrastinate -c statement_timeout={STATEMENT_TIMEOUT_MS}"
                f" -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC",
            },
        )

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the pool's own
    ) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection for one statement; its commit or rollback is within the limit as well."""
        timer: asyncio.TimerHandle | None = None
        try:
            async with super().connection(timeout) as connection:
                timer = asyncio.get_running_loop().call_later(ANSWER_S, _hang_up, connection)
                yield connection
        finally:
            if timer is not None:
                timer.cancel()


def worded(exc: BaseException) -> str:
    """What the database, or the way to it, said."""
    return str(exc.__cause__ or exc) or repr(exc)


async def _alive(connection: psycopg.AsyncConnection[Any]) -> None:
    timer = asyncio.get_running_loop().call_later(POOL_TIMEOUT_S, _hang_up, connection)
    try:
        await AsyncConnectionPool.check_connection(connection)
    finally:
        timer.cancel()


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """Whoever waits for its answer is told that it has ended. Only shut down, not closed: its number is still watched."""
    with suppress(psycopg.OperationalError, OSError), socket.socket(fileno=os.dup(connection.fileno())) as again:
        again.shutdown(socket.SHUT_RDWR)
