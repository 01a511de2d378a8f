"""Recordings are played from the bucket in the shipped page: complete ones, those that still grow, and those of several parts."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import Browser, Page
from tests.support.live import PAGE_OWNER, System, get, until
from tests.support.recorder_pages import ConsolePage, EmbeddedPage
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


@pytest.mark.both_engines
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
    # In one piece: no browser dropped what another, or it itself, has recorded.
    page.wait_for(f"{VIDEO}.buffered.length === 1 && {VIDEO}.buffered.end(0) > {VIDEO}.duration - 0.5")
    assert abs(number(page, "duration") - seconds) < 2
    page.evaluate(f"{VIDEO}.currentTime = {VIDEO}.duration - 1")
    page.wait_for(f"{VIDEO}.ended")
    assert (number(page, "videoWidth"), number(page, "videoHeight")) > (100, 100)
    assert page.seen().errors == ()


# Where playing was, and what was seen there, at each step: what a person in front of it would say.
LOG = f"""
globalThis.watched = [];
setInterval(() => {{
  const video = {VIDEO};
  if (video && !video.paused) watched.push([video.currentTime, video.videoWidth]);
  globalThis.said ??= [];
  const words = document.querySelector('[data-testid=player-state]')?.innerText;
  if (words && said.at(-1) !== words) said.push(words);
}}, 50);
"""
TIMELINE = "[data-testid=timeline]"


def record_three_parts(embed: Callable[..., EmbeddedPage]) -> str:
    """A recording whose camera was away for a while, came back with a larger picture, and was then left without a microphone."""
    page = embed()
    recording_id = page.record()

    def until_slices(segment: int, count: int) -> None:
        def flushed() -> bool:
            told = page.witness.entries("flushed")
            return len([entry for entry in told if entry["segment"] == segment]) >= count

        until(f"{count} slices of part {segment}", flushed)

    until_slices(0, 8)
    page.devices.unplug("audio", "video")
    page.wait_view(recording_id, "view.state === 'waiting'")
    page.page.evaluate("globalThis.since = performance.now()")
    page.page.wait_for("performance.now() - since > 2000")
    page.devices.plug_in("audio", "video")
    assert page.page.evaluate("goOn({ video: { width: 640, height: 480 }, audio: true })") == "goes on"
    until_slices(1, 8)
    assert page.page.evaluate("goOn({ video: { width: 320, height: 240 } })") == "goes on"
    until_slices(2, 8)
    page.stop()
    page.page.evaluate("recording.completed()", timeout=60)
    page.page.close()
    return recording_id


def parts_of(system: System, recording_id: str) -> list[tuple[float, float]]:
    """From when to when each part was recorded, in seconds, as the API tells it."""
    _, answer = get(f"{system.url}/v1/recordings/{recording_id}/chunks", system.token(PAGE_OWNER))
    parts: dict[int, list[dict[str, Any]]] = {}
    for chunk in answer["chunks"]:
        parts.setdefault(chunk["segment"], []).append(chunk)
    return [
        (part[0]["start_ms"] / 1000, (part[-1]["start_ms"] + part[-1]["duration_ms"]) / 1000) for part in parts.values()
    ]


def until_in(page: Page, begin: float, end: float) -> None:
    """Returns once the picture of that part is shown."""
    place = f"{VIDEO}.currentTime"
    page.wait_for(f"!{VIDEO}.seeking && {VIDEO}.readyState >= 2 && {begin} - 0.1 <= {place} && {place} < {end}")


def test_parts_of_other_devices_play_through_and_the_gap_between_them_is_told(
    embed: Callable[..., EmbeddedPage], browser: Browser, system: System
) -> None:
    recording_id = record_three_parts(embed)
    first, second, third = parts_of(system, recording_id)
    assert second[0] - first[1] > 1.9

    page = browser.new_page()
    page.evaluate_on_new_document(LOG)
    page.goto(f"{system.api.url}/recordings/{recording_id}")
    page.wait_for(f"{VIDEO}?.readyState >= 2")
    page.evaluate(f"{VIDEO}.muted = true, {VIDEO}.play()")
    page.wait_for(f"{VIDEO}.ended")
    watched: list[tuple[float, int]] = [(at, width) for at, width in page.evaluate("watched")]
    # All three parts were seen, in order, the second with its own larger picture, and nothing of the gap.
    places = [at for at, _ in watched]
    assert places == sorted(places)
    for begin, end in (first, second, third):
        assert sum(begin < at < end for at in places) > 5
    assert not [at for at in places if first[1] + 0.3 < at < second[0] - 0.3]
    assert {width for at, width in watched if first[0] + 0.5 < at < first[1]} == {320}
    assert {width for at, width in watched if second[0] + 0.8 < at < second[1] - 0.5} == {640}
    gap = [words for words in page.evaluate("said") if words.startswith("A gap of ")]
    assert len(gap) == 1
    assert "no device was there" in gap[0]
    assert abs(number(page, "duration") - third[1]) < 1
    assert page.axe() == []

    # Into each part and over the gap in both directions, by keyboard, then by pointer.
    page.evaluate(f"document.querySelector('{TIMELINE}').focus()")
    for key, begin, end in (
        ("Home", *first),
        ("PageDown", *second),
        ("PageDown", *third),
        ("PageUp", *second),
        ("PageUp", *first),
    ):
        page.press(key)
        until_in(page, begin, end)
    page.press("PageDown")
    page.press("PageDown")
    until_in(page, *third)
    # Going back before the element tells of it, while its other events are still under way.
    page.evaluate(f"{VIDEO}.currentTime = {second[0]}, {VIDEO}.dispatchEvent(new Event('timeupdate')), 0")
    until_in(page, *second)
    page.click(TIMELINE)
    middle = third[1] / 2
    page.wait_for(f"{VIDEO}.readyState >= 2 && !{VIDEO}.seeking && Math.abs({VIDEO}.currentTime - {middle}) < 2.5")
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
