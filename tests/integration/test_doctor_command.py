"""`safereel doctor` as a command: what it prints, its status, and that it leaves nothing behind."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.bucket.inspecting import BucketInspector
from control_plane.bucket.presign import Addressing
from control_plane.config import Settings
from control_plane.doctor.examining import examine
from control_plane.doctor.findings import Check, Finding, Standing
from control_plane.doctor.probing import remains
from control_plane.doctor.probing.visit import DOCTOR_PREFIX
from control_plane.wiring import credentials
from tests.support import warm
from tests.support.commands import DEADLINE_S
from tests.support.plane import environment
from tests.support.proxy import FaultProxy, Hold, Respond
from tests.support.visits import PAGE, changed, kept, visit

pytestmark = pytest.mark.anyio


@dataclass
class StopAt:
    """A watcher that cancels the visit when a check begins, as Ctrl-C does."""

    check: Check
    findings: list[Finding] = field(default_factory=list)

    def begins(self, checks: Sequence[Check]) -> None:
        if self.check in checks:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)


@pytest.mark.parametrize(
    "check", [Check.KEEPING_VERSIONS, pytest.param(Check.DOCTOR_REMAINS, marks=pytest.mark.thorough)]
)
async def test_an_interrupted_visit_leaves_nothing(settings: Settings, s3: Any, check: Check) -> None:
    """In the middle of its work, and while it tidies up."""
    watcher = StopAt(check)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(examine(settings, [PAGE], watcher))

    assert any(found.check is Check.GRANTS_RACE for found in watcher.findings)  # it had written much by then
    assert kept(s3, settings.s3_bucket_name) == []


async def test_versions_that_it_may_not_list_are_not_called_removed(
    settings: Settings, bucket_proxy: FaultProxy
) -> None:
    denied = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    bucket_proxy.add("GET", r"[?&]versions", Respond(403, {"content-type": "application/xml"}, denied), times=None)

    found = await visit(changed(settings, s3_endpoint=bucket_proxy.url))

    assert found[Check.DOCTOR_REMAINS].standing is Standing.WARNING
    assert "could not be listed" in found[Check.DOCTOR_REMAINS].seen
    assert found[Check.KEEPING_VERSIONS].standing is Standing.WRONG


async def test_remains_of_a_killed_visit_go_after_an_hour(settings: Settings, s3: Any) -> None:
    bucket = settings.s3_bucket_name
    inspector = BucketInspector.open(
        endpoint=settings.s3_endpoint,
        bucket=bucket,
        region=settings.s3_region,
        credentials=credentials(settings),
        addressing=Addressing(settings.s3_addressing),
    )
    killed = f"{DOCTOR_PREFIX}killed/put"
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key=killed, Body=body)
    s3.put_object(Bucket=bucket, Key="meta/recordings/00/x/recording.json", Body=b"{}")

    young = await remains.clear(inspector, f"{DOCTOR_PREFIX}own/", datetime.now(UTC) + timedelta(minutes=50))
    assert kept(s3, bucket, DOCTOR_PREFIX) == [killed, killed]  # another doctor may be at work
    old = await remains.clear(inspector, f"{DOCTOR_PREFIX}own/", datetime.now(UTC) + timedelta(minutes=70))
    inspector.close()

    assert (young.old, old.old) == (0, 2)
    assert kept(s3, bucket) == ["meta/recordings/00/x/recording.json"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "control_plane", "doctor", *arguments]


def test_the_command_tells_a_machine(settings: Settings) -> None:
    ran = warm.run(["doctor", "--json", "--origin", PAGE], env=environment(settings), timeout=DEADLINE_S)
    shape = json.loads(ran.stdout)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert shape["well"] is True
    assert {found["check"] for found in shape["findings"]} == set(Check)
    assert sum(shape["counts"].values()) == len(shape["findings"])
    assert settings.s3_secret_access_key.get_secret_value() not in ran.stdout


def test_the_command_tells_a_person_and_fails_if_something_is_wrong(settings: Settings) -> None:
    ran = warm.run(
        ["doctor", "--origin", "http://unlisted.example.com"],
        env=environment(settings, SAFEREEL_PAGE_ORIGINS=PAGE),
        timeout=DEADLINE_S,
    )
    lines = defaultdict(list)
    for printed in ran.stdout.splitlines():
        lines[printed[:1]].append(printed)

    assert ran.returncode == 1
    assert all("http://unlisted.example.com" in printed for printed in lines["✗"])
    assert len(lines["✗"]) == 3
    assert "\x1b" not in ran.stdout


def test_who_reads_may_stop_reading(settings: Settings, s3: Any) -> None:
    """As `safereel doctor | head -1` does."""
    with subprocess.Popen(
        command("--origin", PAGE), env=environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert (process.wait(), errors) == (141, "")
    assert kept(s3, settings.s3_bucket_name) == []


def test_an_origin_with_a_path_is_called_wrongly(settings: Settings) -> None:
    ran = warm.run(["doctor", "--origin", "http://localhost/page"], env=environment(settings), timeout=DEADLINE_S)

    assert ran.returncode == 2
    assert "--origin" in ran.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.thorough)]
)
def test_signals_are_obeyed_and_nothing_stays(
    settings: Settings, s3: Any, bucket_proxy: FaultProxy, number: signal.Signals, status: int
) -> None:
    """Stopped while it waits for the store, in the middle of what it writes."""
    bucket_proxy.add("PUT", r"/race", Hold())
    with subprocess.Popen(
        command("--origin", PAGE),
        env=environment(settings, S3_ENDPOINT=bucket_proxy.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        bucket_proxy.wait_for(lambda log: any("/race" in exchange.path for exchange in log), timeout=60)
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        out, errors = process.communicate()

    assert (process.returncode, errors) == (status, "")
    assert "doctor.remains" in out
    assert kept(s3, settings.s3_bucket_name) == []
