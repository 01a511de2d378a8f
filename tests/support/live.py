"""A whole running system as a person meets it: page and API behind one proxy, the bucket behind another.

    with up(folder) as system:
        browser.new_page(system.api.url)

The control plane is a process of its own, started by the `safereel` command. What a test does behind its back (to the
bucket, to the API) goes past the proxies.
"""

import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from psycopg import sql

from control_plane.embedded import EmbeddedStack
from control_plane.wiring import token_issuer, utc_now
from tests.support import parts, processes, warm
from tests.support.databases import admin_connection, database_url
from tests.support.plane import fresh_bucket
from tests.support.proxy import FaultProxy

DIST = parts.ROOT / "browser" / "dist"
DEADLINE_S = 30.0
POLL_S = 0.05
PAGE_OWNER = "local"  # whom the embedded stack's page records for
# As quick as a test may ask: what takes seconds by default takes one.
QUICK = {
    "SAFEREEL_CONFIRM_INTERVAL_MS": "500",
    "SAFEREEL_AUDIT_INTERVAL_MS": "500",
    "SAFEREEL_SETTLE_MS": "200",
    "SAFEREEL_HEARTBEAT_INTERVAL_MS": "1000",
}
T = TypeVar("T")
_KEY = re.compile(r"v1/../(?P<id>[^/]+)/(?P<seq>\d{8})-(?P<segment>\d{4})-(?P<size>\d+)-(?P<sha256>[0-9a-f]{64})")


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def until(what: str, look: Callable[[], T], *, timeout: float = DEADLINE_S) -> T:
    """The first truthy answer of `look`; raises `TimeoutError` with `what` was waited for and the last one."""
    end = time.monotonic() + timeout
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout:.0f} s, last seen {found!r}")
        time.sleep(POLL_S)
    return found


class Program:
    """The `safereel` command as a child process; what it says goes to a file. `fresh`: by an interpreter of its own."""

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str], log: Path, fresh: bool = False) -> None:
        self._log = log
        with log.open("ab") as output:
            # A session of its own: Ctrl-C of the test run is not meant for it.
            self._process = warm.start(
                arguments, env={**_clean_environment(), **env}, out=output, err=output, session=True, fresh=fresh
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """Everything on its standard output and error so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = DEADLINE_S) -> int:
        """Its exit status; raises `TimeoutError` with its words if it goes on."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"safereel goes on after {timeout:.0f} s. It said:\n{self.said()}") from None

    def kill(self) -> None:
        """SIGKILL of this process alone."""
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def stop(self) -> None:
        """Ends it in good order; what does not go is killed, with all below it."""
        if self.runs:
            self.signal(signal.SIGTERM)
        try:
            self.wait()
        except TimeoutError:
            processes.kill_tree(self.pid)
            self._process.wait(DEADLINE_S)
            raise

    def until_healthy(self, url: str) -> None:
        """Waits until its `/health` is 200; raises with its words if it ends before or does not get there."""

        def healthy() -> bool:
            if not self.runs:
                raise AssertionError(f"safereel ended with {self.wait()}. It said:\n{self.said()}")
            return get(f"{url}/health")[0] == 200

        until(f"{url}/health", healthy)


def _clean_environment() -> dict[str, str]:
    """This environment without what would configure the control plane."""
    ours = ("SAFEREEL_", "S3_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def get(
    url: str, token: str | None = None, *, method: str = "GET", body: Mapping[str, object] | None = None
) -> tuple[int, Any]:
    """Status and JSON of an answer; (0, None) where nobody answers."""
    request = urllib.request.Request(url, method=method)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    if token is not None:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)
    except OSError:
        return 0, None


@dataclass(frozen=True, slots=True)
class Stored:
    """A chunk as it lies in the bucket: its place as the key says it, and its bytes."""

    key: str
    seq: int
    segment: int
    size: int
    sha256: str
    data: bytes


