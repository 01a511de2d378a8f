"""Running the application under uvicorn on a socket of our own, so that a taken port is a clear message."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

# What uvicorn itself takes.
BACKLOG = 2048


class PortTaken(Exception):
    """Another program listens there; the message says the way out."""


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} is taken by another program. Choose another: “make run PORT={port + 1}”, or “--port {port + 1}”."
            ) from exc
        raise PortTaken(
            f"Cannot listen on {host} port {port}: {exc.strerror}. Choose another address or port."
        ) from exc
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the entry point: other parts must be stopped after it, in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Starlette, listener: socket.socket, *, shutdown_s: float) -> None:
    """Listens and serves until cancelled; requests under way may finish within `shutdown_s`."""
    try:
        listener.listen(BACKLOG)
    except OSError as exc:  # bound by two at once, and the other one listened first
        raise PortTaken(f"Another program took port {listener.getsockname()[1]} meanwhile. Choose another.") from exc
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here looks at the client's address
        timeout_graceful_shutdown=max(1, round(shutdown_s)),
        lifespan="on",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
