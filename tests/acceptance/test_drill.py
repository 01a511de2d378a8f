"""`safereel drill` against a live deployment, as an operator runs it."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.embedded import EmbeddedStack
from tests.support.live import Program, System, served, until

NEVER_MS = "86400000"
# Two audits, a re-send and a confirmation: seconds, on a machine that does nothing else.
DRILL_S = 120.0


@pytest.fixture
def deployment(stack: EmbeddedStack, tmp_path: Path) -> Iterator[System]:
    """One that runs its own sweeps."""
    with served(tmp_path, stack) as system:
        yield system


def left_by_drills(system: System) -> list[str]:
    """Its recordings that were not deleted."""
    pages = system.s3.get_paginator("list_object_versions").paginate(Bucket=system.bucket_name, Prefix="v1/")
    return [entry["Key"] for page in pages for entry in page.get("Versions", ())]


def drill(system: System, folder: Path, *arguments: str) -> Program:
    return Program(["drill", *arguments], env=system.env, log=folder / "drill.log")


def test_a_live_deployment_repairs_everything(deployment: System, tmp_path: Path) -> None:
    running = drill(deployment, tmp_path, "--json")
    assert running.wait(DRILL_S) == 0, running.said()
    report = json.loads(running.said())
    assert report["recovered"] is True, report
    ways = {case["case"]: case["way"] for case in report["cases"]}
    assert ways == {
        "purged": "resent by ticket",
        "corrupted": "resent by ticket",
        "overwritten": "healed",
        "truncated": "resent by ticket",
        "hidden": "healed",
        "unacked": "adopted",
    }
    assert all(case["safe_ms"] >= case["repaired_ms"] > 0 for case in report["cases"])
    assert left_by_drills(deployment) == []


def test_a_drill_that_is_interrupted_cleans_up(deployment: System, tmp_path: Path) -> None:
    running = drill(deployment, tmp_path)
    until("its first chunk", lambda: left_by_drills(deployment))
    running.signal(signal.SIGINT)
    assert running.wait() == 130
    # A PUT that was under way may arrive after its recording was deleted: the purge looks again a minute later.
    until("nothing left", lambda: not left_by_drills(deployment), timeout=DRILL_S)


@pytest.mark.thorough
def test_without_sweeps_it_fails_clearly_within_its_deadline(stack: EmbeddedStack, tmp_path: Path) -> None:
    never = {"SAFEREEL_CONFIRM_INTERVAL_MS": NEVER_MS, "SAFEREEL_AUDIT_INTERVAL_MS": NEVER_MS}
    with served(tmp_path, stack, **never) as system:
        failing = drill(system, tmp_path, "--deadline", "2")
        assert failing.wait() == 1
        assert (
            "FAILED. What was sent was not confirmed within 2 s: the deployment's sweeps do not run" in failing.said()
        )
        assert left_by_drills(system) == []

        sweeping = drill(system, tmp_path, "--sweep")
        assert sweeping.wait(DRILL_S) == 0, sweeping.said()
        assert "Everything was recovered." in sweeping.said()
