"""Running the application under uvicorn on a socket of our own, so that a taken port is a clear message."""

import asyncio
import contextlib
import errno
import logging
import socket
import time
from collections.abc import Iterator

import uvicorn

from control_plane.api.application import Application
from control_plane.api.draining import Phase
from control_plane.http_protocol import KEEP_ALIVE_S, BoundedHttp

# What uvicorn itself takes.
BACKLOG = 2048
# Of the time to stop, what is kept for closing connections to the database and to the bucket.
CLOSING_S = 2.5
# Clients with open connections may be about to send: for so long they are told to come again, rather than cut off.
LINGER_S = 0.25
# What a request that was cut off gets to roll back and to answer.
UNWIND_S = 1.0


_log = logging.getLogger(__name__)


class PortTaken(Exception):
    """Another program listens there; the message says the way out."""


def listen(host: str, port: int, *, another: str = "see --help") -> socket.socket:
    """A socket bound to the address. Raises `PortTaken`; `another` says how to choose another port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} is taken by another program. Choose another: {another}.") from exc
        raise PortTaken(
            f"Cannot listen on {host} port {port}: {exc.strerror}. Choose another address or port."
        ) from exc
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the entry point: other parts must be stopped after it, in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Application, listener: socket.socket, *, shutdown_s: float, drain_s: float = 0.0) -> None:
    """Listens and serves until cancelled, then stops so that whoever calls the process is done within `shutdown_s`.

    First, for `drain_s`, it serves on but says that it is not ready: a load balancer sends no more. Then what comes is
    refused, and what is under way may finish. Last, what still hangs is cut off.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as exc:  # bound by two at once, and the other one listened first
        raise PortTaken(f"Another program took port {listener.getsockname()[1]} meanwhile. Choose another.") from exc
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the address that viewers are counted by: api/rate_limits.py
        http=BoundedHttp,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,  # for clients that do not read their answers; requests have ended by then
        lifespan="on",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        await _drain(app, server, patience_s=max(shutdown_s - CLOSING_S, shutdown_s / 2), drain_s=drain_s)
        raise
    finally:
        server.should_exit = True
        await serving


async def _drain(app: Application, server: uvicorn.Server, *, patience_s: float, drain_s: float) -> None:
    end = time.monotonic() + patience_s
    app.drain.phase = Phase.LEAVING
    if drain_s:
        await asyncio.sleep(min(drain_s, patience_s))
    app.drain.phase = Phase.REFUSING
    left = set(server.server_state.tasks)
    if left:
        _, left = await asyncio.wait(left, timeout=max(0.0, end - time.monotonic()))
    if server.server_state.connections:
        await asyncio.sleep(min(LINGER_S, patience_s))
    for task in left:
        task.cancel()
    if left:
        _log.warning("Requests were cut off by the end of the process", extra={"requests": len(left)})
        await asyncio.wait(left, timeout=UNWIND_S)
