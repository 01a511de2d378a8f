"""Recordings are played from the bucket in the shipped page: complete ones, and those that still grow."""

from tests.support.browser import Browser, Page
from tests.support.live import System, until
from tests.support.recorder_pages import ConsolePage
from tests.support.witness import Witness

VIDEO = "document.querySelector('[data-testid=player]')"


def watch(browser: Browser, system: System, recording_id: str) -> Page:
    """A tab on the page of that recording, playing."""
    page = browser.new_page(f"{system.api.url}/recordings/{recording_id}")
    page.wait_for(f"{VIDEO} && {VIDEO}.readyState >= 3")
    page.evaluate(f"{VIDEO}.muted = true, {VIDEO}.play()")
    return page


def number(page: Page, member: str) -> float:
    """A number of the `<video>` element."""
    return float(page.evaluate(f"Number({VIDEO}.{member})"))


def buffered(page: Page) -> float:
    """Up to which second the player holds the film."""
    return float(page.evaluate(f"{VIDEO}.buffered.length ? {VIDEO}.buffered.end({VIDEO}.buffered.length - 1) : 0"))


def test_plays_while_it_grows_and_to_its_end_once_complete(
    console: ConsolePage, browser: Browser, system: System
) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["confirmed", "released"])
    watching = watch(browser, system, recording_id)
    watching.wait_for(f"{VIDEO}.currentTime > 1")
    at_first = buffered(watching)
    watching.wait_for(f"{VIDEO}.buffered.end({VIDEO}.buffered.length - 1) > {at_first} + 2")
    # A hidden tab still records; it is the one in front that is watched.
    console.page.bring_to_front()
    console.stop()
    console.until_state("complete")
    watching.close()

    times = [piece.at for piece in console.witness.slices()]
    seconds = (max(times) - min(times)) / 1000
    page = watch(browser, system, recording_id)
    page.wait_for(f"{VIDEO}.currentTime > 1")
    page.wait_for(f"Number.isFinite({VIDEO}.duration)")
    assert abs(number(page, "duration") - seconds) < 2
    page.evaluate(f"{VIDEO}.currentTime = {VIDEO}.duration - 1")
    page.wait_for(f"{VIDEO}.ended")
    assert (number(page, "videoWidth"), number(page, "videoHeight")) > (100, 100)
    assert page.seen().errors == ()


def test_the_library_lists_it_and_leads_to_it(console: ConsolePage) -> None:
    console.page.type("[data-testid=title-input]", "Room 4")
    recording_id = console.start("microphone")
    until("some sound", lambda: len(console.witness.slices()) > 2)
    console.stop()
    console.until_state("complete")
    console.page.goto(f"{console.system.api.url}/recordings")
    row = f"[data-testid=recordings-row][data-id='{recording_id}']"
    console.page.wait_for_text(row, "Room 4")
    console.page.wait_for_text(row, "00:00:0")
    console.page.click(row)
    console.page.wait_for(f"location.pathname === '/recordings/{recording_id}'")
    console.page.wait_for(f"{VIDEO}?.readyState >= 2")


def test_a_recording_of_nobody_is_said_to_be_unknown(browser: Browser, system: System, witness: Witness) -> None:
    console = ConsolePage.open(browser, system, witness)
    console.page.goto(f"{system.api.url}/recordings/01920000-0000-7000-8000-000000000000")
    console.page.wait_for("document.querySelector('h1')?.innerText.includes('no such recording')")
