"""Reloaded and several tabs of one person: one of them uploads, another takes over at once, and nothing is lost or sent twice."""

from collections.abc import Callable
from pathlib import Path

from tests.support.browser import Browser
from tests.support.live import System, until
from tests.support.recorder_pages import EmbeddedPage
from tests.support.witness import Witness

FLUSHES = 5


def test_a_tab_records_on_while_the_one_that_uploads_is_reloaded_and_closed(
    embed: Callable[..., EmbeddedPage], browser: Browser, system: System, site: str, tmp_path: Path
) -> None:
    first = embed()
    of_first = first.record()
    until("some flushes", lambda: len(first.witness.entries("flushed")) >= FLUSHES)
    witness = Witness(tmp_path / "second.jsonl")
    second = EmbeddedPage.open(browser, site, system, witness)
    of_second = second.record()
    second.wait_view(of_second, "chunks.filter((c) => c.state === 'released').length >= 1")

    flushed = first.witness.flushed(of_first)[0]
    first.page.reload()
    system.until(of_first, lambda told: bool(told["complete"]))
    (kept,) = system.segments(of_first)
    assert len(kept) >= flushed
    assert first.witness.runs()[0].startswith(kept)

    first.page.close()
    second.wait_view(of_second, "chunks.filter((c) => c.state === 'released').length >= 4")
    second.stop()
    system.until(of_second, lambda told: bool(told["complete"]))
    until("nothing left in OPFS", lambda: second.chunk_files() == [])
    assert system.segments(of_second) == witness.runs()
    assert {system.versions(key) for key in (*system.keys(of_first), *system.keys(of_second))} == {1}
    assert witness.problems() == []
