"""The shipped page for those who use keys and screen readers: no accessibility rule is broken in any main state."""

import pytest

from tests.support.accessible import assert_accessible
from tests.support.browser import Browser, Page
from tests.support.live import System, until
from tests.support.recorder_pages import ConsolePage


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
    assert_that_recordings_means_all_of_them(console.page)
    console.page.click(f"[data-testid=recordings-row][data-id='{recording_id}']")
    console.page.wait_for("document.querySelector('[data-testid=player]')?.readyState >= 2")
    assert_accessible(console.page, "one recording")


def assert_that_recordings_means_all_of_them(page: Page) -> None:
    """Of the list, from a search in its address."""
    page.goto(page.evaluate("location.href + '?find=nothing-like-it'"))
    page.click("nav a[href='/recordings']")
    page.wait_for("location.search === '' && document.querySelector('[data-testid=recordings-row]') !== null")
    page.evaluate("history.back()")
    page.wait_for("location.search === '?find=nothing-like-it'")
    page.wait_for("document.querySelector('[data-testid=recordings-row]') === null")
    page.click("nav a[href='/recordings']")


@pytest.mark.thorough
def test_no_rule_is_broken_while_the_line_is_down(console: ConsolePage) -> None:
    console.system.api.cut()
    console.system.bucket.cut()
    console.start()
    console.page.wait_for("document.querySelector('[data-testid=offline-banner]') !== null")
    console.wait_only_here(">= 1")
    assert_accessible(console.page, "offline")
    console.stop()
    console.page.click("a[href='/recordings']")
    console.page.wait_for("document.querySelector('[data-testid=unlisted]') !== null")
    assert_accessible(console.page, "library, offline")
    assert console.page.evaluate("document.querySelectorAll('main [role=alert]').length") == 0, (
        "told once, by the line's notice"
    )
    console.system.api.restore()
    console.system.bucket.restore()
    console.page.wait_for("document.querySelector('[data-testid=unlisted]') === null")


def test_an_address_without_a_page_leads_back_to_the_recorder(browser: Browser, system: System) -> None:
    page = browser.new_page()
    assert page.goto(f"{system.api.url}/foo") == 404
    assert_accessible(page, "lost")
    page.viewport(360, 640, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 22)"
    assert [entry.status for entry in page.seen().failed_requests] == [404], "nothing else is asked for"
    page.click("a")
    page.wait_for("location.pathname === '/' && document.querySelector('#root')?.childElementCount > 0")


def test_r_records_and_s_stops_but_not_while_a_title_is_typed(console: ConsolePage) -> None:
    console.page.type("[data-testid=title-input]", "rsRS")
    assert console.page.evaluate("document.querySelector('[data-testid=title-input]').value") == "rsRS"
    assert console.page.evaluate("document.querySelector('main').dataset.recordingState") == "idle"
    console.page.evaluate("document.activeElement.blur()")

    console.page.press("r")
    recording_id = console.until_state("recording")
    until("some slices", lambda: len(console.witness.slices()) > 2)
    console.page.press("s")
    told = console.system.until(console.until_state("complete"), lambda told: bool(told["complete"]))
    assert (told["id"], told["title"]) == (recording_id, "rsRS")
    assert console.system.segments(recording_id) == console.witness.runs()
