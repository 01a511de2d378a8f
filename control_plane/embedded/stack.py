"""PostgreSQL and SeaweedFS as children of this process, for `safereel up` and for the tests."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from control_plane.embedded.child import Child
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.folder import DataFolder
from control_plane.embedded.postgres import Postgres
from control_plane.embedded.seaweed import HOST, PORT_NAMES, REGION, S3Access, SeaweedFS

Reporter = Callable[[str], None]


class EmbeddedStack:
    """A running PostgreSQL and a running SeaweedFS on loopback, with their data under one folder.

    The children die with this process, however it dies. `failed` is done, with the error to show, as soon as
    one of them ends by itself: await it beside your own work.
    """

    def __init__(
        self,
        folder: DataFolder,
        *,
        ports: Mapping[str, int],
        database_url: str,
        s3: S3Access,
        token_secret: str,
    ) -> None:
        self.data_dir = folder.root
        self.database_url = database_url
        self.s3 = s3
        self.token_secret = token_secret
        self.failed: asyncio.Future[EmbeddedError] = asyncio.get_running_loop().create_future()
        self._folder = folder
        self._started_at = datetime.now(UTC)
        self._ports = ports
        self._pids: dict[str, int] = {}
        self._extra: dict[str, Any] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, data_dir: Path, *, reporter: Reporter = lambda _: None, bucket: str = "safereel"
    ) -> AsyncIterator[Self]:
        """Starts both, answers when both take work, and stops both at the end.

        The first start makes the folder, keys and data (about two seconds); later ones keep all of it,
        addresses included as long as their ports are free. The bucket itself is not made here:
        `bucket.provision` does that. `reporter` is told in sentences what happens. Raises `EmbeddedError`,
        whose message says the way out.
        """
        folder = DataFolder(data_dir)
        folder.create()
        with folder.locked():
            secrets = folder.load_secrets()
            ports = folder.load_ports(("postgres", *PORT_NAMES))
            s3 = S3Access(
                endpoint=f"http://{HOST}:{ports['s3']}",
                access_key=secrets.s3_access_key,
                secret_key=secrets.s3_secret_key,
                bucket=bucket,
                region=REGION,
            )
            postgres = Postgres(folder, port=ports["postgres"], password=secrets.database_password)
            seaweed = SeaweedFS(folder, ports=ports, access=s3)
            stack = cls(folder, ports=ports, database_url=postgres.url, s3=s3, token_secret=secrets.token_secret)
            folder.publish({"ports": ports})  # nobody shall take the last run's addresses for this one's
            await _stop_orphans(postgres, seaweed, reporter)
            children = await _start_all(postgres, seaweed, reporter)
            try:
                stack._watch(children)
                stack.publish()
                yield stack
            finally:
                await asyncio.shield(_stop_all(children))
                folder.publish({"ports": ports})
                reporter("PostgreSQL and SeaweedFS have stopped.")

    def public(self) -> Mapping[str, Any]:
        """What other commands on this machine need to use the stack. Holds secrets: for this user's eyes only."""
        return {
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(),
            "data_dir": str(self.data_dir),
            "database_url": self.database_url,
            "s3": asdict(self.s3),
            "token_secret": self.token_secret,
            "ports": dict(self._ports),
            "children": dict(self._pids),
            **self._extra,
        }

    def publish(self, **extra: Any) -> None:
        """Makes `public()`, with `extra` added, readable to `read_running_stack`."""
        self._extra |= extra
        self._folder.publish(self.public())

    def _watch(self, children: list[Child]) -> None:
        for child in children:
            self._pids[child.command.name] = child.pid
            child.died.add_done_callback(self._fail)

    def _fail(self, died: asyncio.Future[EmbeddedError]) -> None:
        if not self.failed.done() and not died.cancelled():
            self.failed.set_result(died.result())


async def _stop_orphans(postgres: Postgres, seaweed: SeaweedFS, reporter: Reporter) -> None:
    for part in (postgres, seaweed):
        pid = await asyncio.to_thread(part.stop_orphan)
        if pid is not None:
            reporter(f"Stopped process {pid}, left behind by an earlier run.")


async def _start_all(postgres: Postgres, seaweed: SeaweedFS, reporter: Reporter) -> list[Child]:
    """Both at once; if one does not start, neither keeps running."""
    reporter("Starting PostgreSQL and SeaweedFS.")
    starts = [asyncio.create_task(postgres.start()), asyncio.create_task(seaweed.start())]
    try:
        children = list(await asyncio.gather(*starts))
    except BaseException:
        for start in starts:
            if not start.cancelling():  # a second time would cut short the stop that the first one set off
                start.cancel()
        ended = await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.shield(_stop_all([end for end in ended if isinstance(end, Child)]))
        raise
    reporter("PostgreSQL and SeaweedFS are ready.")
    return children


async def _stop_all(children: list[Child]) -> None:
    await asyncio.gather(*(child.stop() for child in children))
