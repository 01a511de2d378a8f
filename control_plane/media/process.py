"""The parent's side of a child: starts it, feeds it, hears it, watches over it, and ends it whatever happens."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import control_plane
from control_plane.domain.media import MediaFailed, MediaUnreadable, ScratchFull
from control_plane.media.framing import PIECE_BYTES, Broken, Frame, Received, header, receive
from control_plane.media.orders import Order

# Where `-m` finds the package, be it installed or not: the child has no environment to tell it.
_ROOT = Path(control_plane.__file__).parents[1]
# Of what the child writes to stderr only the end is kept, for a log's line.
_LAST_WORDS_BYTES = 1024
# A child's status that says: out of memory.
_NO_MEMORY = 3
# The silence is looked at so many times within what is allowed of it.
_LOOKS = 8


class Child:
    """A child at work on `order`, being fed with `segments`. SIGKILLed where the context is left."""

    def __init__(self, order: Order, segments: Iterable[AsyncIterator[bytes]]) -> None:
        self._order = order
        self._segments = segments
        self._process: Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last_words = b""
        self._silent = False
        # For whom the other side waits: where both wait for the child, its silence counts.
        self._feeding = False
        self._hearing = False
        self._heard_at = 0.0

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._started.pid

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-B",
            "-m",
            "control_plane.media.child",
            *self._order.arguments(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={},
            cwd=_ROOT,
            start_new_session=True,
            close_fds=True,
            limit=PIECE_BYTES,
        )
        self._feeder = asyncio.create_task(self._feed())
        self._tasks = [self._feeder, asyncio.create_task(self._watch()), asyncio.create_task(self._listen_to_words())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._started.wait()
        # Closes the pipes: their ends are objects that nobody else would close.
        self._started._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  # asyncio has no other way

    async def hear(self) -> Received:
        """The next frame. Raises what ended the child early, or what the segments raised."""
        stdout = self._started.stdout
        assert stdout is not None
        self._hearing = True
        self._heard_at = asyncio.get_running_loop().time()
        try:
            received = await receive(stdout)
        except Broken:
            self._kill()
            raise
        finally:
            self._hearing = False
        if received is None:
            await self._raise_end()
        self._heard_at = asyncio.get_running_loop().time()
        match received.frame:
            case Frame.UNREADABLE:
                raise MediaUnreadable(
                    received.data.decode(errors="replace"), received.number - 1 if received.number else None
                )
            case Frame.SCRATCH_FULL:
                raise ScratchFull(
                    f"the file takes more than the scratch space: {self._order.scratch_bytes} bytes, or the disk is full"
                )
        return received

    @property
    def _started(self) -> Process:
        assert self._process is not None
        return self._process

    def _kill(self) -> None:
        # Not by the process' own method: it would take the child's status away from whoever waits for it.
        if self._started.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _feed(self) -> None:
        try:
            for segment in self._segments:
                async for chunk in segment:
                    await self._send_chunk(chunk)
                await self._send(header(Frame.SEGMENT_END))
            await self._send(header(Frame.INPUT_END))
        except (BrokenPipeError, ConnectionResetError):
            return  # it has ended, and says why
        except BaseException:
            self._kill()
            raise
        self._feeding = True  # nothing is owed to it any more

    async def _send_chunk(self, chunk: bytes) -> None:
        whole = memoryview(chunk)
        for begin in range(0, len(whole), PIECE_BYTES):
            piece = whole[begin : begin + PIECE_BYTES]
            await self._send(header(Frame.BYTES, len(piece)), piece)

    async def _send(self, *parts: bytes | memoryview) -> None:
        stdin = self._started.stdin
        assert stdin is not None
        self._feeding = True
        stdin.writelines(parts)
        await stdin.drain()
        self._feeding = False
        self._heard_at = asyncio.get_running_loop().time()

    async def _watch(self) -> None:
        """Kills a child that takes nothing and says nothing, while nobody but it is waited for."""
        loop = asyncio.get_running_loop()
        while not self._silent:
            await asyncio.sleep(self._order.silence_s / _LOOKS)
            if not (self._feeding and self._hearing):
                self._heard_at = loop.time()
            elif loop.time() - self._heard_at > self._order.silence_s:
                self._silent = True
        self._kill()

    async def _listen_to_words(self) -> None:
        stderr = self._started.stderr
        assert stderr is not None
        while words := await stderr.read(_LAST_WORDS_BYTES):
            self._last_words = (self._last_words + words)[-_LAST_WORDS_BYTES:]

    async def _raise_end(self) -> NoReturn:
        """Raises why there is no further frame."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._started.wait(), self._order.silence_s)
        self._kill()
        status = await self._started.wait()
        if self._feeder.done() and not self._feeder.cancelled() and (exc := self._feeder.exception()) is not None:
            raise exc
        if self._silent:
            raise MediaFailed(f"the child was silent for {self._order.silence_s} s")
        if status == _NO_MEMORY:
            raise MediaFailed(f"the child needs more than {self._order.memory_bytes} bytes of memory")
        cause = signal.Signals(-status).name if status < 0 else f"status {status}"
        words = self._last_words.decode(errors="replace").strip().rpartition("\n")[2]
        raise MediaFailed(f"the child ended with {cause} ({words or 'no last words'})")
