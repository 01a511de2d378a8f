"""A file comes out of the page again: asked for, followed, given up, asked for anew, and saved by the browser."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.embedded import EmbeddedStack
from tests.support.accessible import assert_accessible
from tests.support.browser import Browser, Page
from tests.support.live import System, address_of, served, until
from tests.support.proxy import FaultProxy, Hold
from tests.support.recorder_pages import SLOW_S, ConsolePage
from tests.support.witness import Witness

# What a worker reads has no signature in its address; what pages read has.
CHUNK_READS = r"/v1/[^?]+$"


@pytest.fixture
def store(stack: EmbeddedStack) -> Iterator[FaultProxy]:
    """Between the control plane and its bucket."""
    with FaultProxy(address_of(stack.s3.endpoint)) as proxy:
        yield proxy


@pytest.fixture
def system(tmp_path: Path, stack: EmbeddedStack, store: FaultProxy) -> Iterator[System]:
    """A control plane with a worker whose reading can be held up."""
    with served(tmp_path, stack, S3_ENDPOINT=store.url) as system:
        yield system


def downloads(page: Page) -> list[tuple[str, str]]:
    """Ids and states on the page of downloads, newest first."""
    rows = (
        "[...document.querySelectorAll('[data-testid=download-row]')].map((row) => [row.dataset.id, row.dataset.state])"
    )
    return [(shown, state) for shown, state in page.evaluate(rows)]


def wait_newest(page: Page, state: str) -> str:
    """The id of the newest download once it is shown in this state."""
    newest = "document.querySelector('[data-testid=download-row]')"
    shown: str = page.wait_for(f"{newest}?.dataset.state === '{state}' && {newest}.dataset.id", timeout=SLOW_S)
    return shown


def go(page: Page, address: str) -> None:
    """Follows a link of the navigation, without loading the page anew."""
    page.click(f"nav a[href='{address}']")


def probed(file: Path) -> dict[str, Any]:
    """What ffprobe says of it."""
    asked = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(file)]
    told: dict[str, Any] = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    return told


def saved(folder: Path) -> Path:
    """The one file that the browser saved, once it is whole."""
    files = until(
        "a saved file", lambda: [x for x in folder.iterdir() if x.suffix in {".webm", ".mp4"}], timeout=SLOW_S
    )
    until("all of it", lambda: not list(folder.glob("*.crdownload")), timeout=SLOW_S)
    return files[0]


def test_a_recording_is_asked_for_cancelled_made_again_and_saved(
    browser: Browser, system: System, store: FaultProxy, witness: Witness, tmp_path: Path
) -> None:
    console = ConsolePage.open(browser, system, witness, token=system.token())
    page, folder = console.page, tmp_path / "saved"
    page.save_into(folder)
    recording_id = console.start()
    console.wait_cells(3, ["acked", "confirmed", "released"])
    console.stop()
    system.until(recording_id, lambda told: bool(told["complete"]))
    store.add("GET", CHUNK_READS, Hold(), times=None)

    page.goto(f"{system.api.url}/recordings/{recording_id}")
    page.click("[data-testid=download]", timeout=SLOW_S)
    page.wait_for("document.querySelector('[data-testid=download]')?.dataset.state === 'running'", timeout=SLOW_S)
    assert page.wait_for("document.querySelector('[data-testid=downloads-badge]')?.dataset.count") == "1"
    page.reload()
    page.wait_for("document.querySelector('[data-testid=download]')?.dataset.state === 'running'", timeout=SLOW_S)

    go(page, "/downloads")
    first = wait_newest(page, "running")
    page.wait_for("document.querySelector('[data-testid=downloads-line]')?.dataset.line === 'live'", timeout=SLOW_S)
    page.click("[data-testid=download-cancel]")
    page.click("[data-testid=dialog-act]")
    wait_newest(page, "cancelled")
    assert page.evaluate("document.querySelector('[data-testid=downloads-badge]')") is None
    store.clear()
    store.release_held()

    page.click("[data-testid=download-again]")
    go(page, "/recordings")
    toast = page.wait_for("document.querySelector('[data-testid=download-toast]')?.dataset.id", timeout=SLOW_S)
    go(page, "/downloads")
    assert downloads(page) == [(toast, "ready"), (first, "cancelled")]
    page.click("[data-testid=download-save]")
    told = probed(saved(folder))
    assert {stream["codec_type"] for stream in told["streams"]} == {"audio", "video"}
    assert float(told["format"]["duration"]) > 1
    assert_accessible(page, "downloads")
    assert page.evaluate("location.pathname") == "/downloads"
    assert page.evaluate("document.documentElement.dataset.ready") == "true"
