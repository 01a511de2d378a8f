"""Files that were there before go the same way as recordings: whole, once, resumed after a reload, and never mixed."""

import hashlib
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.accessible import assert_accessible
from tests.support.browser import Browser, Engine, Page
from tests.support.live import System, until
from tests.support.proxy import Exchange, Hold
from tests.support.recorder_pages import ConsolePage, EmbeddedPage
from tests.support.witness import Witness

MIB = 1024 * 1024
CHUNK = 8 * MIB
# `make campaign-files` sends a gigabyte.
LARGE_MIB = int(os.environ.get("CAMPAIGN_FILE_MIB", "60"))
SLOW_S = 60 + LARGE_MIB
# So much of a file is copied to the device.
COPIED_MIB = 256
Embed = Callable[..., EmbeddedPage]


def make_file(path: Path, size: int, *, seed: int = 1) -> Path:
    """A file of bytes that look like nothing, written in pieces."""
    source = random.Random(seed)
    with path.open("wb") as file:
        for at in range(0, size, MIB):
            file.write(source.randbytes(min(MIB, size - at)))
    return path


def digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def stored_digest(system: System, recording_id: str) -> str:
    """SHA-256 of what the chunks of a recording make when joined in order."""
    whole = hashlib.sha256()
    for key in system.keys(recording_id):
        whole.update(system.s3.get_object(Bucket=system.bucket_name, Key=key)["Body"].read())
    return whole.hexdigest()


def finish(page: EmbeddedPage, recording_id: str) -> dict[str, Any]:
    """What is told of it once it is complete, with nothing of it left on the device."""
    try:
        told = page.system.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
        until("nothing left in OPFS", lambda: page.chunk_files() == [], timeout=SLOW_S)
    except TimeoutError as exc:
        raise TimeoutError(f"{exc}\n{page.how_it_stands(recording_id)}") from None
    return told


def puts_of(system: System, recording_id: str) -> list[Exchange]:
    """All PUTs of a recording's chunks so far."""
    return [x for x in system.bucket.log() if x.method == "PUT" and recording_id in x.path]


def under_way(system: System, recording_id: str) -> int:
    return sum(not put.finished for put in puts_of(system, recording_id))


def test_a_large_file_reloaded_half_way_is_whole_in_the_bucket(embed: Embed, engine: Engine, tmp_path: Path) -> None:
    file = make_file(tmp_path / "film.webm", LARGE_MIB * MIB - 4321)
    page = embed()
    sent_before = LARGE_MIB // 8 // 2
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=sent_before)
    begun = page.upload(file)
    recording_id = begun["id"]
    page.wait_view(recording_id, f"view.file.sentBytes >= {sent_before} * {CHUNK}", timeout=SLOW_S)
    until("several at once", lambda: under_way(page.system, recording_id) >= 2)
    is_copied = LARGE_MIB <= COPIED_MIB
    if is_copied:
        page.wait_view(recording_id, f"chunks.length === {math.ceil(LARGE_MIB / 8)}", timeout=SLOW_S)
    page.page.close()
    page.system.heal()

    page = embed()
    # What this device has a copy of needs no file; of a larger one the rest is read from it again. In Firefox a copy may want a
    # last look at the file, when that had not come to its end.
    page.wait_view(recording_id, "view.file.state === 'source_needed' || view.state === 'complete'", timeout=SLOW_S)
    if page.view(recording_id)["state"] != "complete":
        assert not is_copied or engine == "firefox", page.how_it_stands(recording_id)
        assert page.upload(file, resume=recording_id) == {"id": recording_id, "already": False}
    told = finish(page, recording_id)
    assert (told["source"], told["mime_type"], told["title"]) == ("file", "video/webm", "film.webm")
    assert told["total_bytes"] == file.stat().st_size
    assert stored_digest(page.system, recording_id) == digest_of(file)
    sizes = [chunk_size(key) for key in page.system.keys(recording_id)]
    assert set(sizes[:-1]) == {CHUNK}


def chunk_size(key: str) -> int:
    return int(key.rpartition("/")[2].split("-")[2])


