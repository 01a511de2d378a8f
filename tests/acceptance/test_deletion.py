"""A recording that its owner deletes is gone: from the list, from the bucket in every version, and from every device."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import Launch
from tests.support.live import PAGE_OWNER, System, get, until
from tests.support.recorder_pages import SLOW_S, ConsolePage, EmbeddedPage
from tests.support.witness import Witness

# What the page gives people to take a deletion back, and a little more.
UNDO_OVER_MS = 9_000


def row(recording_id: str) -> str:
    """The library's row of a recording."""
    return f"[data-testid=recordings-row][data-id='{recording_id}']"


def open_library(console: ConsolePage, recording_id: str) -> None:
    console.page.click("nav a[href='/recordings']")
    console.page.wait_for(f"document.querySelector({json.dumps(row(recording_id))}) !== null", timeout=SLOW_S)


def ask_to_delete(console: ConsolePage, recording_id: str) -> None:
    """Presses the bin of a recording that is in view; the dialog is open after that."""
    console.page.click(f"[data-testid=delete][data-id='{recording_id}']")
    console.page.wait_for("document.querySelector('[role=alertdialog]') !== null")


def confirm(console: ConsolePage) -> None:
    console.page.click("[data-testid=dialog-act]")
    console.page.wait_for("document.querySelector('[role=alertdialog]') === null")


def focused(console: ConsolePage) -> str:
    """Which hook the focus is on, and of which recording."""
    told: str = console.page.evaluate(
        "`${document.activeElement?.dataset.testid} ${document.activeElement?.dataset.id ?? ''}`"
    )
    return told.strip()


def deletions(system: System, recording_id: str) -> int:
    """How often the server was asked to delete it."""
    return sum(x.method == "DELETE" and recording_id in x.path for x in system.api.log())


def assert_gone(system: System, recording_id: str, *, owner: str = PAGE_OWNER) -> None:
    """Nothing of it is left in the bucket, no version and no marker, and nothing can be added to it."""
    until("no version in the bucket", lambda: system.traces(recording_id) == [], timeout=SLOW_S)
    assert system.recording(recording_id, owner=owner).get("state", "deleted") in ("deleting", "deleted")
    chunk = {"seq": 0, "segment": 0, "size": 1, "sha256": "0" * 64}
    url = f"{system.url}/v1/recordings/{recording_id}/grants"
    status, problem = get(url, system.token(owner), method="POST", body={"chunks": [chunk]})
    assert (status, problem["code"]) == (410, "recording_deleted")


def files_of(page: ConsolePage | EmbeddedPage, recording_id: str) -> list[tuple[str, int]]:
    return [(path, size) for path, size in page.files() if recording_id in path]


def test_a_recording_deleted_by_keyboard_is_gone_everywhere(console: ConsolePage) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["confirmed", "released"])
    console.system.bucket.cut()
    console.wait_only_here(">= 2")
    console.stop()
    console.until_state("sending")
    used = console.system.quota()["used_bytes"]
    assert files_of(console, recording_id)
    assert console.system.traces(recording_id)

    open_library(console, recording_id)
    console.page.viewport(1280, 800, reduced_motion=True)
    ask_to_delete(console, recording_id)
    assert focused(console) == "dialog-cancel"
    assert console.page.axe() == []
    console.page.press("Escape")
    console.page.wait_for("document.querySelector('[role=alertdialog]') === null")
    assert focused(console) == f"delete {recording_id}"
    console.page.press("Enter")
    console.page.wait_for("document.querySelector('[role=alertdialog]') !== null")
    console.page.press("Tab")
    assert focused(console) == "dialog-act"
    console.page.press("Enter")
    console.page.wait_for(f"document.querySelector(\"[data-testid=toast][data-id='{recording_id}']\") !== null")
    assert focused(console) == f"undo {recording_id}"
    assert console.page.axe() == []

    console.page.wait_for(f"document.querySelector({json.dumps(row(recording_id))}) === null", timeout=SLOW_S)
    until("nothing of it in OPFS", lambda: files_of(console, recording_id) == [])
    assert_gone(console.system, recording_id)
    assert console.system.quota()["used_bytes"] < used
    assert deletions(console.system, recording_id) == 1
    assert set(console.witness.problems()) <= {"bucket_unreachable"}  # This test cut its line.
    # The page's policy says aloud what it forbids.
    assert [said.text for said in console.page.seen().console if "Content Security Policy" in said.text] == []


def test_a_recording_is_deleted_while_it_is_made(console: ConsolePage) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    ask_to_delete(console, recording_id)
    console.page.press("s")  # Stops a recording, but not behind a question.
    assert console.until_state("recording") == recording_id
    confirm(console)
    console.page.wait_for("document.querySelector('main').dataset.recordingState === 'idle'", timeout=SLOW_S)
    until("nothing of it in OPFS", lambda: files_of(console, recording_id) == [])
    assert_gone(console.system, recording_id)

    again = console.start()
    assert again != recording_id
    console.wait_cells(1, ["acked", "confirmed", "released"])
    console.stop()
    console.until_state("complete")
    assert console.system.segments(again) == console.witness.runs()[-1:]


@pytest.mark.thorough
def test_a_deletion_that_is_taken_back_deletes_nothing(console: ConsolePage) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    console.stop()
    console.until_state("complete")
    console.wait_only_here("=== 0")
    open_library(console, recording_id)
    ask_to_delete(console, recording_id)
    confirm(console)
    console.page.click(f"[data-testid=toast][data-id='{recording_id}'] [data-testid=toast-undo]")
    console.page.evaluate("void (globalThis.undoneAt = performance.now())")
    console.page.wait_for(f"performance.now() > undoneAt + {UNDO_OVER_MS}", timeout=SLOW_S)
    assert deletions(console.system, recording_id) == 0
    assert console.system.recording(recording_id)["state"] == "complete"
    assert console.system.segments(recording_id) == console.witness.runs()


