"""The process that reads media: what it may do, how it ends, and that neither it nor its parent holds much of a film."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from control_plane.domain.media import Container, MediaFailed, ScratchFull
from control_plane.media.remuxing import Remuxer
from tests.support.movies import film, long_film
from tests.support.processes import is_running
from tests.support.remuxed import arriving, remux, remuxer, streamed

pytestmark = pytest.mark.anyio

GONE_S = 20.0
# Longer than a child takes to start on a busy machine, and no longer than a test may take.
SHORT_S = 4.0
MIB = 1024 * 1024
# What a child may take beyond what a short film takes: FFmpeg's look ahead and clusters (5 MB each, some copies), an index.
GROWTH = 80 * MIB


async def test_it_has_no_environment_no_descriptors_and_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEREEL_S3_SECRET_KEY", "of-nobody-else")
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        async with remuxer(tmp_path).remux([_endless()], Container.WEBM) as writing:
            await anext(writing)
            proc = Path("/proc") / str(writing.pid)
            assert _environment(proc) == b""
            assert all(each.startswith(("pipe:", "socket:")) for each in _opened(proc))
            assert os.getsid(writing.pid) == writing.pid != os.getsid(0)
            limits = _limits(proc)
            assert limits["Max address space"] == 1024**3
            assert (limits["Max core file size"], limits["Max file size"]) == (0, 0)
            assert limits["Max open files"] <= 16
    finally:
        os.close(inherited)


async def test_it_is_gone_when_the_context_is_left(tmp_path: Path) -> None:
    async with remuxer(tmp_path).remux([_endless()], Container.WEBM) as writing:
        await anext(writing)
    assert not is_running(writing.pid)


async def test_it_is_gone_when_who_waits_for_it_is_cancelled(tmp_path: Path) -> None:
    pids = list[int]()

    async def work() -> None:
        async with remuxer(tmp_path).remux([_endless()], Container.WEBM) as writing:
            pids.append(writing.pid)
            async for _ in writing:
                pass

    task = asyncio.create_task(work())
    await _until(lambda: bool(pids))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(pids[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_crash_costs_one_file_and_says_how(number: signal.Signals, tmp_path: Path) -> None:
    async with remuxer(tmp_path).remux([_endless()], Container.WEBM) as writing:
        await anext(writing)
        os.kill(writing.pid, number)
        with pytest.raises(MediaFailed, match=number.name):
            await _drain(writing)


async def test_one_that_hangs_while_it_is_fed_is_killed(tmp_path: Path) -> None:
    async with remuxer(tmp_path, silence_s=SHORT_S).remux([_endless()], Container.WEBM) as writing:
        await anext(writing)
        os.kill(writing.pid, signal.SIGSTOP)
        with pytest.raises(MediaFailed, match="silent"):
            await _drain(writing)
        assert not is_running(writing.pid)


async def test_to_wait_for_bytes_or_for_whoever_takes_the_file_is_no_silence(tmp_path: Path) -> None:
    segment = film()

    async def slow() -> AsyncIterator[bytes]:
        yield segment[:10_000]
        await asyncio.sleep(1.2 * SHORT_S)  # the test's subject is this time
        yield segment[10_000:]

    async with remuxer(tmp_path, silence_s=SHORT_S).remux([slow(), arriving(segment)], Container.WEBM) as writing:
        await anext(writing)
        await asyncio.sleep(1.2 * SHORT_S)
        await _drain(writing)
    assert writing.result is not None


def test_one_whose_library_hangs_ends_itself_should_its_parent_be_gone() -> None:
    hanging = """
import io
from control_plane.media.confinement import Alarmed
pipes = Alarmed(io.BytesIO(), io.BytesIO(), 0.2)
pipes.read(1)
while True:
    pass
"""
    done = subprocess.run([sys.executable, "-c", hanging], check=False, timeout=GONE_S, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGALRM


def test_one_whose_parent_is_gone_ends(tmp_path: Path) -> None:
    parent = """
import asyncio, sys
from pathlib import Path
from control_plane.domain.media import Container
from tests.support.movies import long_film
from tests.support.remuxed import remuxer, streamed

async def main():
    async with remuxer(Path(sys.argv[1])).remux([streamed(long_film(10_000))], Container.WEBM) as writing:
        await anext(writing)
        print(writing.pid, flush=True)
        async for _ in writing:
            pass