def test_a_small_file_is_one_chunk(embed: Embed, tmp_path: Path) -> None:
    file = make_file(tmp_path / "note.ogg", 1234)
    page = embed()
    recording_id = page.upload(file, title="A note")["id"]
    told = finish(page, recording_id)
    assert (told["title"], told["chunk_count"], told["total_bytes"]) == ("A note", 1, 1234)
    assert told["mime_type"] in {"audio/ogg", "video/ogg"}
    assert stored_digest(page.system, recording_id) == digest_of(file)
    shown = page.view(recording_id)["file"]
    assert (shown["state"], shown["sentBytes"], shown["totalBytes"]) == ("complete", 1234, 1234)


def test_what_cannot_be_uploaded_is_refused_with_nothing_noted(embed: Embed, tmp_path: Path) -> None:
    page = embed()
    assert page.upload(make_file(tmp_path / "none.webm", 0))["code"] == "file_empty"
    refused = page.upload(make_file(tmp_path / "letter.txt", 10))
    assert refused["code"] == "file_type_unsupported"
    assert ".webm" in refused["message"]
    assert page.chunk_files() == []
    assert page.page.evaluate("safereel.snapshot().recordings") == []


def test_the_same_file_twice_is_named_and_not_sent_until_it_is_deleted(embed: Embed, tmp_path: Path) -> None:
    file = make_file(tmp_path / "film.webm", 2 * CHUNK + 17)
    page = embed()
    first = page.upload(file)["id"]
    finish(page, first)
    page.page.close()

    page = embed()
    copy = make_file(tmp_path / "copy of film.webm", 2 * CHUNK + 17)
    assert page.upload(copy) == {"id": first, "already": True}
    other = page.upload(make_file(tmp_path / "other.webm", 2 * CHUNK + 17, seed=2))
    assert not other["already"]
    finish(page, other["id"])
    again = page.upload(copy, again=True)
    assert not again["already"]
    finish(page, again["id"])

    for recording_id in (first, again["id"]):
        page.page.evaluate(f"safereel.delete('{recording_id}')")
    anew = page.upload(copy)
    assert not anew["already"]
    assert anew["id"] not in {first, again["id"], other["id"]}
    finish(page, anew["id"])
    assert stored_digest(page.system, anew["id"]) == digest_of(file)


def test_a_file_that_is_not_copied_is_chosen_again_after_a_reload(embed: Embed, tmp_path: Path) -> None:
    file = make_file(tmp_path / "film.webm", 5 * CHUNK)
    page = embed(fileCopyBytes=0)
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=2)
    recording_id = page.upload(file)["id"]
    page.wait_view(recording_id, f"view.file.sentBytes >= {2 * CHUNK}")
    assert page.chunk_files() == []
    page.page.close()
    page.system.heal()

    page = embed(fileCopyBytes=0)
    page.wait_view(recording_id, "view.file.state === 'source_needed'")
    other = make_file(tmp_path / "other.webm", 5 * CHUNK, seed=2)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    assert page.upload(other, resume=recording_id)["code"] == "source_changed"
    page.wait_view(recording_id, "view.file.state === 'source_needed'")
    # The same file is known without being told which upload it belongs to.
    assert page.upload(file) == {"id": recording_id, "already": False}
    finish(page, recording_id)
    assert stored_digest(page.system, recording_id) == digest_of(file)


def test_a_file_that_changes_while_it_is_sent_is_said_and_never_mixed(embed: Embed, tmp_path: Path) -> None:
    file = make_file(tmp_path / "film.webm", 20 * CHUNK)
    page = embed(fileCopyBytes=0)
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=2)
    recording_id = page.upload(file)["id"]
    page.wait_view(recording_id, f"view.file.sentBytes >= {2 * CHUNK}")
    before = digest_of(file)
    with file.open("r+b") as opened:
        opened.seek(15 * CHUNK)
        opened.write(b"another take")
    page.system.heal()

    page.wait_view(recording_id, "view.file.state === 'source_needed' && view.problem?.code === 'source_changed'")
    assert "source_changed" in page.witness.problems()
    assert page.upload(file, resume=recording_id)["code"] == "source_changed"
    assert not page.system.recording(recording_id)["complete"]

    make_file(file, 20 * CHUNK)
    assert digest_of(file) == before
    # Its bytes are as they were, its time is not: what was not read before might be another's.
    assert page.upload(file, resume=recording_id)["code"] == "source_changed"
    page.page.evaluate(f"safereel.fileUpload('{recording_id}').cancel()")
    until("nothing left in the bucket", lambda: page.system.keys(recording_id) == [])


