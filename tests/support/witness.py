"""An independent log of a recording: what MediaRecorder gave, what was told of it, what its worker did, and when.

    witness = Witness(folder / "witness.jsonl")
    witness.attach(page)            # before the page is opened
    ...
    witness.runs()                  # the bytes of each run of MediaRecorder, in order

The log is a file outside of the browser, written before the page gets a slice, so that it also knows what a killed
browser lost.
"""

import base64
import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.browser import Page
from tests.support.proxy import FaultProxy
from tests.support.worker_script import put_before_worker

SOURCE = Path(__file__).with_name("witness.js")
TRACE = Path(__file__).with_name("trace.js")


@dataclass(frozen=True)
class Slice:
    """One `dataavailable`; `at` in epoch milliseconds."""

    run: str
    at: int
    encoded: str

    @cached_property
    def data(self) -> bytes:
        """The bytes of the blob."""
        return base64.b64decode(self.encoded)


class Witness:
    """Reads the log as far as it is written."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._entries: list[dict[str, Any]] = []
        self._read_up_to = 0

    def attach(self, page: Page) -> None:
        """Watches every document that this tab opens from now on."""
        page.mirror("__witness", self.file)
        page.evaluate_on_new_document(SOURCE.read_text(encoding="utf-8"))

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """All entries of one type, in order."""
        self._read_on()
        return [entry for entry in self._entries if entry["type"] == kind]

    def _read_on(self) -> None:
        """Takes in the lines that are whole by now."""
        if not self.file.exists():
            return
        with self.file.open("rb") as log:
            log.seek(self._read_up_to)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read_up_to += len(whole) + len(newline)
        self._entries += [json.loads(line) for line in whole.split(b"\n") if line]

    def slices(self) -> list[Slice]:
        """All slices, in order."""
        return [Slice(entry["run"], entry["at"], entry["data"]) for entry in self.entries("slice")]

    def runs(self) -> list[bytes]:
        """The bytes that each run of MediaRecorder gave, in order of their beginning."""
        runs: dict[str, list[bytes]] = defaultdict(list)
        for each in self.slices():
            runs[each.run].append(each.data)
        return [b"".join(pieces) for pieces in runs.values()]

    def flushed(self, recording_id: str) -> dict[int, int]:
        """How many bytes of each segment were told to be flushed."""
        counts: dict[int, int] = defaultdict(int)
        for entry in self.entries("flushed"):
            if entry["recordingId"] == recording_id:
                counts[entry["segment"]] += entry["bytes"]
        return dict(counts)

    def states(self, recording_id: str) -> dict[int, list[str]]:
        """Each chunk's states in the order in which they were told."""
        found: dict[int, list[str]] = defaultdict(list)
        for entry in self.entries("chunk"):
            if entry["recordingId"] == recording_id:
                found[entry["chunk"]["seq"]].append(entry["chunk"]["state"])
        return dict(found)

    def problems(self) -> list[str]:
        """The codes of all problems told."""
        return [entry["problem"]["code"] for entry in self.entries("problem")]

    def traced(self) -> list[dict[str, Any]]:
        """What the worker did, in its order, where `trace_worker` was called before."""
        return self.entries("traced")


def trace_worker(api: FaultProxy, assets: Path) -> None:
    """Serves the recorder's worker with a tracer before it, its own code unchanged."""
    put_before_worker(api, assets, TRACE)