class System:
    """Addresses, keys and proxies of a running control plane, and what a test does behind its back."""

    def __init__(
        self,
        start: Callable[[], Program],
        program: Program,
        url: str,
        *,
        folder: Path,
        env: Mapping[str, str],
        api: FaultProxy,
        bucket: FaultProxy,
    ) -> None:
        self.program = program
        self.url = url
        self.folder = folder
        self.env = env
        self.api = api
        self.bucket = bucket
        self.bucket_name = env["S3_BUCKET_NAME"]
        self._start = start
        self._secret = env["SAFEREEL_TOKEN_SECRET"]
        bucket.target = address_of(env["S3_ENDPOINT"])
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=env["S3_ENDPOINT"],
            aws_access_key_id=env["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=env["S3_SECRET_ACCESS_KEY"],
            region_name=env["S3_REGION"],
        )

    def start_again(self) -> None:
        """Starts the control plane anew, on the same port, after it was killed."""
        self.program = self._start()
        self.program.until_healthy(self.url)

    def token(self, owner: str = PAGE_OWNER, *, scopes: Sequence[str] = ("record",)) -> str:
        """A token as the integrator's backend would sign it."""
        return token_issuer(self._secret).issue(owner, list(scopes), utc_now())[0]

    def quota(self, owner: str = PAGE_OWNER) -> dict[str, Any]:
        """What is used, reserved and allowed, in bytes."""
        status, answer = get(f"{self.url}/v1/me", self.token(owner))
        assert status == 200, answer
        quota: dict[str, Any] = answer["quota"]
        return quota

    def limit(self, limit_bytes: int | None, owner: str = PAGE_OWNER) -> None:
        """What an administrator does: gives an owner a limit, or with None that of everybody."""
        admin = self.token("administrator", scopes=["admin"])
        url = f"{self.url}/v1/admin/owners/{owner}/quota"
        status, answer = get(url, admin, method="PUT", body={"limit_bytes": limit_bytes})
        assert status == 200, answer

    def recording(self, recording_id: str, *, owner: str = PAGE_OWNER) -> dict[str, Any]:
        """The recording as the API tells it; empty where it is not known or nobody answers."""
        status, answer = get(f"{self.url}/v1/recordings/{recording_id}", self.token(owner))
        return answer if status == 200 else {}

    def until(
        self,
        recording_id: str,
        fulfils: Callable[[dict[str, Any]], bool],
        *,
        timeout: float = DEADLINE_S,
        owner: str = PAGE_OWNER,
    ) -> dict[str, Any]:
        """The recording once it `fulfils`."""

        def look() -> dict[str, Any] | None:
            told = self.recording(recording_id, owner=owner)
            return told if told and fulfils(told) else None

        try:
            found = until(f"recording {recording_id}", look, timeout=timeout)
        except TimeoutError as exc:
            raise TimeoutError(f"{exc}; it is {self.recording(recording_id, owner=owner)}") from None
        assert found is not None
        return found

    def keys(self, recording_id: str) -> list[str]:
        """The keys of a recording's chunks, in order of `seq`."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix="v1/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return sorted(key for key in keys if f"/{recording_id}/" in key)

    def stored(self, recording_id: str) -> list[Stored]:
        """A recording's chunks as they lie in the bucket, in order of `seq`."""
        return [self._read(key) for key in self.keys(recording_id)]

    def segments(self, recording_id: str) -> list[bytes]:
        """The bytes of each segment, joined from the bucket in order of `seq`."""
        found: dict[int, bytes] = {}
        for chunk in self.stored(recording_id):
            found[chunk.segment] = found.get(chunk.segment, b"") + chunk.data
        return [found[segment] for segment in sorted(found)]

    def versions(self, key: str) -> int:
        """How many versions of an object there are; deletions do not count."""
        answer = self.s3.list_object_versions(Bucket=self.bucket_name, Prefix=key)
        return len(answer.get("Versions", ()))

    def traces(self, recording_id: str) -> list[str]:
        """Keys of all versions and delete markers in the bucket that name a recording."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket_name)
        found = [
            entry["Key"] for page in pages for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, ())
        ]
        return [key for key in found if recording_id in key]

    def delete(self, key: str) -> None:
        """The bucket has lost it, older versions and all."""
        found = self.s3.list_object_versions(Bucket=self.bucket_name, Prefix=key)
        for version in [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]:
            self.s3.delete_object(Bucket=self.bucket_name, Key=key, VersionId=version["VersionId"])

    def overwrite(self, key: str, data: bytes) -> None:
        """Puts other bytes where a chunk was, of which no version is left."""
        self.delete(key)
        self.s3.put_object(Bucket=self.bucket_name, Key=key, Body=data)

    def heal(self) -> None:
        """Ends all faults: for the next test."""
        for proxy in (self.api, self.bucket):
            proxy.clear()
            proxy.release_held()
            proxy.restore()

    def close(self) -> None:
        """Stops the control plane."""
        self.s3.close()
        self.program.stop()

    def _read(self, key: str) -> Stored:
        found = _KEY.fullmatch(key)
        assert found is not None, f"{key} is not the key of a chunk"
        data: bytes = self.s3.get_object(Bucket=self.bucket_name, Key=key)["Body"].read()
        return Stored(key, int(found["seq"]), int(found["segment"]), int(found["size"]), found["sha256"], data)


def require_page() -> None:
    """Raises `MissingPart` where the page was not built."""
    if not (DIST / "index.html").is_file():
        raise parts.MissingPart("The page is not built: run make build.")


@contextmanager
def up(folder: Path, *, origins: Sequence[str] = (), **changed: str) -> Iterator[System]:
    """`safereel up` with quick intervals; `origins` are those of pages that embed the recorder."""
    require_page()
    port, data_dir = free_port(), folder / "data"

    def start(env: Mapping[str, str]) -> Program:
        return Program(["up", "--port", str(port), "--data-dir", str(data_dir)], env=env, log=folder / "safereel.log")

    with _running(folder, start, port, lambda: environment_of(data_dir), origins=origins, changed=changed) as system:
        yield system


@contextmanager
def served(folder: Path, stack: EmbeddedStack, *, origins: Sequence[str] = (), **changed: str) -> Iterator[System]:
    """`safereel serve` on a running database server and bucket server, with a database and a bucket of its own.

    It can be killed alone. Without `POST /v1/session`, pages need a token from `System.token`.
    """
    require_page()
    port = free_port()
    with _empty_database(stack) as database, fresh_bucket(stack) as bucket:
        s3 = stack.s3
        parts_env = {
            "DATABASE_URL": database,
            "S3_ENDPOINT": s3.endpoint,
            "S3_ACCESS_KEY_ID": s3.access_key,
            "S3_SECRET_ACCESS_KEY": s3.secret_key,
            "S3_BUCKET_NAME": bucket,
            "S3_REGION": s3.region,
            "SAFEREEL_TOKEN_SECRET": stack.token_secret,
            "SAFEREEL_PORT": str(port),
            "SAFEREEL_WORKER_INSIDE": "true",
        }

        def start(env: Mapping[str, str]) -> Program:
            whole = {**parts_env, **env}
            run("provision", env=whole)
            return Program(["serve"], env=whole, log=folder / "serve.log")

        with _running(folder, start, port, lambda: parts_env, origins=origins, changed=changed) as system:
            yield system


@contextmanager
def _running(
    folder: Path,
    start: Callable[[Mapping[str, str]], Program],
    port: int,
    environment: Callable[[], Mapping[str, str]],
    *,
    origins: Sequence[str],
    changed: Mapping[str, str],
) -> Iterator[System]:
    """Proxies before a control plane that signs for the one and is seen through the other; stopped at the end."""
    url = f"http://127.0.0.1:{port}"
    with FaultProxy(("127.0.0.1", port)) as api, FaultProxy() as bucket:
        pages = ",".join([api.url, *origins])
        env = {**QUICK, "S3_PUBLIC_ENDPOINT": bucket.url, "SAFEREEL_PAGE_ORIGINS": pages, **changed}
        program = start(env)
        try:
            program.until_healthy(url)
            whole = {**env, **environment()}
            system = System(lambda: start(env), program, url, folder=folder, env=whole, api=api, bucket=bucket)
        except BaseException:
            program.stop()
            raise
        try:
            yield system
        finally:
            system.close()


@contextmanager
def _empty_database(stack: EmbeddedStack) -> Iterator[str]:
    name = f"live_{secrets.token_hex(6)}"
    with admin_connection(stack) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield database_url(stack, name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def environment_of(data_dir: Path) -> dict[str, str]:
    """What `safereel env` prints of a running stack."""
    printed = run("env", "--data-dir", str(data_dir))
    return dict(word.split("=", 1) for word in shlex.split(printed))


def run(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What a `safereel` command that ends by itself prints; raises with its words if it fails."""
    done = warm.run(arguments, env={**_clean_environment(), **(env or {})}, timeout=DEADLINE_S)
    assert done.returncode == 0, f"safereel {arguments[0]} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def address_of(url: str) -> tuple[str, int]:
    """Host and port of an address without a path."""
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)
