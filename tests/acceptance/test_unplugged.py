"""A device that goes away ends no recording: what follows is its next segment, and no byte of either is lost or mixed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Launch
from tests.support.films import decode
from tests.support.live import PAGE_OWNER, System, get, until
from tests.support.recorder_pages import ConsolePage, EmbeddedPage
from tests.support.witness import Witness

GAP_MS = 1_500


def slices_of(page: EmbeddedPage, recording_id: str, segment: int) -> int:
    """How many slices of a segment were flushed."""
    told = page.witness.entries("flushed")
    return sum(entry["recordingId"] == recording_id and entry["segment"] == segment for entry in told)


def until_slices(page: EmbeddedPage, recording_id: str, segment: int, count: int = 4) -> None:
    until(f"{count} slices of segment {segment}", lambda: slices_of(page, recording_id, segment) >= count)


def finish(page: EmbeddedPage, recording_id: str) -> None:
    """Stops, and waits until all of it is in the bucket."""
    page.stop()
    page.page.evaluate("recording.completed()", timeout=60)
    assert page.system.recording(recording_id)["state"] == "complete"


def times(system: System, recording_id: str) -> list[dict[str, Any]]:
    """Number, segment and times of each chunk, as every device of the owner sees them."""
    _, answer = get(f"{system.url}/v1/recordings/{recording_id}/chunks", system.token(PAGE_OWNER))
    chunks: list[dict[str, Any]] = answer["chunks"]
    return chunks


def pass_time(page: EmbeddedPage) -> None:
    """Returns when so much time has passed in the page that it cannot be taken for anything else."""
    page.page.evaluate("globalThis.since = performance.now()")
    page.page.wait_for(f"performance.now() - since > {GAP_MS}")


@pytest.mark.both_engines
@pytest.mark.parametrize("kind", ["video", pytest.param("audio", marks=pytest.mark.thorough)])
def test_when_one_device_goes_the_other_goes_on_to_disk_at_once(
    embed: Callable[..., EmbeddedPage], kind: Any, tmp_path: Path
) -> None:
    page = embed()
    recording_id = page.record()
    page.page.evaluate(
        "globalThis.ended = [], safereel.subscribe((e) => e.type === 'source_ended' && ended.push(e)), 0"
    )
    until_slices(page, recording_id, 0)
    page.devices.unplug(kind)
    # Left to itself, MediaRecorder would keep what comes of the other device in memory: nothing would be flushed.
    until_slices(page, recording_id, 1)
    other = "video" if kind == "audio" else "audio"
    assert page.page.evaluate("ended") == [
        {"type": "source_ended", "recordingId": recording_id, "kind": kind, "left": [other]}
    ]
    assert page.view(recording_id)["state"] == "recording"
    page.devices.plug_in(kind)
    assert page.page.evaluate("goOn()") == "goes on"
    until_slices(page, recording_id, 2)
    finish(page, recording_id)

    stored = page.system.segments(recording_id)
    assert stored == page.witness.runs()
    assert len(stored) == 3
    for segment, film in enumerate(stored):
        # Two kinds in each, or no player plays one after the other. Without a device that plays sound Firefox makes no silence.
        both = segment != 1 or kind == "video" or page.page.evaluate("navigator.userAgent.includes('Chrome')")
        assert set(decode(film, tmp_path)) == ({"video", "audio"} if both else {other})
    starts = [chunk["start_ms"] for chunk in times(page.system, recording_id)]
    assert starts == sorted(starts)
    assert page.witness.problems() == []


def test_when_everything_is_gone_it_waits_and_goes_on_after_a_gap(embed: Callable[..., EmbeddedPage]) -> None:
    page = embed()
    recording_id = page.record()
    until_slices(page, recording_id, 0)
    page.devices.unplug("audio", "video")
    page.wait_view(recording_id, "view.state === 'waiting'")
    # All that came before is safe while it waits.
    page.wait_view(recording_id, "chunks.every(({ state }) => ['confirmed', 'released'].includes(state))")
    pass_time(page)
    page.devices.plug_in("audio", "video")
    assert page.page.evaluate("goOn()") == "goes on"
    page.wait_view(recording_id, "view.state === 'recording'")
    until_slices(page, recording_id, 1)
    finish(page, recording_id)

    assert page.system.segments(recording_id) == page.witness.runs()
    chunks = times(page.system, recording_id)
    first = [chunk for chunk in chunks if chunk["segment"] == 0]
    second = [chunk for chunk in chunks if chunk["segment"] == 1]
    assert len(first) + len(second) == len(chunks)
    assert second[0]["start_ms"] - first[-1]["start_ms"] - first[-1]["duration_ms"] >= GAP_MS - 100
    assert page.witness.problems() == []


@pytest.mark.both_engines
def test_a_picture_without_sound_is_recorded_and_ends(embed: Callable[..., EmbeddedPage], tmp_path: Path) -> None:
    page = embed()
    page.page.evaluate(
        """navigator.mediaDevices.getUserMedia({ video: true })
             .then(async (stream) => { globalThis.recording = await safereel.record(stream) })"""
    )
    recording_id = page.page.evaluate("recording.id")
    until_slices(page, recording_id, 0)
    finish(page, recording_id)
    (film,) = page.system.segments(recording_id)
    assert [film] == page.witness.runs()
    assert set(decode(film, tmp_path)) == {"video"}


def test_a_device_that_does_not_fit_is_refused_and_what_runs_goes_on(embed: Callable[..., EmbeddedPage]) -> None:
    page = embed()
    page.page.evaluate(
        """navigator.mediaDevices.getUserMedia({ audio: true })
             .then(async (stream) => { globalThis.recording = await safereel.record(stream) })"""
    )
    recording_id = page.page.evaluate("recording.id")
    until_slices(page, recording_id, 0)
    assert page.page.evaluate("goOn({ video: true })") == "continue_unsupported"
    before = slices_of(page, recording_id, 0)
    until("it goes on", lambda: slices_of(page, recording_id, 0) > before + 2)
    finish(page, recording_id)
    assert page.system.segments(recording_id) == page.witness.runs()
    assert page.page.evaluate("goOn()") == "recording_ended"


@pytest.mark.thorough
def test_paused_while_it_goes_on_with_another_device_it_stays_paused(embed: Callable[..., EmbeddedPage]) -> None:
    page = embed()
    recording_id = page.record()
    until_slices(page, recording_id, 0)
    page.page.evaluate("recording.pause()")
    page.wait_view(recording_id, "view.state === 'paused'")
    assert page.page.evaluate("goOn()") == "goes on"
    paused_at = page.view(recording_id)["durationMs"]
    pass_time(page)
    assert page.view(recording_id)["state"] == "paused"
    page.page.evaluate("recording.resume()")
    until_slices(page, recording_id, 1)
    finish(page, recording_id)
    assert page.system.segments(recording_id) == page.witness.runs()
    (begins, *_) = [chunk["start_ms"] for chunk in times(page.system, recording_id) if chunk["segment"] == 1]
    assert begins - paused_at < GAP_MS, "a pause is no gap"


def test_killed_in_a_later_segment_each_keeps_its_own_bytes(
    launch: Launch, profile: Path, system: System, site: str, witness: Witness
) -> None:
    with launch(profile) as browser:
        page = EmbeddedPage.open(browser, site, system, witness, options={"chunkMs": 60_000})
        recording_id = page.record()
        until_slices(page, recording_id, 0)
        page.devices.unplug("audio", "video")
        page.devices.plug_in("audio", "video")
        assert page.page.evaluate("goOn()") == "goes on"
        until_slices(page, recording_id, 1)
        flushed = page.witness.flushed(recording_id)
        browser.kill()
    with launch(profile) as browser:
        again = EmbeddedPage.open(browser, site, system, witness)
        again.wait_view(recording_id, "view.state === 'complete'")
        first, second = system.segments(recording_id)
        runs = witness.runs()
        assert first == runs[0]
        assert runs[1].startswith(second)
        assert len(second) >= flushed[1]


NOTICE = "document.querySelector('[data-testid=device-loss]')"


def test_the_page_says_what_is_gone_and_goes_on_by_itself_when_it_is_back(console: ConsolePage) -> None:
    recording_id = console.start("microphone")
    until("some slices", lambda: len(console.witness.slices()) > 3)
    console.devices.unplug("audio")
    console.until_state("waiting")
    console.page.wait_for(f"{NOTICE}?.dataset.left === ''")
    console.page.wait_for_text("[data-testid=device-loss]", "Microphone unplugged: nothing is being recorded")
    console.page.wait_for_text("[data-testid=device-loss]", "Everything until now is safe")
    assert console.page.evaluate(f"{NOTICE}.getAttribute('role')") == "alert"
    assert console.page.axe() == []
    console.devices.plug_in("audio")
    console.page.wait_for(f"{NOTICE}?.dataset.left === 'back'")
    assert console.until_state("recording") == recording_id
    until("slices of the second run", lambda: len({piece.run for piece in console.witness.slices()}) == 2)
    console.page.click("[data-testid=device-loss] button")
    console.page.wait_for(f"{NOTICE} === null")
    console.stop()
    console.until_state("complete")
    assert console.system.segments(recording_id) == console.witness.runs()
    assert console.page.seen().errors == ()


@pytest.mark.thorough
def test_without_its_camera_the_page_records_the_sound_and_can_be_stopped(console: ConsolePage) -> None:
    recording_id = console.start()
    until("some slices", lambda: len(console.witness.slices()) > 3)
    console.devices.unplug("video")
    console.page.wait_for_text("[data-testid=device-loss]", "Camera unplugged: only the sound is being recorded")
    until("slices of the second run", lambda: len({piece.run for piece in console.witness.slices()}) >= 2)
    assert console.until_state("recording") == recording_id
    console.devices.unplug("audio")
    console.until_state("waiting")
    console.stop()
    console.until_state("complete")
    assert console.system.segments(recording_id) == [run for run in console.witness.runs() if run]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("NotAllowedError", "The browser did not allow it"),
        ("NotFoundError", "No device was found"),
        ("NotReadableError", "The device could not be opened"),
    ],
)
def test_a_device_that_cannot_be_had_is_told_and_nothing_begins(console: ConsolePage, error: str, said: str) -> None:
    console.devices.refuse(error)
    console.page.click("[data-testid=start]")
    console.page.wait_for_text("main", said)
    console.page.wait_for_text("main", "Nothing is being recorded.")
    console.devices.refuse(None)
    console.start()