def test_cancelled_half_way_it_is_gone_everywhere(embed: Embed, tmp_path: Path) -> None:
    page = embed()
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=2)
    recording_id = page.upload(make_file(tmp_path / "film.webm", 5 * CHUNK))["id"]
    page.wait_view(recording_id, f"view.file.sentBytes >= {2 * CHUNK}")
    page.page.evaluate("file.cancel()")
    page.system.heal()
    assert page.page.evaluate("file.progress()") is None
    until("nothing left in OPFS", lambda: page.chunk_files() == [])
    # What was under way arrives late: a later look of the purge removes it.
    assert page.system.recording(recording_id).get("state") in {"deleting", "deleted"}


def test_paused_it_sends_nothing_also_after_a_reload_until_it_goes_on(embed: Embed, tmp_path: Path) -> None:
    file = make_file(tmp_path / "film.webm", 6 * CHUNK)
    page = embed()
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=1)
    recording_id = page.upload(file)["id"]
    until("several at once", lambda: under_way(page.system, recording_id) >= 2)
    page.page.evaluate("file.pause()")
    page.wait_view(recording_id, "view.file.state === 'paused' && chunks.length === 6")
    before = len(puts_of(page.system, recording_id))
    page.system.heal()
    page.wait_view(recording_id, "chunks.every((c) => c.state !== 'uploading')")
    page.page.close()

    page = embed()
    page.wait_view(recording_id, "view.file.state === 'paused'")
    recorded = page.record()
    page.wait_view(recorded, "chunks.filter((c) => c.state === 'released').length >= 2")
    page.stop()
    assert len(puts_of(page.system, recording_id)) == before
    page.page.evaluate(f"safereel.fileUpload('{recording_id}').resume()")
    finish(page, recording_id)
    assert stored_digest(page.system, recording_id) == digest_of(file)


def test_a_lost_chunk_is_sent_again_from_the_file(embed: Embed, tmp_path: Path) -> None:
    file = make_file(tmp_path / "film.webm", 5 * CHUNK)
    page = embed(fileCopyBytes=0)
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=2)
    recording_id = page.upload(file)["id"]
    page.wait_view(recording_id, "chunks.filter((c) => c.state === 'released').length >= 2")
    (key, *_) = page.system.keys(recording_id)
    page.system.delete(key)
    page.system.until(recording_id, lambda told: bool(told["missing"] or told["lost"]))
    page.system.heal()
    finish(page, recording_id)
    assert stored_digest(page.system, recording_id) == digest_of(file)


def test_a_kept_handle_goes_on_after_a_reload_by_itself(embed: Embed) -> None:
    page = embed(fileCopyBytes=0)
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=2)
    # A handle that needs no permission: that of a file in the page's own private file system.
    recording_id = page.page.evaluate(
        """(async () => {
          const root = await navigator.storage.getDirectory();
          const handle = await root.getFileHandle('film.webm', { create: true });
          const writable = await handle.createWritable();
          for (let at = 0; at < 5; at += 1) {
            await writable.write(new Blob(Array(128).fill(crypto.getRandomValues(new Uint8Array(65536)))));
          }
          await writable.close();
          return (await safereel.uploadFile(await handle.getFile(), { handle })).id;
        })()"""
    )
    page.wait_view(recording_id, f"view.file.sentBytes >= {2 * CHUNK}")
    page.page.close()
    page.system.heal()

    page = embed(fileCopyBytes=0)
    told = page.system.until(recording_id, lambda told: bool(told["complete"]), timeout=SLOW_S)
    assert told["total_bytes"] == 5 * CHUNK