@pytest.mark.thorough
def test_leaving_the_page_ends_the_time_to_take_it_back(console: ConsolePage) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    console.stop()
    console.until_state("complete")
    open_library(console, recording_id)
    ask_to_delete(console, recording_id)
    confirm(console)
    console.page.goto("about:blank")
    until("the server was asked", lambda: deletions(console.system, recording_id) >= 1)
    assert_gone(console.system, recording_id)

    console.page.goto(f"{console.system.api.url}/recordings")
    console.page.wait_for("document.documentElement.dataset.ready === 'true'")
    until("nothing of it in OPFS", lambda: files_of(console, recording_id) == [], timeout=SLOW_S)
    console.page.wait_for(f"document.querySelector({json.dumps(row(recording_id))}) === null", timeout=SLOW_S)


def test_a_recording_deleted_elsewhere_stops_here_and_says_so(console: ConsolePage) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    console.page.evaluate("void (globalThis.filmed = document.querySelector('video').srcObject)")
    assert console.page.evaluate("filmed.getTracks().map((t) => t.readyState)") == ["live", "live"]
    status, _ = get(f"{console.system.url}/v1/recordings/{recording_id}", console.system.token(), method="DELETE")
    assert status in (200, 202)
    notice = f"document.querySelector(\"[data-testid=deleted-notice][data-id='{recording_id}'][role=alert]\")"
    console.page.wait_for(f"{notice} !== null", timeout=SLOW_S)
    said: str = console.page.evaluate(f"{notice}.textContent")
    assert re.match(r"This recording was deleted elsewhere\. Recording stopped at 00:00:(?!00)\d\d\.", said), said
    assert console.page.evaluate("filmed.getTracks().map((t) => t.readyState)") == ["ended", "ended"]
    assert console.page.evaluate("document.querySelector('[data-testid=stop], video')") is None
    assert console.page.evaluate("document.querySelector('main').dataset.recordingState") == "idle"
    assert console.page.axe() == []
    until("nothing of it in OPFS", lambda: files_of(console, recording_id) == [])
    assert_gone(console.system, recording_id)


@pytest.mark.thorough
def test_a_page_open_on_a_recording_notices_that_it_was_deleted(console: ConsolePage) -> None:
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    console.stop()
    console.until_state("complete")
    console.wait_only_here("=== 0")
    console.page.goto(f"{console.system.api.url}/recordings/{recording_id}")
    console.page.wait_for("document.querySelector('[data-testid=player]')?.readyState >= 2", timeout=SLOW_S)
    status, _ = get(f"{console.system.url}/v1/recordings/{recording_id}", console.system.token(), method="DELETE")
    assert status in (200, 202)
    console.page.wait_for(
        "/^This recording was deleted \\(today \\d\\d:\\d\\d\\)$/.test(document.querySelector('h1').textContent)",
        timeout=SLOW_S,
    )
    assert console.page.evaluate("document.querySelector('[data-testid=player], [data-testid=tape], main dl')") is None
    assert "Try again" not in console.page.evaluate("document.querySelector('main').textContent")
    assert console.page.axe() == []
    console.page.click("main a.inline-flex[href='/recordings']")
    console.page.wait_for("document.querySelector('[data-testid=being-deleted]') !== null", timeout=SLOW_S)
    assert console.page.evaluate(f"document.querySelector({json.dumps(row(recording_id))})") is None


def test_an_embedding_page_deletes_what_it_records(embed: Callable[..., EmbeddedPage]) -> None:
    page = embed()
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.some((c) => c.state === 'acked' || c.state === 'confirmed')")
    page.page.evaluate("void (globalThis.told = [], safereel.subscribe((e) => e.type === 'deleted' && told.push(e)))")
    page.page.evaluate(f"safereel.delete({json.dumps(recording_id)})")
    (told,) = page.page.evaluate("told")
    assert (told["recordingId"], told["wasRecording"], told["requested"]) == (recording_id, True, True)
    assert page.page.evaluate("safereel.snapshot().recordings.length") == 0
    assert files_of(page, recording_id) == []
    assert page.page.evaluate("recording.completed().then(() => '', (error) => error.code)") == "recording_deleted"
    assert_gone(page.system, recording_id)


@pytest.mark.thorough
def test_a_device_that_was_off_drops_it_when_it_returns(
    launch: Launch, profile: Path, system: System, site: str, witness: Witness
) -> None:
    with launch(profile) as killed:
        page = EmbeddedPage.open(killed, site, system, witness)
        recording_id = page.record()
        page.wait_view(recording_id, "chunks.some((c) => c.state === 'acked' || c.state === 'confirmed')")
        system.bucket.cut()
        page.wait_view(recording_id, "chunks.filter((c) => c.state === 'on_disk').length >= 2")
        killed.kill()
    system.heal()
    status, _ = get(f"{system.url}/v1/recordings/{recording_id}", system.token(), method="DELETE")
    assert status in (200, 202)
    assert_gone(system, recording_id)

    before = len(system.bucket.log())
    with launch(profile) as second:
        page = EmbeddedPage.open(second, site, system, witness)
        until("nothing of it in OPFS", lambda: files_of(page, recording_id) == [], timeout=SLOW_S)
        assert page.page.evaluate("safereel.snapshot().recordings.length") == 0
    assert [x for x in system.bucket.log()[before:] if recording_id in x.path] == []
    assert system.traces(recording_id) == []
