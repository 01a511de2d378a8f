"""The driver that all browser tests rest on, against a real Chromium."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.browser import Browser, BrowserError, Page
from tests.support.site import serve_pages

PAGE = """<!doctype html><html lang="en"><head><title>start</title>
<link rel="icon" href="data:,"></head><body><main><h1>A page</h1>
<label>Name <input id="name"></label>
<button onclick="document.title = document.getElementById('name').value">Take</button>
<p id="scheme"></p></main></body></html>"""

BROKEN = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body><img src="/absent.png">
<script>console.warn("careful"); fetch("/absent"); setTimeout(() => { throw new Error("boom") })</script>
</body></html>"""

# Appends a line to a file in OPFS from a worker with a sync handle and flushes it; answers the file's text.
APPEND = """(async () => {
  const source = `onmessage = async ({data}) => {
    const root = await navigator.storage.getDirectory();
    const file = await root.getFileHandle('kept', {create: true});
    const handle = await file.createSyncAccessHandle();
    handle.write(new TextEncoder().encode(data), {at: handle.getSize()});
    handle.flush();
    handle.close();
    postMessage(await (await file.getFile()).text());
  }`;
  const worker = new Worker(URL.createObjectURL(new Blob([source])));
  return await new Promise((resolve) => {
    worker.onmessage = ({data}) => resolve(data);
    worker.postMessage('line;');
  });
})()"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """An origin with a good page and a broken one."""
    with serve_pages({"/": PAGE, "/broken": BROKEN}) as origin:
        yield origin


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests that leave it whole."""
    with Browser.launch(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A tab on the good page."""
    page = browser.new_page(f"{site}/")
    yield page
    page.close()


def test_types_and_clicks(page: Page) -> None:
    page.type("#name", "Ada")
    page.click("button")
    assert page.wait_for("document.title !== 'start' && document.title") == "Ada"
    page.wait_for_text("h1", "A page")


def test_presses_keys(page: Page) -> None:
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "name"


def test_evaluates_promises_and_structures(page: Page) -> None:
    assert page.evaluate("Promise.resolve({a: [1, null, 'x']})") == {"a": [1, None, "x"]}
    assert page.evaluate("undefined") is None


def test_an_exception_in_the_page_is_told(page: Page) -> None:
    with pytest.raises(BrowserError, match="no such thing"):
        page.evaluate("(() => { throw new Error('no such thing') })()")


def test_wait_for_ends_with_what_it_saw_last(page: Page) -> None:
    with pytest.raises(BrowserError, match="last seen 0"):
        page.wait_for("0", timeout=0.2)


def test_wait_for_outlives_a_navigation(page: Page, site: str) -> None:
    page.evaluate(f"void setTimeout(() => location.assign('{site}/broken'), 50)")
    assert page.wait_for("location.pathname === '/broken'")


def test_a_click_on_what_is_not_there_runs_out_of_time(page: Page) -> None:
    with pytest.raises(BrowserError, match="click"):
        page.click("#absent", timeout=0.3)


def test_script_before_the_page(page: Page) -> None:
    page.evaluate_on_new_document("globalThis.before = document.readyState")
    page.reload()
    assert page.evaluate("before") == "loading"


def test_collects_console_errors_and_failed_requests(browser: Browser, site: str) -> None:
    page = browser.new_page(f"{site}/broken", timeout=10)
    page.wait_for("performance.getEntriesByType('resource').length >= 2")
    seen = page.seen()
    assert [m.text for m in seen.console if m.level == "warn"] == ["careful"]
    assert [e.message for e in seen.errors] == ["boom"]
    assert {(r.url.removeprefix(site), r.status) for r in seen.failed_requests} == {
        ("/absent", 404),
        ("/absent.png", 404),
    }
    page.clear_seen()
    assert page.seen().errors == ()
    page.close()


def test_a_refused_connection_is_a_failed_request(page: Page) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    assert page.evaluate(f"fetch('{nobody}').catch((e) => e.name)") == "TypeError"
    (failed,) = page.seen().failed_requests
    assert (failed.status, failed.url, failed.reason) == (None, nobody, "net::ERR_CONNECTION_REFUSED")


def test_size_scheme_and_screenshot(page: Page, tmp_path: Path) -> None:
    page.viewport(390, 844, scheme="dark")
    assert page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [390, True]
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_axe_finds_what_is_wrong_and_nothing_else(browser: Browser, page: Page, site: str) -> None:
    assert page.axe() == []
    broken = browser.new_page(f"{site}/broken")
    assert {"image-alt", "html-has-lang", "document-title"} <= {v.id for v in broken.axe()}
    broken.close()


def test_files_are_given_to_an_input(page: Page, tmp_path: Path) -> None:
    (tmp_path / "film.webm").write_bytes(b"film")
    page.evaluate("void document.body.insertAdjacentHTML('beforeend', '<input type=file id=files>')")
    page.choose_files("#files", tmp_path / "film.webm")
    assert page.evaluate("document.getElementById('files').files[0].text()") == "film"


def test_fake_camera_records(page: Page) -> None:
    expression = """(async () => {
      const stream = await navigator.mediaDevices.getUserMedia({video: true, audio: true});
      const recorder = new MediaRecorder(stream);
      const blob = new Promise((resolve) => { recorder.ondataavailable = (e) => resolve(e.data.size) });
      recorder.start(200);
      return await blob;
    })()"""
    assert page.evaluate(expression) > 0


def test_a_crashed_tab_leaves_the_browser_whole(browser: Browser, site: str) -> None:
    page = browser.new_page(f"{site}/")
    page.crash()
    assert any("crash" in e.message for e in page.seen().errors)
    browser.new_page(f"{site}/").wait_for_text("h1", "A page")


def test_what_was_flushed_outlives_a_kill(tmp_path: Path, site: str) -> None:
    with Browser.launch(tmp_path / "profile") as first:
        assert first.new_page(f"{site}/").evaluate(APPEND) == "line;"
        below = processes.descendants(first.pid)
        first.kill()
    assert below
    assert not [pid for pid in (first.pid, *below) if processes.is_running(pid)]
    with Browser.launch(tmp_path / "profile") as second:
        assert second.new_page(f"{site}/").evaluate(APPEND) == "line;line;"


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    browser = Browser.launch(tmp_path / "profile")
    everything = [browser.pid, *processes.descendants(browser.pid)]
    browser.close()
    browser.close()
    assert not [pid for pid in everything if processes.is_running(pid)]


def test_a_dead_driver_is_reported(tmp_path: Path) -> None:
    with Browser.launch(tmp_path / "profile") as browser:
        page = browser.new_page()
        os.kill(browser.driver_pid, signal.SIGKILL)
        with pytest.raises(BrowserError, match="driver has ended"):
            page.evaluate("1")


def test_a_browser_that_cannot_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="launch"):
        Browser.launch(tmp_path / "profile", executable=Path("/bin/false"))
