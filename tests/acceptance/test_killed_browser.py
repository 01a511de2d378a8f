"""A browser killed while it records: what was flushed is found, sent and complete at the next visit, by itself.

`test_kills.py` kills at random moments and in other ways.
"""

import itertools
from pathlib import Path

from tests.support.browser import Launch
from tests.support.films import decode
from tests.support.live import System, until
from tests.support.recorder_pages import ConsolePage, EmbeddedPage
from tests.support.witness import Witness

FLUSHES = 13  # of the page's ten to a chunk: one is sealed, the next is open


def assert_kept(segment: bytes, flushed: int, given: bytes) -> None:
    """All that was flushed is there, and nothing that MediaRecorder did not give."""
    assert len(segment) >= flushed > 0
    assert given.startswith(segment)


def test_what_was_flushed_is_sent_at_the_next_visit(
    launch: Launch, profile: Path, system: System, witness: Witness, tmp_path: Path
) -> None:
    with launch(profile) as killed:
        console = ConsolePage.open(killed, system, witness)
        recording_id = console.start()
        until("enough flushes", lambda: len(witness.entries("flushed")) >= FLUSHES)
        killed.kill()
    flushed = witness.flushed(recording_id)[0]

    with launch(profile) as second:
        console = ConsolePage.open(second, system, witness)
        notice = "[data-testid=recovered-notice]"
        console.page.wait_for(f"document.querySelector('{notice}')?.dataset.id === '{recording_id}'")
        told = system.until(recording_id, lambda told: bool(told["complete"]))
        until("nothing left in OPFS", lambda: console.chunk_files() == [])

    (segment,) = system.segments(recording_id)
    (given,) = witness.runs()
    assert_kept(segment, flushed, given)
    assert decode(segment, tmp_path)["video"].frames > 0
    assert told["total_bytes"] == len(segment)
    assert [entry["recordingId"] for entry in witness.entries("recovered")] == [recording_id]


def test_a_recording_killed_with_an_empty_spool_goes_on_with_the_next_number(
    launch: Launch, profile: Path, system: System, site: str, witness: Witness
) -> None:
    options = {"resumeWindowMs": 600_000}
    with launch(profile) as killed:
        page = EmbeddedPage.open(killed, site, system, witness, options=options)
        recording_id = page.record()
        page.wait_view(recording_id, "chunks.filter((c) => c.state === 'released').length >= 2")
        killed.kill()
    before = {chunk.seq: chunk.sha256 for chunk in system.stored(recording_id)}
    flushed = witness.flushed(recording_id)[0]

    with launch(profile) as second:
        page = EmbeddedPage.open(second, site, system, witness, options=options)
        assert page.record(resume=recording_id) == recording_id
        page.wait_view(recording_id, "chunks.filter((c) => c.segment === 1 && c.state === 'released').length >= 1")
        page.stop()
        system.until(recording_id, lambda told: bool(told["complete"]))

    stored = system.stored(recording_id)
    assert [chunk.seq for chunk in stored] == list(range(len(stored)))
    assert before.items() <= {chunk.seq: chunk.sha256 for chunk in stored}.items()
    assert [key for key, _ in itertools.groupby(chunk.segment for chunk in stored)] == [0, 1]
    first, resumed = system.segments(recording_id)
    given, given_after = witness.runs()
    assert_kept(first, flushed, given)
    assert resumed == given_after
    assert "chunk_conflict" not in witness.problems()
    assert b"chunk_conflict" not in b"".join(x.answer for x in system.api.log() if recording_id in x.path)
