"""`safereel up`: everything on this machine, from real parts."""

import argparse
import asyncio
import shlex
import socket
import sys
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control_plane.commands.provision import make_bucket_fit
from control_plane.commands.serve import serve_plane
from control_plane.config import Settings
from control_plane.embedded import EmbeddedError, EmbeddedStack, read_running_stack
from control_plane.environment import DATA_DIR, environment_of, settings_of, unlimited
from control_plane.migrating import migrate
from control_plane.rebuild import one_pass, summary
from control_plane.services.deployment import WrongBucket
from control_plane.serving import PortTaken, listen
from control_plane.signals import run_until_stopped
from control_plane.wiring import ControlPlane, open_control_plane

_LOST_DATABASE = (
    "The database in {folder}/postgres is new, and the bucket in {folder}/seaweedfs has the recordings of another one. Bring "
    "that one back from a backup, or have the ledger made anew from the bucket: “safereel up --rebuild”."
)
_LOST_BUCKET = (
    "The bucket in {folder}/seaweedfs is not the one that the database in {folder}/postgres knows: it was removed, emptied or "
    "replaced. Bring it back from a backup. If what it held is gone for good, say so: “safereel up --emptied” asks recorders for "
    "all that they still hold."
)
_BEGIN_ANEW = "To begin with nothing, move the whole folder away; the recordings stay in it."


def run(arguments: argparse.Namespace) -> int:
    """Runs everything until it is told to stop, or until a part ends by itself."""
    port: int = arguments.port
    data_dir: Path = arguments.data_dir or DATA_DIR
    another = f"“make run PORT={port % 65_535 + 1}”, or “--port {port % 65_535 + 1}”"
    try:
        listener = listen("127.0.0.1", port, another=another)
    except PortTaken as exc:
        if _is_running_there(data_dir, port):
            raise PortTaken(f"It runs already: http://localhost:{port}, with the data in {data_dir}.") from exc
        raise
    mending = _Mending(rebuild=arguments.rebuild, emptied=arguments.emptied)
    return run_until_stopped(lambda: _run_stack(data_dir, port, listener, mending))


async def _run_stack(data_dir: Path, port: int, listener: socket.socket, mending: "_Mending") -> None:
    """Everything on this machine, until cancelled."""
    async with EmbeddedStack.open(data_dir, reporter=_tell) as stack:
        own = {"SAFEREEL_HOST": "127.0.0.1", "SAFEREEL_PORT": str(port)}
        own |= {"SAFEREEL_WORKER_INSIDE": "true"}
        settings = settings_of({**unlimited(), **environment_of(stack.public()), **own})
        await asyncio.to_thread(migrate, stack.database_url)
        origins = (f"http://localhost:{port}", f"http://127.0.0.1:{port}", *settings.safereel_page_origins)
        for told in await asyncio.to_thread(make_bucket_fit, settings, origins):
            print(told)
        stack.publish(page_origins=origins)
        async with open_control_plane(settings, issues_tokens=True) as plane:
            await _claim_own_bucket(plane, data_dir, mending)
            _print_addresses(port, data_dir, settings)
            await _until_one_ends(serve_plane(plane, settings, listener), stack.failed)


@dataclass(frozen=True, slots=True)
class _Mending:
    """What somebody says was lost: the database (`rebuild`), or what was in the bucket (`emptied`)."""

    rebuild: bool
    emptied: bool


async def _claim_own_bucket(plane: ControlPlane, data_dir: Path, mending: _Mending) -> None:
    """Before anything is served: what recorders began in a new database would be in the way of the recordings in the bucket."""
    if mending.rebuild:
        _tell("Making the ledger anew from the bucket …")
        _tell(summary(await one_pass(plane), dry_run=False))
    try:
        if mending.emptied and await plane.deployment.mark_again():
            _tell("The bucket is marked again. Audits will ask recorders for all that they still hold.")
        await plane.deployment.claim_bucket(begins=True)
    except WrongBucket as exc:
        lost = _LOST_DATABASE if await plane.deployment.ledger_is_empty() else _LOST_BUCKET
        raise EmbeddedError(f"{lost.format(folder=data_dir)} {_BEGIN_ANEW}") from exc


async def _until_one_ends(serving: Awaitable[None], failed: asyncio.Future[EmbeddedError]) -> None:
    """Serves until a part of the stack ends by itself: then everything stops, with the reason."""
    task = asyncio.ensure_future(serving)
    try:
        either: set[asyncio.Future[Any]] = {task, failed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    if failed.done():
        raise failed.result()


def _is_running_there(data_dir: Path, port: int) -> bool:
    try:
        origins = read_running_stack(data_dir).get("page_origins")
    except EmbeddedError:
        return False
    return isinstance(origins, Sequence) and f"http://localhost:{port}" in origins


def _print_addresses(port: int, data_dir: Path, settings: Settings) -> None:
    _tell(f"Page and API   http://localhost:{port}")
    _tell(f"Health         http://localhost:{port}/health")
    _tell(f"Bucket         {settings.s3_endpoint}/{settings.s3_bucket_name}")
    _tell(f"Data and logs  {data_dir.resolve()}")
    program = (
        sys.argv[0] if Path(sys.argv[0]).name == "safereel" else "safereel"
    )  # as it was called: it may be in no PATH
    _tell(f"For tools      {shlex.quote(program)} env --data-dir {shlex.quote(str(data_dir))}")
    _tell("Stop with Ctrl-C; everything is kept.")


def _tell(sentence: str) -> None:
    print(sentence, flush=True)
