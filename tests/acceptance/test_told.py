"""What goes wrong while recording is told on the page: what is safe, what is not, what to do; and nothing is lost by it."""

import json

from tests.support.accessible import assert_accessible
from tests.support.live import until
from tests.support.proxy import Respond
from tests.support.recorder_pages import SLOW_S, ConsolePage

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
