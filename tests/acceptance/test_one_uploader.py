"""Several tabs, and several copies of a profile: one uploads, nothing is sent twice at once, nothing is forgotten."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.browser import Browser
from tests.support.live import System, until
from tests.support.recorder_pages import EmbeddedPage
from tests.support.witness import Witness

RELEASED = "chunks.filter((c) => c.state === 'released').length"


def assert_each_sent_once(system: System, recording_id: str) -> None:
    """Each chunk was stored by one PUT, and no other PUT of it came."""
    puts = [x for x in system.bucket.log() if x.method == "PUT" and recording_id in x.path]
    assert {x.status for x in puts} == {200}
    assert set(Counter(x.path.partition("?")[0] for x in puts).values()) == {1}
    assert {system.versions(key) for key in system.keys(recording_id)} == {1}


def test_one_tab_sends_for_all_and_another_goes_on_when_it_dies(
    browser: Browser, system: System, site: str, tmp_path: Path
) -> None:
    first_witness, second_witness = Witness(tmp_path / "first"), Witness(tmp_path / "second")
    first = EmbeddedPage.open(browser, site, system, first_witness)
    of_first = first.record()
    second = EmbeddedPage.open(browser, site, system, second_witness)
    of_second = second.record()
    # The first tab sends for both, and the second shows it.
    second.wait_view(of_second, f"{RELEASED} >= 2")
    second.wait_view(of_first, f"{RELEASED} >= 1")
    flushed = len(first_witness.entries("flushed"))
    until("some flushes more", lambda: len(first_witness.entries("flushed")) > flushed + 3)
    first.page.crash()

    # What the dead tab recorded is ended with what it has; what the living one records goes on.
    system.until(of_first, lambda told: bool(told["complete"]))
    had = len(second.view(of_second)["chunks"])
    second.wait_view(of_second, f"{RELEASED} >= {had + 2}")
    second.stop()
    system.until(of_second, lambda told: bool(told["complete"]))
    until("nothing left in OPFS", lambda: second.chunk_files() == [])
    assert system.segments(of_second) == second_witness.runs()
    (given,) = first_witness.runs()
    (kept,) = system.segments(of_first)
    assert given.startswith(kept)
    assert len(kept) >= first_witness.flushed(of_first)[0]
    assert second_witness.problems() == []
    for recording_id in (of_first, of_second):
        assert {system.versions(key) for key in system.keys(recording_id)} == {1}


def test_tabs_that_record_at_once_send_nothing_twice(
    browser: Browser, system: System, site: str, tmp_path: Path
) -> None:
    pages = [EmbeddedPage.open(browser, site, system, Witness(tmp_path / name)) for name in ("one", "two", "three")]
    ids = [page.record() for page in pages]
    for page, recording_id in zip(pages, ids, strict=True):
        page.wait_view(recording_id, "chunks.length >= 4")
        page.stop()
    for page, recording_id in zip(pages, ids, strict=True):
        system.until(recording_id, lambda told: bool(told["complete"]))
        assert system.segments(recording_id) == page.witness.runs()
        assert_each_sent_once(system, recording_id)
    until("nothing left in OPFS", lambda: pages[0].chunk_files() == [])


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """These processes stand still meanwhile, as a frozen tab does."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def renderers(browser: Browser) -> list[int]:
    """The processes of a browser that run pages."""
    below = processes.descendants(browser.pid)
    return [pid for pid in below if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_tab_that_hangs_is_relieved_of_sending(profile: Path, system: System, site: str, tmp_path: Path) -> None:
    options = {"takeOverMs": 2000}
    # Without a spare, each tab brings a process of its own: those of before are the hanging tab's.
    with Browser.launch(profile, args=["--disable-features=SpareRendererForSitePerProcess"]) as browser:
        # It records nothing: a camera that two tabs share stands still for both when one does.
        first = EmbeddedPage.open(browser, site, system, Witness(tmp_path / "first"), options=options)
        hanging = renderers(browser)
        second = EmbeddedPage.open(browser, site, system, Witness(tmp_path / "second"), options=options)
        with stopped(hanging):
            recording_id = second.record()
            second.wait_view(recording_id, f"{RELEASED} >= 2")
        # It comes to itself, and shows what the other sends.
        first.wait_view(recording_id, f"{RELEASED} >= 3")
        second.stop()
        system.until(recording_id, lambda told: bool(told["complete"]))
        assert system.segments(recording_id) == second.witness.runs()
        assert_each_sent_once(system, recording_id)


@pytest.mark.thorough
def test_copies_of_a_profile_that_go_on_with_one_recording_both_keep_all_they_recorded(
    profile: Path, system: System, site: str, tmp_path: Path
) -> None:
    options = {"resumeWindowMs": 600_000}
    with Browser.launch(profile) as killed:
        page = EmbeddedPage.open(killed, site, system, Witness(tmp_path / "before"), options=options)
        recording_id = page.record()
        page.wait_view(recording_id, f"{RELEASED} >= 2")
        killed.kill()
    twin = tmp_path / "twin"
    shutil.copytree(profile, twin, ignore=shutil.ignore_patterns("Singleton*"))

    one_witness, other_witness = Witness(tmp_path / "one"), Witness(tmp_path / "other")
    with Browser.launch(profile) as one_browser, Browser.launch(twin) as other_browser:
        one = EmbeddedPage.open(one_browser, site, system, one_witness, options=options)
        other = EmbeddedPage.open(other_browser, site, system, other_witness, options=options)
        for page in (one, other):
            page.record(resume=recording_id)
            page.wait_view(recording_id, "chunks.filter((c) => c.segment === 1).length >= 3")
        one.stop()
        system.until(recording_id, lambda told: bool(told["complete"]))
        other.stop()
        of_copy = f"(r) => r.id !== '{recording_id}' && r.state === 'complete'"
        copy = other.page.wait_for(f"safereel.snapshot().recordings.find({of_copy})?.id", timeout=60)
        for page in (one, other):
            until("nothing left in OPFS", lambda page=page: page.chunk_files() == [])  # type: ignore[misc]

    # The one that sent a number first has the recording; what the other gave under the same numbers is all in the copy.
    (of_one,), (of_other,) = one_witness.runs(), other_witness.runs()
    assert "recording_refiled" in one_witness.problems() + other_witness.problems()
    assert system.segments(recording_id)[1] == of_one
    assert system.segments(copy) == [of_other]
    assert "second copy" in system.recording(copy)["title"]
