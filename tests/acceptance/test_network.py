"""The network goes and comes back, loses answers and is refused: recording goes on, and every byte arrives once."""

import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from control_plane.embedded import EmbeddedStack
from tests.support.browser import Browser, Launch
from tests.support.live import System, served, until
from tests.support.proxy import CutBody, Delay, Drop, Exchange, Fault, FaultProxy, ForwardThenDrop, Hold, Respond, Slow
from tests.support.recorder_pages import ConsolePage, EmbeddedPage
from tests.support.witness import Witness

# Four slices of the page's half second: more between two of them would be a gap in the recording.
LONGEST_GAP_MS = 2_000


@pytest.fixture(scope="module")
def one_browser(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for the tests here that leave nothing on disk."""
    with launch(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(one_browser: Browser, system: System, site: str, witness: Witness) -> Iterator[EmbeddedPage]:
    """A tab with the SDK, closed at the end."""
    page = EmbeddedPage.open(one_browser, site, system, witness)
    yield page
    page.page.close()


def finish(page: EmbeddedPage | ConsolePage, recording_id: str) -> None:
    """Stops; returns once all is complete and released, and asserts that the bucket has every byte."""
    page.stop()
    page.system.until(recording_id, lambda told: bool(told["complete"]))
    until("nothing left in OPFS", lambda: page.chunk_files() == [])
    (given,) = page.witness.runs()
    assert page.system.segments(recording_id) == [given]


def assert_one_version_each(system: System, recording_id: str) -> None:
    assert {system.versions(key) for key in system.keys(recording_id)} == {1}


def struck(proxy: FaultProxy, fault: Fault, since: float) -> list[Exchange]:
    """The requests that met this fault."""
    return [x for x in proxy.log() if x.fault == fault.name and x.at >= since]


def test_cut_and_back_recording_goes_on_and_spills_to_disk(console: ConsolePage) -> None:
    recording_id = console.start()
    until("some slices", lambda: len(console.witness.slices()) > 2)
    console.system.api.cut()
    console.system.bucket.cut()

    rising = [console.wait_only_here(f">= {count}") for count in (2, 3)]
    console.page.wait_for_text("[data-testid=offline-banner]", "The server or the bucket does not answer")
    console.page.wait_for_text(
        "[data-testid=offline-banner]", "kept here and sent by themselves. What is in your bucket is safe."
    )
    console.page.wait_for_text("[data-testid=offline-banner]", "Recording works as always.")
    sealed = [path for path, size in console.chunk_files() if size]
    assert len(sealed) >= 2
    console.system.heal()

    console.page.wait_for("!document.querySelector('[data-testid=offline-banner]')", timeout=60)
    console.wait_only_here(f"< {rising[-1]}")
    finish(console, recording_id)
    console.wait_only_here("=== 0")
    times = [piece.at for piece in console.witness.slices()]
    assert max(later - earlier for earlier, later in pairwise(times)) < LONGEST_GAP_MS
    assert_one_version_each(console.system, recording_id)


@pytest.mark.parametrize("fault", [ForwardThenDrop(), Drop()], ids=["answers", "requests"])
def test_what_is_lost_between_recorder_and_control_plane(page: EmbeddedPage, fault: Fault) -> None:
    calls = {"PUT": ["/v1/recordings/[^/]+$"], "POST": ["/grants$", "/acks$", "/heartbeat$", "/complete$"]}
    for method, paths in calls.items():
        for path in paths:
            page.system.api.add(method, path, fault, times=2)
    since = time.time()
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.length >= 2")
    finish(page, recording_id)
    # Each kind of call was struck. How often differs: whoever learns another way that it was done need not repeat it.
    hit = struck(page.system.api, fault, since)
    for method, paths in calls.items():
        for path in paths:
            assert any(seen.method == method and re.search(path, seen.path) for seen in hit), path
    assert_one_version_each(page.system, recording_id)
    assert page.witness.problems() == []


def test_a_put_whose_answer_was_lost_is_acked_without_a_second_version(page: EmbeddedPage) -> None:
    page.system.bucket.add("PUT", "/v1/", ForwardThenDrop(), times=2)
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.length >= 2")
    finish(page, recording_id)
    puts = [x for x in page.system.bucket.log() if x.method == "PUT" and recording_id in x.path]
    assert [x.status for x in puts].count(412) >= 1
    assert {x.status for x in puts} == {200, 412}
    assert_one_version_each(page.system, recording_id)


def test_puts_that_are_lost_cut_or_refused_are_repeated(page: EmbeddedPage) -> None:
    faults = (Drop(), CutBody(1000), Respond(503, {"retry-after": "1"}), Respond(403), Respond(500))
    for fault in faults:
        page.system.bucket.add("PUT", "/v1/", fault, times=1)
    since = time.time()
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.length >= 3")
    finish(page, recording_id)
    met = [x.fault for x in page.system.bucket.log() if x.fault is not None and x.at >= since]
    assert met == [fault.name for fault in faults]
    assert_one_version_each(page.system, recording_id)


def test_a_busy_control_plane_is_left_alone_as_long_as_it_asks(page: EmbeddedPage, site: str) -> None:
    busy = Respond(503, {"retry-after": "2", "access-control-allow-origin": site, "access-control-expose-headers": "*"})
    page.system.api.add("POST", "/grants$", busy, times=1)
    since = time.time()
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.length >= 2")
    finish(page, recording_id)
    asked = [x.at for x in page.system.api.log() if x.path.endswith(f"{recording_id}/grants") and x.method == "POST"]
    assert asked[1] - asked[0] >= 2
    assert len(struck(page.system.api, busy, since)) == 1


def test_everything_fails_at_random(page: EmbeddedPage) -> None:
    for proxy in (page.system.api, page.system.bucket):
        for fault in (Drop(), ForwardThenDrop(), Delay(0.3)):
            proxy.add("(PUT|POST)", "/v1/", fault, times=None, chance=0.2)
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.length >= 5")
    page.stop()
    page.system.until(recording_id, lambda told: told["received_chunks"] >= 3, timeout=60)
    page.system.heal()
    finish(page, recording_id)
    assert_one_version_each(page.system, recording_id)


NOTE_FLUSHES = """
(() => {
  globalThis.flushes = [];
  safereel.subscribe((event) => {
    if (event.type === 'flushed') flushes.push([Date.now(), event.bytes, event.flushMs]);
  });
})()
"""


@pytest.mark.thorough
def test_a_line_that_carries_a_tenth_of_what_is_recorded_delays_no_slice(page: EmbeddedPage) -> None:
    page.page.evaluate(NOTE_FLUSHES)
    recording_id = page.record()
    page.page.wait_for("flushes.length >= 12")
    before = page.page.evaluate("flushes")
    seconds = (before[-1][0] - before[0][0]) / 1000
    recorded_a_second = sum(size for _, size, _ in before[1:]) / seconds
    page.system.bucket.add("PUT", "/v1/", Slow(recorded_a_second / 10), times=None)

    page.wait_view(recording_id, "chunks.filter((c) => ['on_disk', 'uploading'].includes(c.state)).length >= 10")
    # The line is full, and still every slice was on disk as soon as it was there.
    slow = page.page.evaluate("flushes")[len(before) :]
    assert len(slow) > 2 * len(before)
    assert max(later - earlier for (earlier, _, _), (later, _, _) in pairwise(slow)) < LONGEST_GAP_MS
    given = sum(len(piece.data) for piece in page.witness.slices())
    assert sum(size for _, size, _ in page.page.evaluate("flushes")) >= given * 0.9
    page.system.heal()
    finish(page, recording_id)
    assert_one_version_each(page.system, recording_id)
    print(f"write and flush of a slice on the full line: {sorted(ms for _, _, ms in slow)[len(slow) // 2]:.1f} ms")


@pytest.fixture(scope="module")
def short_grants(stack: EmbeddedStack, site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A control plane whose grants last just longer than the time that the SDK leaves a request to arrive."""
    with served(tmp_path_factory.mktemp("short"), stack, origins=[site], SAFEREEL_GRANT_TTL_MS="6000") as system:
        yield system


@pytest.mark.thorough
def test_a_grant_that_ends_before_its_put_is_asked_for_again(
    one_browser: Browser, short_grants: System, site: str, witness: Witness
) -> None:
    short_grants.bucket.add("PUT", "/v1/", Delay(7), times=1)
    page = EmbeddedPage.open(one_browser, site, short_grants, witness)
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.length >= 2")
    finish(page, recording_id)
    puts = [x for x in short_grants.bucket.log() if x.method == "PUT" and "/00000000-" in x.path]
    assert [x.status for x in puts] == [403, 200]
    assert_one_version_each(short_grants, recording_id)
    page.page.close()


@pytest.fixture
def alone(stack: EmbeddedStack, site: str, tmp_path: Path) -> Iterator[System]:
    """A control plane that can be killed without its database and bucket."""
    with served(tmp_path, stack, origins=[site]) as system:
        yield system


def test_the_control_plane_is_killed_and_comes_back(
    one_browser: Browser, alone: System, site: str, witness: Witness
) -> None:
    alone.bucket.add("PUT", "/v1/", Hold(), times=1)
    page = EmbeddedPage.open(one_browser, site, alone, witness)
    recording_id = page.record()
    alone.bucket.wait_for(lambda log: any(x.fault == "hold" for x in log))
    alone.program.kill()
    alone.bucket.release_held()
    page.wait_view(recording_id, "view.chunksOnlyHere >= 4")
    assert page.page.evaluate("safereel.snapshot().connection") == "retrying"
    alone.start_again()

    page.wait_view(recording_id, "chunks.filter((c) => c.state === 'released').length >= 4")
    finish(page, recording_id)
    assert_one_version_each(alone, recording_id)
    page.page.close()
