"""The shipped page for those who use keys and screen readers: no accessibility rule is broken in any main state."""

import pytest

from tests.support.browser import Page, Scheme
from tests.support.live import until
from tests.support.recorder_pages import ConsolePage

SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def assert_accessible(page: Page, state: str) -> None:
    for scheme in SCHEMES:
        for width, height in ((1280, 800), (390, 844)):
            page.viewport(width, height, scheme=scheme, reduced_motion=True)
            found = {violation.id: violation.nodes for violation in page.axe()}
            assert found == {}, f"{state}, {scheme}, {width} wide"


def test_no_rule_is_broken_from_start_to_library(console: ConsolePage) -> None:
    assert_accessible(console.page, "before a recording")
    recording_id = console.start()
    console.wait_cells(1, ["confirmed", "released"])
    assert_accessible(console.page, "recording")
    console.stop()
    console.until_state("complete")
    console.wait_only_here("=== 0")
    assert_accessible(console.page, "complete")
    console.page.goto(f"{console.system.api.url}/recordings")
    console.page.wait_for(
        f"document.querySelector('[data-testid=recordings-row][data-id=\"{recording_id}\"]') !== null"
    )
    assert_accessible(console.page, "library")
    console.page.click(f"[data-testid=recordings-row][data-id='{recording_id}']")
    console.page.wait_for("document.querySelector('[data-testid=player]')?.readyState >= 2")
    assert_accessible(console.page, "one recording")


def test_no_rule_is_broken_while_the_line_is_down(console: ConsolePage) -> None:
    console.system.api.cut()
    console.system.bucket.cut()
    console.start()
    console.page.wait_for("document.querySelector('[data-testid=offline-banner]') !== null")
    console.wait_only_here(">= 1")
    assert_accessible(console.page, "offline")
    console.stop()


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_r_records_and_s_stops(console: ConsolePage, upper: bool) -> None:
    console.page.press("R" if upper else "r")
    recording_id = console.until_state("recording")
    until("some slices", lambda: len(console.witness.slices()) > 2)
    console.page.press("S" if upper else "s")
    console.until_state("complete")
    assert console.system.segments(recording_id) == console.witness.runs()


def test_letters_typed_into_a_field_are_letters(console: ConsolePage) -> None:
    console.page.type("[data-testid=title-input]", "rsr")
    assert console.page.evaluate("document.querySelector('[data-testid=title-input]').value") == "rsr"
    assert console.page.evaluate("document.querySelector('main').dataset.recordingState") == "idle"
