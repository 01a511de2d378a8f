"""Downloads beside `ffmpeg -c copy` of the same bytes: how fast, in how much memory, and who hears of them how soon.

    python -m tests.load.bench_downloads [--live-mib 150] [--file-mib 512] [--big-mib 0] [--listeners 500]

A worker of its own makes them, on a stack of this run; database, bucket, worker and this process share the machine.
`--live-mib`: a recording whose media are remuxed. `--file-mib`: a file that the bucket joins. `--big-mib`: both again of
that size, for the peak of memory (5120 for 5 GiB). `--listeners`: so many streams of events of one download, and how long a
change takes to reach the last of them.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import aiohttp
import anyio
import uvloop

from control_plane.embedded import EmbeddedStack
from tests.integration.test_machines import machines
from tests.support.databases import fresh_database, make_template
from tests.support.downloads import begin, looked_at
from tests.support.movies import long_film
from tests.support.plane import Running, fresh_bucket, running_plane, settings_for
from tests.support.recorder import Chunk, Recorder

MIB = 1024 * 1024
LIVE_CHUNK, FILE_CHUNK = MIB, 8 * MIB
# Sounds of a usual bit rate, so that there are as many packets as in a film.
SOUND_BYTES = 200


def in_chunks(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in chunks of this size; the last one is what is left."""
    kept = bytearray()
    for piece in pieces:
        kept += piece
        while len(kept) >= size:
            yield bytes(kept[:size])
            del kept[:size]
    if kept:
        yield bytes(kept)


def noise(mebibytes: int) -> Iterator[bytes]:
    """Bytes of a file that is no media."""
    block = bytes(range(256)) * (MIB // 256)
    for number in range(mebibytes):
        yield number.to_bytes(8) + block[8:]


async def stored(recorder: Recorder, contents: Iterator[bytes], **start: object) -> int:
    """Sends a recording of these chunks, one after another; how many bytes it has."""
    await recorder.start(**start)
    sizes = []
    for seq, data in enumerate(contents):
        sizes.append(len(data))
        await recorder.send([Chunk(seq, 0, data)])
    totals = {"chunk_count": len(sizes), "total_bytes": sum(sizes), "accept_lost": False}
    await recorder.call("POST", f"/v1/recordings/{recorder.recording_id}/complete", totals)
    return sum(sizes)


class Peak:
    """The most memory that a process and its children have had, each for itself: resident, in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.own = self.children = 0.0

    async def watch(self) -> None:
        """Looks until it is cancelled; `VmHWM` misses nothing but children that live shorter than a look."""
        while True:
            self.own = max(self.own, _high_water(self._pid))
            self.children = max([self.children, *(_high_water(child) for child in _children(self._pid))])
            await anyio.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _high_water(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


async def timed(running: Running, recorder: Recorder, size: int, peak: Peak, title: str) -> float:
    """Seconds from asking to `ready`; prints them, the rate and the peak of memory."""
    watching = asyncio.create_task(peak.watch())
    began = time.perf_counter()
    download = await begin(recorder)
    while (told := await looked_at(recorder, download))["state"] in {"queued", "running"}:
        await anyio.sleep(0.02)
        await running.plane.download_dispatch.run()
    took = time.perf_counter() - began
    watching.cancel()
    assert told["state"] == "ready", told
    rate = size / MIB / took
    print(
        f"{title}: {size / MIB:,.0f} MiB ready after {took:.2f} s, {rate:.0f} MiB/s; peak of the worker {peak.own:.0f} MiB, "
        f"of its children {peak.children:.0f} MiB",
        flush=True,
    )
    return rate


def copied_by_ffmpeg(contents: Iterator[bytes], folder: Path) -> float | None:
    """MiB a second of `ffmpeg -c copy` from file to file; None where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return None
    source, target = folder / "in.webm", folder / "out.webm"
    with source.open("wb") as out:
        for piece in contents:
            out.write(piece)
    began = time.perf_counter()
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-c", "copy", str(target)]
    subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - began
    size = source.stat().st_size
    source.unlink()
    target.unlink()
    return size / MIB / took


async def heard(running: Running, recorder: Recorder, listeners: int) -> None:
    """How long after a change the first, the middle and the last of so many hear of it."""
    download = await begin(recorder)
    headers = {"Authorization": f"Bearer {running.token()}"}
    address = f"{running.endpoint}/v1/downloads/{download['id']}/events"
    times: list[float] = []
    listening = anyio.Semaphore(0)

    async def listen(client: aiohttp.ClientSession) -> None:
        async with client.get(address, headers=headers) as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    state = json.loads(line.removeprefix(b"data: "))["state"]
                    if state == "cancelled":
                        times.append(time.perf_counter())
                        return
                    listening.release()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as client:
        tasks = [asyncio.create_task(listen(client)) for _ in range(listeners)]
        for _ in range(listeners):
            await listening.acquire()
        changed = time.perf_counter()
        await recorder.call("DELETE", f"/v1/downloads/{download['id']}")
        await asyncio.gather(*tasks)
    waits = sorted(at - changed for at in times)
    first, middle, last = (1000 * waits[at] for at in (0, len(waits) // 2, -1))
    print(
        f"{listeners} listeners heard of a change after {first:.0f} ms (first), {middle:.0f} (middle), {last:.0f} (last)"
    )


async def main(asked: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="safereel-bench-") as folder:
        async with EmbeddedStack.open(Path(folder) / "stack") as stack:
            make_template(stack)
            with fresh_database(stack) as url, fresh_bucket(stack) as bucket:
                settings = settings_for(stack, url, bucket)
                async with running_plane(stack, settings) as running:
                    with machines(settings, Path(folder) / "logs") as machine:
                        worker = machine.start("worker")
                        await measure(running, Peak(worker.pid), asked, Path(folder))
                    # No worker makes it any more: it changes when it is told to.
                    async with running.recorder(mime_type="video/mp4") as recorder:
                        await stored(recorder, iter([b"x"]), source="file")
                        await heard(running, recorder, asked.listeners)


async def measure(running: Running, peak: Peak, asked: argparse.Namespace, folder: Path) -> None:
    """Everything, one after another."""
    rounds = [("live", asked.live_mib, asked.file_mib), ("big", asked.big_mib, asked.big_mib)]
    for name, live_mib, file_mib in rounds:
        if live_mib:
            async with running.recorder(mime_type="video/webm") as recorder:
                film = long_film(live_mib, sound_bytes=SOUND_BYTES)
                size = await stored(recorder, in_chunks(film, LIVE_CHUNK))
                rate = await timed(running, recorder, size, peak, "remuxed")
            if name == "live" and (bare := copied_by_ffmpeg(long_film(live_mib, sound_bytes=SOUND_BYTES), folder)):
                print(f"ffmpeg -c copy from file to file: {bare:.0f} MiB/s; ratio {rate / bare:.2f}", flush=True)
        if file_mib:
            async with running.recorder(mime_type="video/mp4") as recorder:
                size = await stored(recorder, in_chunks(noise(file_mib), FILE_CHUNK), source="file")
                rate = await timed(running, recorder, size, peak, "joined by the bucket")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live-mib", type=int, default=150)
    parser.add_argument("--file-mib", type=int, default=512)
    parser.add_argument("--big-mib", type=int, default=0)
    parser.add_argument("--listeners", type=int, default=500)
    uvloop.run(main(parser.parse_args(sys.argv[1:])))
