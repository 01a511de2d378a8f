"""The data folder of an embedded stack: who may use it, its secrets, its ports, and what it tells other commands.

lock           held (flock) by the process that runs the stack
secrets.json   made once, mode 0600: S3 keys, database password, token secret
stack.json     mode 0600: ports, and while running the addresses; may be deleted at any time when stopped
postgres/      PostgreSQL's data          seaweedfs/   the objects
logs/          what the children print    run/         process ids and sockets, mode 0700
"""

import contextlib
import errno
import fcntl
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from control_plane.embedded.errors import EmbeddedError

# Below the ports that Linux (32768) and macOS (49152) lend to outgoing connections: a port of ours is still
# free at the next start.
PORTS = range(20_000, 32_000)
# A reader holds the lock for microseconds; a running stack for as long as it runs.
LOCK_PATIENCE_S = 0.5


NO_WAY_IN = (
    "It holds the password of the database beside it: bring it back from a backup. To begin anew, move the whole folder away; "
    "the recordings stay in it."
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random, made at the first start and kept."""

    s3_access_key: str
    s3_secret_key: str
    database_password: str
    token_secret: str

    @classmethod
    def fresh(cls) -> Self:
        return cls(
            s3_access_key=secrets.token_hex(10).upper(),
            s3_secret_key=secrets.token_urlsafe(30),
            database_password=secrets.token_urlsafe(24),
            token_secret=secrets.token_hex(32),
        )


class DataFolder:
    """Paths under one data folder, and the small files that we keep there."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.postgres = self.root / "postgres"
        self.seaweedfs = self.root / "seaweedfs"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self._lock = self.root / "lock"
        self._secrets = self.root / "secrets.json"
        self._stack = self.root / "stack.json"

    def create(self) -> None:
        if "," in str(self.root):
            raise EmbeddedError(f"The data folder {self.root} has a comma in its name; choose one without.")
        try:
            for folder in (self.root, self.seaweedfs, self.logs, self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.root / ".gitignore").write_text("*\n")
        except OSError as exc:
            raise EmbeddedError(
                f"The data folder {self.root} cannot be written: {exc.strerror} ({exc.filename}). "
                "Choose another folder, or run as the user whom it belongs to."
            ) from exc

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process; `EmbeddedError` if another one has it."""
        with self._lock.open("a") as lock:
            if not _take(lock.fileno(), fcntl.LOCK_EX, LOCK_PATIENCE_S):
                owner = self._read_stack().get("pid", "another process")
                raise EmbeddedError(
                    f"The data folder {self.root} is in use by process {owner}. Stop that one, or choose another folder."
                )
            yield

    def is_locked(self) -> bool:
        try:
            with self._lock.open() as lock:
                return not _take(lock.fileno(), fcntl.LOCK_SH, 0)
        except FileNotFoundError:
            return False

    def load_secrets(self) -> Secrets:
        try:
            raw = json.loads(self._secrets.read_text())
            return Secrets(**{f.name: str(raw[f.name]) for f in fields(Secrets)})
        except FileNotFoundError as exc:
            if self.postgres.exists():
                raise EmbeddedError(f"{self._secrets} is gone. {NO_WAY_IN}") from exc
            made = Secrets.fresh()
            _write_private(self._secrets, asdict(made))
            return made
        except (ValueError, KeyError, TypeError) as exc:
            raise EmbeddedError(f"{self._secrets} is not whole. {NO_WAY_IN}") from exc

    def load_ports(self, names: Sequence[str]) -> dict[str, int]:
        """A free port for each name: the one it had the last time, if it can be had."""
        known = self._read_stack().get("ports")
        ports: dict[str, int] = {}
        for name in names:
            before = known.get(name) if isinstance(known, dict) else None
            if isinstance(before, int) and before not in ports.values() and _is_free(before):
                ports[name] = before
            else:
                ports[name] = _free_port(taken=ports.values())
        return ports

    def publish(self, told: Mapping[str, Any]) -> None:
        """Writes what `safereel env` reads."""
        _write_private(self._stack, told)

    def _read_stack(self) -> dict[str, Any]:
        # Nothing in it is precious: if it is torn, new ports are chosen and it is written anew.
        try:
            told = json.loads(self._stack.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def read_running_stack(data_dir: Path) -> Mapping[str, Any]:
    """What the stack running on `data_dir` told of itself (see `EmbeddedStack.public`); `EmbeddedError` if none runs."""
    folder = DataFolder(data_dir)
    if not folder.is_locked():
        raise EmbeddedError(f"No stack runs on {folder.root}. Start one with `make run` or `safereel up`.")
    told = folder._read_stack()  # noqa: SLF001 - the same module
    if "pid" not in told:
        raise EmbeddedError(f"The stack on {folder.root} is still starting. Ask again in a second.")
    return told


def _take(descriptor: int, kind: int, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        else:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all, and readable by us alone."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _free_port(taken: Collection[int]) -> int:
    candidates = random.sample(PORTS, 200)
    for port in candidates:
        if port not in taken and _is_free(port):
            return port
    raise EmbeddedError(f"No port between {PORTS.start} and {PORTS.stop} is free on 127.0.0.1.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a connection of the last run that is still closing does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