def test_recordings_go_before_files(embed: Embed, tmp_path: Path) -> None:
    page = embed(parallelPuts=2)
    page.system.bucket.add("PUT", "/v1/", Hold(), times=None)
    file_id = page.upload(make_file(tmp_path / "film.webm", 6 * CHUNK))["id"]
    until("several at once", lambda: under_way(page.system, file_id) >= 2)
    page.system.bucket.clear()
    # All turns are taken by the file, and stay so: the recording has its own.
    recorded = page.record()
    page.wait_view(recorded, "chunks.filter((c) => c.state === 'released').length >= 3")
    assert page.view(file_id)["file"]["sentBytes"] == 0
    page.stop()
    page.system.bucket.release_held()
    finish(page, file_id)


def test_another_tab_goes_on_when_the_one_with_the_file_is_closed(
    browser: Browser, embed: Embed, tmp_path: Path
) -> None:
    file = make_file(tmp_path / "film.webm", 5 * CHUNK)
    uploads = embed(fileCopyBytes=0)
    chooses = embed(fileCopyBytes=0)
    chooses.system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=1)
    recording_id = chooses.upload(file)["id"]
    uploads.wait_view(recording_id, f"view.file.sentBytes >= {CHUNK}")
    chooses.page.close()
    uploads.system.heal()
    finish(uploads, recording_id)
    assert stored_digest(uploads.system, recording_id) == digest_of(file)


def test_the_page_uploads_tells_how_it_goes_and_asks_for_the_file_again(
    browser: Browser, system: System, witness: Witness, tmp_path: Path
) -> None:
    # More than is copied to the device: after a reload the page needs the file.
    file = make_file(tmp_path / "film.webm", 34 * CHUNK)
    page = open_library(browser, system, witness)
    system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=2)
    page.choose_files("[data-testid=file-input]", file)
    page.wait_for_text("[data-testid=file-row]", "of 285 MB")
    page.wait_for("Number(document.querySelector('[role=progressbar]').ariaValueNow) >= 5")
    assert_accessible(page, "uploading")
    page.click("[data-testid=file-pause]")
    page.wait_for("document.querySelector('[data-testid=file-row]').dataset.state === 'paused'")
    page.click("[data-testid=file-pause]")
    page.wait_for("document.querySelector('[data-testid=file-row]').dataset.state === 'sending'")
    page.close()

    page = open_library(browser, system, witness)
    page.wait_for_text("[data-testid=file-needed]", "film.webm", timeout=SLOW_S)
    assert_accessible(page, "the file is needed")
    page.choose_files("[data-testid=file-again]", make_file(tmp_path / "other.webm", 5))
    page.wait_for_text("[data-testid=file-refused]", "source_changed")
    page.choose_files("[data-testid=file-again]", file)
    page.wait_for("document.querySelector('[data-testid=file-row]').dataset.state === 'sending'", timeout=SLOW_S)

    page.click("[data-testid=file-cancel]")
    recording_id = page.evaluate("document.querySelector('[data-testid=file-row]').dataset.id")
    page.click("[data-testid=dialog-act]")
    page.wait_for("document.querySelector('[data-testid=file-row]') === null")
    system.heal()
    assert system.recording(recording_id).get("state") in {"deleting", "deleted"}


def test_the_page_names_a_file_that_is_there_already(
    browser: Browser, system: System, witness: Witness, tmp_path: Path
) -> None:
    file = make_file(tmp_path / "only once.webm", 1000, seed=3)
    page = open_library(browser, system, witness)
    page.choose_files("[data-testid=file-input]", file)
    rows = "[...document.querySelectorAll('[data-testid=recordings-row]')]"
    page.wait_for(f"{rows}.some((row) => row.textContent.includes('only once.webm'))", timeout=SLOW_S)
    page.choose_files("[data-testid=file-input]", file)
    page.wait_for_text("[data-testid=file-already]", "only once.webm")
    assert_accessible(page, "there already")
    page.choose_files("[data-testid=file-input]", make_file(tmp_path / "letter.txt", 3))
    page.wait_for_text("[data-testid=file-refused]", "file_type_unsupported")


def open_library(browser: Browser, system: System, witness: Witness) -> Page:
    page = ConsolePage.open(browser, system, witness).page
    page.goto(f"{system.api.url}/recordings")
    page.wait_for("document.documentElement.dataset.ready === 'true'")
    return page
