"""Kills browsers while they record, and reckons what that cost: the bytes in the bucket against what a notary wrote down.

    kills = Kills(launch, system, site, folder, seed=7)
    for loss in kills.run(10):
        ...                     # its `violations` must be empty
    print(told(losses))

The promise: of what MediaRecorder delivered all is in the bucket after the next visit but at most one slice, the one that was
being flushed; and nothing of what was told to be flushed is missing. What MediaRecorder had not delivered yet is lost as well:
`lost_ms` counts both, from the end of the assembled film to the kill.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, get_args

from tests.support.browser import Browser, Launch
from tests.support.films import ends_at
from tests.support.live import System, until
from tests.support.notary import Notary, notary
from tests.support.recorder_pages import SLOW_S, EmbeddedPage

Kind = Literal["browser", "offline", "renderer", "tab"]
"""What is ended: all of the browser; the same while it has no network; the tab's renderer; the tab, as a person closes it."""
KINDS: tuple[Kind, ...] = get_args(Kind)

# What users have, not the quick slices of other tests: it is what a kill costs.
SLICE_MS = 500
# What users have, and what strikes sealing, sending and releasing more often.
CHUNK_MS = (5_000, 1_000)
# Within the second chunk of five seconds.
LATEST_S = 8.0


@dataclass(frozen=True, slots=True)
class Loss:
    """What one kill cost. Sizes in bytes, times in milliseconds."""

    kind: Kind
    recorded_ms: float
    """From the moment at which MediaRecorder was told to start to the kill."""
    lost_ms: float
    """By how much the assembled film is shorter than that; what the camera took to begin counts as lost, too."""
    slices: int
    """How many MediaRecorder had delivered."""
    lost_slices: int
    """How many of these are not in the bucket, or not wholly."""
    violations: tuple[str, ...]
    """What of the promise was broken."""


class Kills:
    """One profile, whose browser is killed again and again."""

    def __init__(
        self, launch: Launch, system: System, site: str, folder: Path, *, seed: int, latest_s: float = LATEST_S
    ) -> None:
        self._launch = launch
        self._system = system
        self._site = site
        self._folder = folder
        self._random = random.Random(seed)
        self._latest_s = latest_s

    def run(self, kinds: Sequence[Kind]) -> Iterator[Loss]:
        """Kills once for each kind, at a random moment each, and tells what it cost once the next visit has sent everything."""
        browser = self._launch(self._folder / "profile")
        try:
            for number, kind in enumerate(kinds):
                with ExitStack() as stack:
                    witness = stack.enter_context(notary(self._folder / f"{number}.jsonl"))
                    recording_id, killed_at = self._record_and_kill(browser, kind, witness)
                    if not browser.runs:
                        browser = self._launch(self._folder / "profile")
                    self._visit_again(browser, recording_id, self._folder / f"{number}.after.jsonl")
                    yield self._judge(kind, recording_id, killed_at, witness)
        finally:
            browser.kill()

    def _record_and_kill(self, browser: Browser, kind: Kind, witness: Notary) -> tuple[str, float]:
        """The recording, and when the kill began, in epoch milliseconds."""
        page = self._open(browser, witness)
        recording_id = page.record()
        moment = self._random.uniform(0, self._latest_s)
        if kind == "offline":
            time.sleep(moment * self._random.random())
            self._system.api.cut()
            self._system.bucket.cut()
        # Not a wait for anything: a kill has no reason to come at one moment rather than another.
        time.sleep(moment)
        killed_at = time.time() * 1000
        strike: dict[Kind, Callable[[], None]] = {"renderer": page.page.crash, "tab": page.page.close}
        strike.get(kind, browser.kill)()
        self._system.heal()
        return recording_id, killed_at

    def _visit_again(self, browser: Browser, recording_id: str, file: Path) -> None:
        """Opens the page as a person would, and waits until everything that was left is sent; nothing else is done for it."""
        with notary(file) as witness:
            page = self._open(browser, witness)
            self._system.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
            until(
                "nothing left", lambda: not any(recording_id in path for path, _ in page.chunk_files()), timeout=SLOW_S
            )
            page.page.close()

    def _open(self, browser: Browser, witness: Notary) -> EmbeddedPage:
        options = {"chunkMs": self._random.choice(CHUNK_MS), "sliceMs": SLICE_MS}
        return EmbeddedPage.open(browser, self._site, self._system, witness, options=options)

    def _judge(self, kind: Kind, recording_id: str, killed_at: float, witness: Notary) -> Loss:
        segments = self._system.segments(recording_id)
        stored = b"".join(segments)
        slices = [piece.data for piece in witness.slices()]
        given = b"".join(slices)
        flushed = sum(witness.flushed(recording_id).values())
        lost_slices = sum(end > len(stored) for end in accumulate(map(len, slices)))
        told: dict[str, Any] = self._system.recording(recording_id)
        recorded_ms = killed_at - witness.started_at()
        broken = {
            f"{len(segments)} segments": len(segments) > 1,
            f"{flushed} bytes were told to be flushed, {len(stored)} are there": flushed > len(stored),
            "what is there is not what MediaRecorder gave": not given.startswith(stored),
            f"{lost_slices} slices are lost": lost_slices > 1,
            f"the ledger has {told.get('total_bytes')} bytes": told.get("total_bytes") != len(stored),
        }
        kept_ms = ends_at(stored, self._folder) * 1000 if stored else 0
        violations = tuple(text for text, is_so in broken.items() if is_so)
        return Loss(kind, recorded_ms, recorded_ms - kept_ms, len(slices), lost_slices, violations)


def told(losses: Sequence[Loss]) -> str:
    """The figures of a campaign, all kinds together and each."""
    lines = [_figures("all", losses)]
    lines += [_figures(kind, some) for kind in KINDS if (some := [loss for loss in losses if loss.kind == kind])]
    return "\n".join(lines)


def _figures(name: str, losses: Sequence[Loss]) -> str:
    lost = sorted(loss.lost_ms for loss in losses)
    p50, p99 = (lost[min(len(lost) - 1, int(len(lost) * share))] for share in (0.5, 0.99))
    counts = Counter(loss.lost_slices for loss in losses)
    slices = ", ".join(f"{kills} kills lost {count}" for count, kills in sorted(counts.items()))
    return f"{name:8} {len(lost):3} kills: lost ms p50 {p50:.0f}, p99 {p99:.0f}, max {lost[-1]:.0f}; delivered slices: {slices}"
