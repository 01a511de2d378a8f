"""The owner's share of the bucket is used up: recording goes on, it is said, and everything arrives once there is room."""

from collections.abc import Iterator

import pytest

from tests.support.live import System, until
from tests.support.recorder_pages import SLOW_S, ConsolePage

# Room for a chunk or two more: what is under way while the limit is set may still take it.
SOME_ROOM = 400_000


@pytest.fixture
def limits(system: System) -> Iterator[System]:
    """Leaves the page's owner without a limit for the tests that follow."""
    yield system
    system.limit(None)


def test_over_quota_recording_goes_on_and_arrives_once_there_is_room(console: ConsolePage, limits: System) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    limits.limit(limits.quota()["used_bytes"] + SOME_ROOM)
    console.page.wait_for(
        "Number(document.querySelector('[data-testid=over-quota]')?.dataset.waiting) >= 2", timeout=SLOW_S
    )

    console.page.wait_for_text("[data-testid=over-quota]", "Your share of the bucket is used up")

    held = limits.quota()
    assert held["used_bytes"] + held["reserved_bytes"] <= held["limit_bytes"]
    slices = len(console.witness.slices())
    until("recording goes on", lambda: len(console.witness.slices()) > slices + 4)
    assert console.until_state("recording") == recording_id
    console.page.wait_for("document.querySelector('[data-testid=quota]')?.dataset.level === 'over'")
    assert console.page.axe() == []

    limits.limit(None)
    console.page.wait_for("document.querySelector('[data-testid=over-quota]') === null", timeout=SLOW_S)
    console.stop()
    console.until_state("complete")
    console.wait_only_here("=== 0")
    assert limits.segments(recording_id) == console.witness.runs()
    assert console.witness.problems() == []


@pytest.mark.thorough
def test_over_quota_outlives_the_tab(console: ConsolePage, limits: System) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    limits.limit(1)
    console.page.wait_for("document.querySelector('[data-testid=over-quota]') !== null", timeout=SLOW_S)
    console.wait_only_here(">= 2")
    console.stop()
    console.until_state("sending")
    console.page.reload()
    console.page.wait_for("document.documentElement.dataset.ready === 'true'")
    console.page.wait_for(
        "Number(document.querySelector('[data-testid=over-quota]')?.dataset.waiting) >= 1", timeout=SLOW_S
    )
    limits.limit(None)
    limits.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
    until("nothing left in OPFS", lambda: console.chunk_files() == [], timeout=SLOW_S)
    assert limits.segments(recording_id) == console.witness.runs()