asyncio.run(main())
"""
    command = [sys.executable, "-c", parent, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as it:
        assert it.stdout is not None
        pid = int(it.stdout.readline())
        it.kill()
    asyncio.run(_until(lambda: not is_running(pid)))


async def test_too_little_memory_is_no_fault_of_the_media(tmp_path: Path) -> None:
    pieces = streamed(long_film(40, picture_bytes=30 * MIB))
    with pytest.raises(MediaFailed, match="memory"):
        async with remuxer(tmp_path, memory_bytes=150 * MIB).remux([pieces], Container.WEBM) as writing:
            await _drain(writing)


async def test_an_mp4_that_does_not_fit_into_the_scratch_space_says_so(tmp_path: Path) -> None:
    segment = film("mp4", "libx264", "aac")
    with pytest.raises(ScratchFull, match="10000 bytes"):
        await remux(remuxer(tmp_path, scratch_bytes=10_000), [segment, segment], Container.MP4)
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # as short as it can be said


async def test_what_the_segments_raise_is_raised(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield film()
        raise ConnectionError("the bucket hung up")

    with pytest.raises(ConnectionError, match="hung up"):
        async with remuxer(tmp_path).remux([broken()], Container.WEBM) as writing:
            await _drain(writing)
    assert not is_running(writing.pid)


async def test_nothing_more_is_read_than_is_taken(tmp_path: Path) -> None:
    fed = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal fed
        for piece in long_film(64):
            fed += len(piece)
            yield piece

    async with remuxer(tmp_path).remux([counted()], Container.WEBM) as writing:
        await anext(writing)
        await _until_still(lambda: fed, writing.pid)
        assert fed < 16 * MIB
        await _drain(writing)
    assert fed > 64 * MIB
    assert writing.size > 60 * MIB


async def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    assert await _growth(remuxer(tmp_path), long_film(48)) < GROWTH


async def test_a_picture_now_and_then_keeps_no_sound_waiting_in_memory(tmp_path: Path) -> None:
    pieces = long_film(64, picture_bytes=1_000, sound_bytes=900, pictures_every_ms=1_000_000)
    assert await _growth(remuxer(tmp_path), pieces) < GROWTH


@pytest.mark.thorough
async def test_memory_does_not_grow_with_a_long_film(tmp_path: Path) -> None:
    before = _memory(os.getpid(), "VmRSS")
    assert await _growth(remuxer(tmp_path), long_film(512)) < GROWTH
    assert _memory(os.getpid(), "VmHWM") - before < 150 * MIB


@pytest.mark.thorough
async def test_memory_does_not_grow_with_hours_of_little(tmp_path: Path) -> None:
    pieces = long_film(160, picture_bytes=200, sound_bytes=100, pictures_every_ms=1_000)
    assert await _growth(remuxer(tmp_path), pieces) < 150 * MIB


async def _growth(found: Remuxer, pieces: Iterator[bytes]) -> int:
    """By how many bytes more a child takes at its peak for this film than for one of two seconds."""
    least = await _peak(found, iter([film()]))
    return await _peak(found, pieces) - least


async def _peak(found: Remuxer, pieces: Iterator[bytes]) -> int:
    peak = 0
    async with found.remux([streamed(pieces)], Container.WEBM) as writing:
        async for _ in writing:
            peak = _memory(writing.pid, "VmHWM") or peak
    assert writing.result is not None
    assert writing.result.damaged == ()
    return peak


def _memory(pid: int, name: str) -> int:
    """A process's memory in bytes; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def _environment(proc: Path) -> bytes:
    return (proc / "environ").read_bytes()


def _opened(proc: Path) -> list[str]:
    return [str(entry.readlink()) for entry in (proc / "fd").iterdir()]


def _limits(proc: Path) -> dict[str, int]:
    lines = (proc / "limits").read_text().splitlines()[1:]
    return {line[:26].strip(): int(line[26:47].strip()) for line in lines if line[26:47].strip().isdigit()}


async def _endless() -> AsyncIterator[bytes]:
    for piece in long_film(10_000):
        yield piece


async def _drain(pieces: AsyncIterator[object]) -> None:
    async for _ in pieces:
        pass


async def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + GONE_S
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def _until_still(number: Callable[[], int], pid: int) -> None:
    """Returns when the child sleeps and the number has not changed for a while."""
    same, last = 0, -1

    def is_still() -> bool:
        nonlocal same, last
        asleep = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
        same = same + 1 if asleep and number() == last else 0
        last = number()
        return same == 20

    await _until(is_still)
