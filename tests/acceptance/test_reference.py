"""`/docs`: the reference of the API, whole, and from nobody's server but our own."""

import pytest

from control_plane.api.calls import CALLS
from tests.support.browser import Browser, Scheme
from tests.support.live import System

SCHEMES: tuple[Scheme, ...] = ("dark", "light", "dark")
FOREIGN = "performance.getEntriesByType('resource').map(({name}) => name).filter((name) => !name.startsWith(origin))"


def test_reference_shows_every_call_and_asks_nobody_else(browser: Browser, system: System) -> None:
    page = browser.new_page()
    assert page.goto(f"{system.api.url}/docs") == 200
    for call in CALLS:
        page.wait_for_text("body", call.summary)
    seen = page.seen()
    # The reference asks whether it may compile code, and does without: Firefox tells that as an error, Chromium does not.
    errors = [error for error in seen.errors if "blocked a JavaScript eval" not in error.message]
    assert (errors, seen.failed_requests) == ([], ())
    assert page.evaluate(FOREIGN) == []


@pytest.mark.thorough
def test_reference_follows_the_systems_colours_while_it_is_open(browser: Browser, system: System) -> None:
    page = browser.new_page()
    page.viewport(1280, 800, scheme="dark")
    page.goto(f"{system.api.url}/docs")
    for scheme in SCHEMES:
        page.viewport(1280, 800, scheme=scheme)
        page.wait_for(f"document.body.classList.contains('{scheme}-mode')")
    page.reload()
    page.wait_for(f"document.body.classList.contains('{SCHEMES[-1]}-mode')")


def test_the_page_leads_to_it_without_ending_a_recording(browser: Browser, system: System) -> None:
    page = browser.new_page()
    page.goto(f"{system.api.url}/")
    page.wait_for("document.querySelector('header a[href=\"/docs\"][target=_blank]') !== null")


def test_reference_says_where_else_to_look_when_it_cannot_be_loaded(browser: Browser, system: System) -> None:
    page = browser.new_page()
    page.evaluate_on_new_document(
        "Object.defineProperty(HTMLScriptElement.prototype, 'src',"
        " { set() { this.setAttribute('src', '/assets/gone.js'); } })"
    )
    page.goto(f"{system.api.url}/docs")
    page.wait_for_text("[role=alert]", "The OpenAPI document")
