"""What recording costs a page in each browser, and how fast files go beside bare PUTs of the same bytes in the same browser.

    .venv/bin/python -m tests.load.bench_recorder --minutes 10 [--engine firefox]

Everything runs on this machine's cores: browser, PostgreSQL, SeaweedFS and control plane. The ratios are what counts, on an idle
machine. Firefox tells neither long tasks nor heaps: there timers that come late are all there is, and the memory of its process.
"""

import argparse
import contextlib
import gzip
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from tests.support import processes
from tests.support.browser import Browser, Engine, Page
from tests.support.live import DIST, PAGE_OWNER, System, up
from tests.support.recorder_pages import build_embedding_page
from tests.support.site import serve_folder

MIB = 1024 * 1024
UPLOAD_MIB = 64
ROUNDS = 3  # a machine that does something else for a moment shows as one odd round
WATCH = Path(__file__).with_name("bench_recorder.js").read_text(encoding="utf-8")


def main() -> None:
    """Measures and prints; asserts nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--engine", choices=get_args(Engine), action="append")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = build_embedding_page(folder / "site")
        (folder / "up").mkdir()
        tell_sizes("a page with the recorder in it", site)
        tell_sizes("the shipped page", DIST)
        with serve_folder(site) as origin, up(folder / "up", origins=[origin]) as system:
            for engine in given.engine or get_args(Engine):
                with Browser.launch(folder / engine, engine=engine, at_ease=False) as browser:
                    measure(browser, engine, origin, system, given.minutes)


def tell_sizes(what: str, folder: Path) -> None:
    """Bytes of its scripts, compressed as a server would."""
    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9)) for file in folder.rglob("*.js")}
    listed = ", ".join(f"{name} {size / 1000:.1f}" for name, size in sorted(sizes.items(), key=lambda x: -x[1])[:6])
    print(f"{what}: {sum(sizes.values()) / 1000:.1f} kB of scripts, gzip ({listed})")


def measure(browser: Browser, engine: Engine, origin: str, system: System, minutes: float) -> None:
    """Records for so long, then uploads."""
    print(f"\n{browser.version}")
    page = open_page(browser, origin, system)
    page.evaluate("record({})")
    for part in ("start", "middle", "end"):
        if part != "start":
            time.sleep(minutes * 60 / 2)  # the length of what is measured, not a wait for anything
        heap = page.heap() if engine == "chromium" else {}
        tell_memory(part, heap, renderer_rss(browser))
    tell_recording(page.evaluate("bench.told()"), engine)
    page.evaluate("recording.stop()")
    page.close()
    page = open_page(browser, origin, system)
    ratios = []
    for number in range(ROUNDS):
        options = {"mib": UPLOAD_MIB, "endpoint": system.api.url, "token": system.token(PAGE_OWNER), "lanes": 6}
        bare, sent = (page.evaluate(f"bench.{way}({json.dumps(options)})", timeout=300) for way in ("bare", "upload"))
        ratios.append(bare / sent)
        speeds = f"{UPLOAD_MIB / bare * 1000:.0f} MiB/s bare, {UPLOAD_MIB / sent * 1000:.0f} by uploadFile"
        print(f"  upload {number + 1}: {speeds}, ratio {bare / sent:.2f}")
    print(f"  upload: ratio {sorted(ratios)[ROUNDS // 2]:.2f} in the middle of {ROUNDS}")


def open_page(browser: Browser, origin: str, system: System) -> Page:
    """The page of an integrator with the SDK's own defaults, and what watches it."""
    page = browser.new_page()
    page.goto(f"{origin}/")
    page.wait_for("document.documentElement.dataset.ready === 'true'")
    options = json.dumps({"endpoint": system.api.url})
    page.evaluate(f"embed({options}, {json.dumps(system.token(PAGE_OWNER))})")
    page.evaluate(WATCH)
    return page


def tell_memory(part: str, heap: Mapping[str, Any], rss: int) -> None:
    heaps = (
        f"heap of the page {heap['page'] / MIB:.1f} MiB, of its worker {sum(heap['workers']) / MIB:.1f} MiB, "
        if heap
        else ""
    )
    print(f"  {part}: {heaps}renderer {rss / MIB:.0f} MiB resident")


def tell_recording(told: Mapping[str, Any], engine: Engine) -> None:
    flushes: Sequence[float] = sorted(told["flushes"])
    late: Sequence[float] = told["late"]
    if flushes:
        p50, p99 = (flushes[min(len(flushes) - 1, int(len(flushes) * share))] for share in (0.5, 0.99))
        print(f"  flush: {len(flushes)}, p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {flushes[-1]:.1f} ms")
    if engine == "chromium":
        tasks: Sequence[float] = told["tasks"]
        print(f"  main thread: {len(tasks)} tasks over 50 ms, longest {max(tasks, default=0):.0f} ms")
    print(f"  timers over 50 ms late: {len(late)}, worst {max(late, default=0):.0f} ms")


def renderer_rss(browser: Browser) -> int:
    """Resident bytes of the largest process that runs pages."""
    largest = 0
    for pid in processes.descendants(browser.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            # Chromium's renderers have blanks where others have zeros.
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").split()
            if b"--type=renderer" in words or (b"-contentproc" in words and words[-1] == b"tab"):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                largest = max([largest, *(int(x.split()[1]) * 1024 for x in lines if x.startswith("VmRSS"))])
    return largest


if __name__ == "__main__":
    main()
