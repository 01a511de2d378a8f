"""Released chunks that stay on the device while there is room: sent when the bucket loses what it had confirmed, gone when room
is needed.
"""

from collections.abc import Callable

from tests.support.browser import Browser
from tests.support.live import System, until
from tests.support.recorder_pages import SLOW_S, EmbeddedPage
from tests.support.witness import Witness

LISTEN = """
globalThis.told = [];
safereel.subscribe((event) => {
  if (event.type === 'problem') told.push([event.problem.code, safereel.snapshot().kept.chunks]);
});
"""


def record_until_released(page: EmbeddedPage, count: int) -> str:
    """Begins a recording; its id, once at least `count` of its chunks were released."""
    recording_id = page.record()
    page.wait_view(recording_id, f"chunks.filter((c) => c.state === 'released').length >= {count}")
    return recording_id


def numbers(page: EmbeddedPage) -> list[int]:
    """The numbers of the chunks that are kept."""
    return sorted(int(path.rpartition("/")[2][:8]) for path in page.kept_files())


def test_what_the_bucket_lost_after_its_release_is_sent_again(
    embed: Callable[..., EmbeddedPage], system: System, witness: Witness
) -> None:
    page = embed()
    recording_id = record_until_released(page, 2)
    assert {0, 1} <= set(numbers(page))
    system.delete(system.keys(recording_id)[0])

    system.until(recording_id, lambda told: told["missing"] == [[0, 0]], timeout=SLOW_S)
    page.wait_view(recording_id, "chunks[0].resent === 1", timeout=SLOW_S)
    system.until(recording_id, lambda told: not told["missing"] and not told["open_tickets"], timeout=SLOW_S)
    page.stop()
    system.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
    page.wait_view(recording_id, "chunks.every((c) => c.state === 'released')", timeout=SLOW_S)
    assert system.segments(recording_id) == witness.runs()
    assert numbers(page)[0] == 0, "released again, and kept again"
    assert page.chunk_files() == []


def test_a_later_visit_sends_what_was_lost_of_a_complete_recording(
    browser: Browser, embed: Callable[..., EmbeddedPage], system: System, site: str, witness: Witness
) -> None:
    page = embed()
    recording_id = record_until_released(page, 1)
    page.stop()
    page.wait_view(recording_id, "view.state === 'complete' && chunks.every((c) => c.state === 'released')")
    kept = numbers(page)
    page.page.close()
    for key in system.keys(recording_id)[:2]:
        system.delete(key)
    system.until(recording_id, lambda told: told["missing"] == [[0, 1]] and told["open_tickets"] == 2, timeout=SLOW_S)

    later = EmbeddedPage.open(browser, site, system, Witness(witness.file.with_suffix(".later")))
    system.until(recording_id, lambda told: not told["missing"] and not told["open_tickets"], timeout=SLOW_S)
    assert system.recording(recording_id)["lost"] == []
    assert system.segments(recording_id) == witness.runs()
    later.wait_view(recording_id, "chunks.every((c) => c.state === 'released')", timeout=SLOW_S)
    until("all kept again", lambda: numbers(later) == kept)
    assert later.page.evaluate("safereel.snapshot().kept.chunks") == len(kept)
    assert later.page.evaluate("safereel.snapshot().chunksOnlyHere") == 0


def test_where_room_is_needed_copies_go_before_anybody_is_told(
    embed: Callable[..., EmbeddedPage], system: System, witness: Witness
) -> None:
    page = embed()
    page.page.evaluate(LISTEN)
    recording_id = record_until_released(page, 3)
    assert len(numbers(page)) >= 3
    usage = page.page.evaluate("navigator.storage.estimate().then(({ usage }) => usage)")
    page.page.limit_storage(usage + 50_000)

    until("none kept", lambda: numbers(page) == [], timeout=SLOW_S)
    slices = len(witness.slices())
    until("recording goes on", lambda: len(witness.slices()) > slices + 8, timeout=SLOW_S)
    told = page.page.evaluate("told")
    assert [kept for _, kept in told] == [0] * len(told)
    assert "storage_full" not in [code for code, _ in told]
    page.stop()
    system.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
    assert system.segments(recording_id) == witness.runs()


def test_turned_off_nothing_stays(embed: Callable[..., EmbeddedPage], system: System) -> None:
    page = embed(keepReleasedBytes=0)
    recording_id = record_until_released(page, 1)
    assert numbers(page) == []
    page.stop()
    system.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
    until("nothing of it is left", lambda: not any(recording_id in path for path, _ in page.files()), timeout=SLOW_S)
