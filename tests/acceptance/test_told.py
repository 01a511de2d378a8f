"""What goes wrong while recording is told on the page: what is safe, what is not, what to do; and nothing is lost by it."""

import base64
import json

from tests.support.accessible import assert_accessible
from tests.support.browser import Browser, Page
from tests.support.live import DIST, System, until
from tests.support.proxy import Respond
from tests.support.recorder_pages import SLOW_S, ConsolePage
from tests.support.witness import Witness
from tests.support.worker_script import DISK, put_before_worker

PROBLEM = {"content-type": "application/problem+json"}
EXPIRED = Respond(401, PROBLEM, json.dumps({"code": "token_expired", "detail": "The token has expired."}).encode())
NO_SESSION = Respond(404, PROBLEM, json.dumps({"code": "not_found", "detail": "No such page."}).encode())
CALLS = "/v1/(recordings|heartbeat|me)"


def until_recorded(console: ConsolePage, more: int = 4) -> None:
    """So many slices from now on: it goes on."""
    before = len(console.witness.slices())
    until("recording goes on", lambda: len(console.witness.slices()) >= before + more)


def finish(console: ConsolePage, recording_id: str) -> None:
    """Stops; returns once every byte that MediaRecorder gave is in the bucket."""
    console.stop()
    console.until_state("complete")
    assert console.system.segments(recording_id) == console.witness.runs()


def test_a_token_that_expires_is_asked_for_anew_and_without_one_everything_is_kept(console: ConsolePage) -> None:
    def sessions() -> int:
        return sum(x.path == "/v1/session" and x.status == 200 for x in api.log())

    api = console.system.api
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    before = sessions()
    api.add("(GET|PUT|POST)", CALLS, EXPIRED, times=2)
    until("another token was asked for", lambda: sessions() > before)
    assert console.page.evaluate("document.querySelector('[data-testid=sign-in]')") is None

    api.add("(GET|PUT|POST)", CALLS, EXPIRED, times=None)
    api.add("POST", "/v1/session", NO_SESSION, times=None)
    console.page.wait_for_text("[data-testid=sign-in]", "Signed out", timeout=SLOW_S)
    console.page.wait_for_text("[data-testid=sign-in]", "What is on this device stays here meanwhile.")
    console.wait_only_here(">= 2")
    until_recorded(console)
    assert_accessible(console.page, "without a token")

    api.clear()
    console.page.evaluate("dispatchEvent(new Event('online'))")  # tried at once, not with its next turn
    console.page.wait_for("document.querySelector('[data-testid=sign-in]') === null", timeout=SLOW_S)
    finish(console, recording_id)


def test_a_bucket_whose_cors_rules_leave_the_page_out_is_told_for_what_it_is(console: ConsolePage) -> None:
    console.system.bucket.add("OPTIONS", "/v1/", Respond(403), times=None)
    recording_id = console.start()
    console.page.wait_for_text("[data-testid=offline-banner]", "The bucket does not let this page in")
    puts = [x for x in console.system.bucket.log() if x.method == "OPTIONS" and recording_id in x.path]
    assert len(puts) <= 3, "it took no long outage to find out"
    origin = console.page.evaluate("location.origin")
    console.page.wait_for_text("[data-testid=offline-banner]", f"CORS rules have to name {origin}")
    console.page.wait_for_text("[data-testid=offline-banner]", "kept here and sent by")
    until_recorded(console)
    console.system.heal()
    console.page.evaluate("dispatchEvent(new Event('online'))")
    finish(console, recording_id)


FILL = """new Promise((resolve) => {
  globalThis.disk ??= new BroadcastChannel('disk');
  disk.onmessage = ({ data }) => resolve(data.isFull);
  disk.postMessage({ full: %s });
})"""
KEEP_SAVED = """(() => {
  const { createObjectURL } = URL;
  URL.createObjectURL = (file) => createObjectURL((globalThis.saved = file));
})()"""
READ_SAVED = """new Promise((resolve) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.split(';base64,')[1]);
  reader.readAsDataURL(saved);
})"""


def fill(page: Page, full: bool) -> None:
    """Fills the disk that `disk.js` put before the worker's, or empties it."""
    assert page.evaluate(FILL % json.dumps(full)) is full


def test_a_full_device_is_told_and_what_it_holds_and_what_waits_can_be_saved(
    browser: Browser, system: System, witness: Witness
) -> None:
    put_before_worker(system.api, DIST / "assets", DISK)
    system.bucket.cut()
    console = ConsolePage.open(browser, system, witness)
    recording_id = console.start()
    until_recorded(console)
    fill(console.page, True)
    console.page.wait_for_text("[data-testid=room]", "This device is full")
    console.page.wait_for_text("[data-testid=room]", "What was written until now is safe.")
    console.page.wait_for_text("[data-testid=room]", "would be lost if this page closed: keep it open")
    until_recorded(console)
    assert_accessible(console.page, "full")

    console.page.evaluate(KEEP_SAVED)
    console.page.click("[data-testid=save-to-file]")
    console.page.wait_for_text("[data-testid=room]", "1 file handed to the browser's downloads")
    saved = base64.b64decode(console.page.evaluate(READ_SAVED))
    (given,) = witness.runs()
    assert given.startswith(saved)
    assert len(saved) > witness.flushed(recording_id)[0], "with what waits in memory"

    fill(console.page, False)
    system.heal()
    full = "document.querySelector('[data-testid=room]')?.innerText.includes('is full')"
    console.page.wait_for(f"!{full}", timeout=SLOW_S)
    finish(console, recording_id)
    assert witness.problems().count("storage_low") == 1
    # Nobody is told any more that there is little room, without another recording.
    console.page.wait_for("document.querySelector('[data-testid=room]') === null", timeout=SLOW_S)
