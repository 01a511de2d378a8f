"""Recordings with real media for downloads, and what becomes of a download when somebody makes it."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import aiohttp
import anyio
from yarl import URL

from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder

SLICE_BYTES = 20_000


def cut(*segments: bytes, size: int = SLICE_BYTES) -> list[Chunk]:
    """The segments' bytes as the chunks that a recorder seals of them."""
    pieces = [
        (number, segment[at : at + size])
        for number, segment in enumerate(segments)
        for at in range(0, len(segment), size)
    ]
    return [Chunk(seq, number, data) for seq, (number, data) in enumerate(pieces)]


async def recorded(recorder: Recorder, chunks: Sequence[Chunk], *, complete: bool = True, **start: object) -> str:
    """Starts, sends, and completes a recording of these chunks; its id."""
    await recorder.start(**start)
    await recorder.send(chunks)
    if complete:
        await recorder.complete(chunks)
    return recorder.recording_id


async def begin(recorder: Recorder, *recording_ids: str, **more: object) -> dict[str, Any]:
    """`POST /v1/downloads`, of the recorder's own recording where none is named."""
    asked = {"recordings": list(recording_ids) or [recorder.recording_id], **more}
    told: dict[str, Any] = await recorder.call("POST", "/v1/downloads", asked)
    return told


async def looked_at(recorder: Recorder, download: dict[str, Any]) -> dict[str, Any]:
    """`GET /v1/downloads/{id}`."""
    told: dict[str, Any] = await recorder.call("GET", f"/v1/downloads/{download['id']}")
    return told


async def made(running: Running, recorder: Recorder, download: dict[str, Any]) -> dict[str, Any]:
    """The download after a worker has taken it up once."""
    await running.plane.assembly.run(UUID(download["id"]))
    return await looked_at(recorder, download)


async def fetched(running: Running, recorder: Recorder, download: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """The file's bytes as a browser gets them, following the redirect, and the headers that came with them."""
    address = f"{running.endpoint}/v1/downloads/{download['id']}/file"
    async with aiohttp.ClientSession() as client:
        headers = {"Authorization": f"Bearer {running.token(OWNER)}"}
        async with client.get(address, headers=headers, allow_redirects=False) as sent_on:
            assert sent_on.status == 302, await sent_on.text()
            location = sent_on.headers["Location"]
        async with client.get(URL(location, encoded=True)) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read(), {name.lower(): value for name, value in answer.headers.items()}


OWNER = "alice"


async def until_state(
    recorder: Recorder, download: dict[str, Any], *states: str, within_s: float = 30.0
) -> dict[str, Any]:
    """The download once it is in one of these states."""
    end = time.monotonic() + within_s
    while (told := await looked_at(recorder, download))["state"] not in states:
        assert time.monotonic() < end, f"not {states} within {within_s:.0f} s: {told}"
        await anyio.sleep(0.05)
    return told
