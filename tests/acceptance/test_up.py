"""`safereel up` and `safereel serve` as programs: they stop what they started, and say what is wrong."""

import asyncio
import os
import shlex
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from control_plane.embedded import EmbeddedStack, read_running_stack
from control_plane.wiring import token_issuer, utc_now
from tests.support.live import Program, System, environment_of, free_port, get, run, until
from tests.support.processes import is_running
from tests.support.recorder import Recorder

ENDED_S = 20.0


class Up:
    """A `safereel up` of a test's own."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.port = free_port()
        self.data_dir = folder / "data"
        self.program = Program(
            ["up", "--port", str(self.port), "--data-dir", str(self.data_dir), *more], env={}, log=folder / "up.log"
        )

    def until_healthy(self) -> None:
        self.program.until_healthy(f"http://127.0.0.1:{self.port}")

    def recorder(self, recording_id: str | None = None) -> Recorder:
        """A scripted recorder of it, to be entered."""
        issuer = token_issuer(read_running_stack(self.data_dir)["token_secret"])
        token, _ = issuer.issue("alice", ["record"], utc_now())
        return Recorder(f"http://127.0.0.1:{self.port}", token, recording_id=recording_id)

    def children(self) -> dict[str, int]:
        """The ids of the parts that it started, by name."""
        told: dict[str, int] = read_running_stack(self.data_dir)["children"]
        return told


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Up]:
    """One that is healthy."""
    up = Up(tmp_path)
    try:
        up.until_healthy()
        yield up
    finally:
        up.program.stop()


async def record(up: Up, *, chunks: int) -> str:
    """The id of a recording that was made there."""
    async with up.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(seq, size=300) for seq in range(chunks)])
        return recorder.recording_id


async def received(up: Up, recording_id: str) -> list[list[int]]:
    """What the ledger says of it."""
    async with up.recorder(recording_id) as recorder:
        return [list(span) for span in (await recorder.status()).received]


def assert_gone(children: dict[str, int]) -> None:
    assert len(children) == 2
    until("children gone", lambda: not any(is_running(pid) for pid in children.values()), timeout=ENDED_S)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
def test_a_signal_stops_everything_in_good_order(started: Up, number: signal.Signals) -> None:
    children = started.children()
    started.program.signal(number)
    assert started.program.wait(ENDED_S) == 0
    assert not any(is_running(pid) for pid in children.values())
    assert "Traceback" not in started.program.said()


def test_a_part_that_dies_stops_everything_and_is_named(started: Up) -> None:
    children = started.children()
    os.kill(children["SeaweedFS"], signal.SIGKILL)
    assert started.program.wait(ENDED_S) == 1
    assert_gone(children)
    said = started.program.said()
    assert "safereel: SeaweedFS was ended by signal 9" in said
    assert "logs" in said
    assert "Traceback" not in said


def test_killed_itself_it_leaves_nobody_behind_and_starts_again(started: Up) -> None:
    children = started.children()
    started.program.kill()
    assert_gone(children)
    again = Up(started.data_dir.parent)
    try:
        again.until_healthy()
        assert "Traceback" not in again.program.said()
    finally:
        again.program.stop()


def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = Program(
            ["up", "--port", str(port), "--data-dir", str(tmp_path / "data")], env={}, log=tmp_path / "up.log"
        )
        assert program.wait(ENDED_S) == 1
    assert f"Port {port} is taken" in program.said()
    assert f"--port {port + 1}" in program.said()
    assert not (tmp_path / "data").exists()


def test_a_data_folder_in_use_is_refused_and_its_user_goes_on(system: System, tmp_path: Path) -> None:
    second = Program(
        ["up", "--port", str(free_port()), "--data-dir", str(system.folder / "data")],
        env={},
        log=tmp_path / "second.log",
    )
    assert second.wait(ENDED_S) == 1
    assert f"in use by process {system.program.pid}" in second.said()
    assert get(f"{system.url}/health")[0] == 200


def test_the_port_of_this_very_stack_is_no_other_programs(system: System, tmp_path: Path) -> None:
    port = system.url.rpartition(":")[2]
    again = Program(
        ["up", "--port", port, "--data-dir", str(system.folder / "data")], env={}, log=tmp_path / "again.log"
    )
    assert again.wait(ENDED_S) == 1
    assert f"runs already: http://localhost:{port}" in again.said()


@pytest.mark.parametrize("port", ["0", "-5", "99999", "abc", "8000.5"])
def test_what_is_no_port_is_refused_before_anything_starts(tmp_path: Path, port: str) -> None:
    program = Program(["up", f"--port={port}", "--data-dir", str(tmp_path / "data")], env={}, log=tmp_path / "up.log")
    assert program.wait(ENDED_S) == 2
    assert f"{port} is no port" in program.said()
    assert "Traceback" not in program.said()
    assert not (tmp_path / "data").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("lost", "way_out", "told"),
    [
        ("postgres", "--rebuild", "1 recordings and 3 chunks taken up"),
        ("seaweedfs", "--emptied", "The bucket is marked again"),
    ],
)
def test_half_a_data_folder_says_the_way_out_which_leads_out(
    tmp_path: Path, lost: str, way_out: str, told: str
) -> None:
    """Without its database the bucket gives it back; without its bucket the ledger stays, and asks for what was in it."""
    first = Up(tmp_path)
    try:
        first.until_healthy()
        recording_id = asyncio.run(record(first, chunks=3))
    finally:
        first.program.stop()
    shutil.rmtree(first.data_dir / lost)

    refused = Up(tmp_path)
    try:
        assert refused.program.wait(60) == 1
    finally:
        refused.program.stop()
    assert f"“safereel up {way_out}”" in refused.program.said().rpartition("safereel: ")[2]

    mended = Up(tmp_path, way_out)
    try:
        mended.until_healthy()
        assert told in mended.program.said()
        assert asyncio.run(received(mended, recording_id)) == [[0, 2]]
    finally:
        mended.program.stop()


def test_a_stack_that_is_named_comes_before_the_environment(tmp_path: Path) -> None:
    env = {"DATABASE_URL": "postgresql://elsewhere/other"}
    program = Program(["sweep", "audit", "--data-dir", str(tmp_path)], env=env, log=tmp_path / "sweep.log")
    assert program.wait(ENDED_S) == 1
    assert f"No stack runs on {tmp_path}" in program.said()


@pytest.mark.thorough
def test_commands_work_beside_a_stack_that_is_named(started: Up) -> None:
    """Also what doctor advises: with the bucket's rule for another page missing, its command is followed as it stands there."""
    beside = ("--data-dir", str(started.data_dir))
    assert run("migrate", *beside) == "The schema is already up to date: nothing was applied.\n"
    assert "Nothing is at risk" in run("at-risk", *beside)
    run("sweep", "audit", *beside)
    assert "audit" in run("sweeps", *beside)
    assert "Releases are frozen" in run("freeze", *beside)
    assert "Releases go on" in run("thaw", *beside)
    assert "releases_thawed" in run("events", *beside)

    page = ("--origin", "https://app.example.com")
    doctor = Program(["doctor", *page, *beside], env={}, log=started.data_dir / "doctor.log")
    assert doctor.wait() == 1
    (advice,) = (line for line in doctor.said().splitlines() if line.strip().startswith("$ SAFEREEL_PAGE_ORIGINS="))
    variable, program, *arguments = shlex.split(advice.strip().removeprefix("$ "))
    assert program == "safereel"
    assert tuple(arguments[-2:]) == beside
    run(*arguments, env=dict([variable.split("=", 1)]))
    assert "All that Safereel needs is there" in run("doctor", *page, *beside)


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    program = Program(
        ["up", "--port", str(free_port()), "--data-dir", str(tmp_path / "data")], env={}, log=tmp_path / "up.log"
    )
    assert program.wait(ENDED_S) == 1
    assert "cannot be written" in program.said()
    assert "Traceback" not in program.said()


