"""A recording made with the shipped page ends up in the bucket, byte for byte, and nothing is left behind."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.films import decode
from tests.support.live import DIST, System, until
from tests.support.recorder_pages import ConsolePage
from tests.support.witness import Witness, trace_worker

RECORDED_MS = 12_000


def recorded_ms(console: ConsolePage) -> int:
    """Time between the first and the last slice so far."""
    times = [piece.at for piece in console.witness.slices()]
    return max(times) - min(times) if times else 0


@pytest.mark.both_engines
def test_every_recorded_byte_is_in_the_bucket_and_none_is_left_here(console: ConsolePage, tmp_path: Path) -> None:
    recording_id = console.start()
    until("all recorded", lambda: recorded_ms(console) > RECORDED_MS)
    console.stop()
    console.until_state("complete")
    console.wait_only_here("=== 0")

    (given,) = console.witness.runs()
    (stored,) = console.system.segments(recording_id)
    assert stored == given
    until("nothing left in OPFS", lambda: console.chunk_files() == [])
    streams = decode(stored, tmp_path)
    assert streams["video"].frames > 10 * RECORDED_MS / 1000
    assert streams["audio"].frames > 0

    told = console.system.recording(recording_id)
    assert (told["state"], told["missing"], told["lost"]) == ("complete", [], [])
    assert told["confirmed_bytes"] == told["total_bytes"] == len(given)
    assert told["chunk_count"] >= 3
    assert set(console.cells().values()) == {"released"}
    seen = console.page.seen()
    assert (seen.errors, seen.failed_requests, console.witness.problems()) == ((), (), [])


@pytest.mark.both_engines
def test_nothing_is_said_about_a_chunk_before_it_is_on_disk_and_read_back(
    browser: Browser, system: System, witness: Witness
) -> None:
    trace_worker(system.api, DIST / "assets")
    console = ConsolePage.open(browser, system, witness)
    recording_id = console.start()
    console.wait_cells(1, ["acked", "confirmed", "released"])
    console.stop()
    console.until_state("complete")

    traced = console.witness.traced()
    promised = 0
    for number, entry in enumerate(traced):
        if entry["did"] == "fetch" and entry["url"].endswith("/grants"):
            for chunk in json.loads(entry["body"])["chunks"]:
                assert_on_disk(traced[:number], f"{chunk['seq']:08d}-{chunk['segment']:04d}", chunk["size"])
                promised += 1
    stored = console.system.stored(recording_id)
    assert promised >= len(stored) >= 2
    assert all(hashlib.sha256(chunk.data).hexdigest() == chunk.sha256 for chunk in stored)

    def calls(part: str) -> int:
        return sum(part in x.path for x in console.system.api.log() if x.method == "POST")

    # All calls went through the traced worker: none was made behind its back.
    assert calls(f"{recording_id}/grants") == sum(
        entry["did"] == "fetch" and entry["url"].endswith(f"{recording_id}/grants") for entry in traced
    )
    puts = [x for x in console.system.bucket.log() if x.method == "PUT" and recording_id in x.path]
    granted_at = min(entry["at"] for entry in traced if entry["did"] == "fetch" and "/grants" in entry["url"])
    assert min(put.at for put in puts) * 1000 >= granted_at


def assert_on_disk(before: list[dict[str, object]], file: str, size: int) -> None:
    """All `size` bytes of the file were written, then flushed, then read back."""
    mine = [entry for entry in before if entry.get("file") == file]
    written = sum(int(str(entry["count"])) for entry in mine if entry["did"] == "write")
    assert written == size
    last_write = max(n for n, entry in enumerate(mine) if entry["did"] == "write")
    after = [entry["did"] for entry in mine[last_write + 1 :]]
    assert "flush" in after
    assert "read" in after[after.index("flush") :], f"{file} was announced without having been read back"
    read = sum(int(str(entry["count"])) for entry in mine[last_write + 1 :] if entry["did"] == "read")
    assert read == size