def test_each_wrong_setting_is_named(tmp_path: Path) -> None:
    wrong = {
        "SAFEREEL_GRANT_TTL_MS": "5000",
        "S3_ADDRESSING": "sideways",
        "DATABASE_URL": "mysql://me:hunter2@there/db",
    }
    program = Program(["serve"], env=wrong, log=tmp_path / "serve.log")
    assert program.wait(ENDED_S) == 2
    said = program.said()
    assert {name for name in (*wrong, "S3_BUCKET_NAME") if name not in said} == set()
    assert "hunter2" not in said
    assert "Traceback" not in said


@pytest.fixture
def own_parts() -> Iterator[EmbeddedStack]:
    """A database server and a bucket server that a test may kill."""
    with (
        tempfile.TemporaryDirectory(prefix="safereel-") as folder,
        start_blocking_portal(backend="asyncio") as portal,
        portal.wrap_async_context_manager(EmbeddedStack.open(Path(folder))) as running,
    ):
        yield running


def test_health_names_the_part_that_was_killed(own_parts: EmbeddedStack, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**environment_of(own_parts.data_dir), "SAFEREEL_PORT": str(port)}
    children = own_parts.public()["children"]
    run("provision", env=env)
    program = Program(["serve"], env=env, log=tmp_path / "serve.log")
    try:
        program.until_healthy(url)
        assert get(f"{url}/health/ready")[0] == 200
        os.kill(children["SeaweedFS"], signal.SIGKILL)
        without_bucket = {"status": "unhealthy", "checks": {"storage": "unreachable", "database": "ok"}}
        until("storage named", lambda: get(f"{url}/health") == (503, without_bucket))
        os.kill(children["PostgreSQL"], signal.SIGKILL)
        without_both = {"status": "unhealthy", "checks": {"storage": "unreachable", "database": "unreachable"}}
        until("database named", lambda: get(f"{url}/health") == (503, without_both))
        assert get(f"{url}/health/ready")[0] == 503
        assert get(f"{url}/health/live")[0] == 200
    finally:
        program.stop()
    assert program.wait() == 0
