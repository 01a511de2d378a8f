"""Grants, acks and whole chunks a second, each beside what the same bucket does bare in the same run.

    .venv/bin/python -m tests.load.bench_control_plane

Everything runs on this machine's cores: PostgreSQL, SeaweedFS, the control plane and this load. Machines are noisy: the
ratios are what counts, not the rates.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from yarl import URL

from control_plane.bucket.presign import Address, Credentials, Signer, SigV4Presigner
from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.keys import chunk_key
from control_plane.embedded import read_running_stack

CONNECTIONS = 64
KIB, MIB = 1024, 1024 * 1024
START_S = 30.0
# Sweeps look at each ack once more, later: what is measured is the path that a recorder waits for.
# All is one owner's, and most grants are left to die.
QUIET = {
    "SAFEREEL_CONFIRM_INTERVAL_MS": "3600000",
    "SAFEREEL_AUDIT_INTERVAL_MS": "3600000",
    "SAFEREEL_LIVE_GRANTS": "100000",
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk, as asked for and as sent."""

    recording_id: uuid.UUID
    seq: int
    data: bytes
    sha256: str

    @property
    def claim(self) -> dict[str, object]:
        return {"seq": self.seq, "segment": 0, "size": len(self.data), "sha256": self.sha256}

    @property
    def key(self) -> str:
        return chunk_key(self.recording_id, self.seq, 0, len(self.data), self.sha256)


class Bench:
    """A running stack, a session against its API and one against its bucket."""

    def __init__(self, endpoint: str, api: aiohttp.ClientSession, s3: aiohttp.ClientSession, stack: Any) -> None:
        self._endpoint = endpoint
        self._api = api
        self._s3 = s3
        self._stack = stack["s3"]

    def presigner(self) -> SigV4Presigner:
        """Signs as the control plane does, for bare PUTs."""
        keys = Credentials(self._stack["access_key"], self._stack["secret_key"])
        address = Address.of(self._stack["endpoint"], self._stack["bucket"])
        signer = Signer(address, region=self._stack["region"], credentials=keys)
        return SigV4Presigner(signer, put_ttl=timedelta(hours=1), get_ttl=timedelta(hours=1))

    def bucket(self) -> S3Bucket:
        """The control plane's own client, for bare HEADs."""
        return S3Bucket(
            endpoint=self._stack["endpoint"],
            bucket=self._stack["bucket"],
            region=self._stack["region"],
            credentials=Credentials(self._stack["access_key"], self._stack["secret_key"]),
        )

    async def call(self, method: str, path: str, body: object) -> Any:
        async with self._api.request(method, self._endpoint + path, json=body) as answer:
            told = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {told[:300]!r}")
            return json.loads(told)

    async def put(self, url: str, headers: dict[str, str], data: bytes) -> str:
        async with self._s3.put(URL(url, encoded=True), data=data, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"PUT: {answer.status} {(await answer.read())[:300]!r}")
            return answer.headers["etag"]

    async def recording(self) -> uuid.UUID:
        recording_id = uuid.uuid4()
        body = {"recorder_id": str(uuid.uuid4()), "source": "file", "mime_type": "video/webm"}
        await self.call("PUT", f"/v1/recordings/{recording_id}", body)
        return recording_id

    async def chunks(self, count: int, size: int) -> list[Chunk]:
        recording_id = await self.recording()
        made = (os.urandom(16) + bytes(size - 16) for _ in range(count))
        return [Chunk(recording_id, seq, data, hashlib.sha256(data).hexdigest()) for seq, data in enumerate(made)]

    async def grant(self, chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
        body = {"chunks": [chunk.claim for chunk in chunks]}
        grants: list[dict[str, Any]] = (await self.call("POST", _path(chunks, "grants"), body))["grants"]
        return grants

    async def ack(self, chunks: Sequence[Chunk], etags: Sequence[str]) -> None:
        body = {"acks": [{"seq": chunk.seq, "etag": etag} for chunk, etag in zip(chunks, etags, strict=True)]}
        told = await self.call("POST", _path(chunks, "acks"), body)
        if any(ack["verdict"] != "match" for ack in told["acks"]):
            raise RuntimeError(f"not all acks match: {told}")

    async def put_granted(self, chunks: Sequence[Chunk]) -> list[str]:
        grants = await self.grant(chunks)
        return [
            await self.put(grant["put"]["url"], grant["put"]["headers"], chunk.data)
            for grant, chunk in zip(grants, chunks, strict=True)
        ]


def _path(chunks: Sequence[Chunk], noun: str) -> str:
    return f"/v1/recordings/{chunks[0].recording_id}/{noun}"


async def rate(jobs: Sequence[Callable[[], Awaitable[object]]], *, each: int = 1) -> float:
    """Units a second of `jobs` (of `each` units), `CONNECTIONS` at once."""
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            await job()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return len(jobs) * each / (time.perf_counter() - began)


def batches(chunks: Sequence[Chunk], size: int) -> list[Sequence[Chunk]]:
    return [chunks[at : at + size] for at in range(0, len(chunks), size)]


async def bench_grants(bench: Bench, scale: float) -> None:
    for size, count in ((1, int(3_000 * scale)), (100, int(40_000 * scale))):
        recordings = [await bench.chunks(max(size, count // 16), 16) for _ in range(16)]
        jobs = [partial(bench.grant, b) for chunks in recordings for b in batches(chunks, size)]
        told = await rate(jobs, each=size)
        print(f"grants, batches of {size:3}: {told:9,.0f} URLs/s")


async def bench_acks(bench: Bench, scale: float) -> None:
    recordings = [await bench.chunks(int(250 * scale), KIB) for _ in range(32)]
    etags: dict[str, str] = {}

    async def prepare(chunks: Sequence[Chunk]) -> None:
        for chunk, etag in zip(chunks, await bench.put_granted(chunks), strict=True):
            etags[chunk.key] = etag

    await rate([partial(prepare, b) for chunks in recordings for b in batches(chunks, 25)])
    flat = [chunk for group in zip(*recordings, strict=True) for chunk in group]
    async with bench.bucket() as bucket:
        heads = await rate([partial(bucket.head, c.key) for c in flat])
        acks = await rate([partial(bench.ack, [c], [etags[c.key]]) for c in flat])
        again = await rate([partial(bucket.head, c.key) for c in flat])
    bare = (heads + again) / 2
    print(f"bare HEADs            : {bare:9,.0f}/s (before {heads:,.0f}, after {again:,.0f})")
    print(f"acks, one a request   : {acks:9,.0f}/s = {acks / bare:.2f} of bare HEADs (goal 0.60)")


async def bench_chunks(bench: Bench, size: int, count: int, goal: float) -> None:
    signer = bench.presigner()

    async def bare(chunk: Chunk) -> None:
        put = signer.put(
            chunk.key, size=size, sha256=chunk.sha256, content_type="video/webm", overwrite=False, now=datetime.now(UTC)
        )
        await bench.put(put.url, put.headers, chunk.data)

    async def whole(chunks: Sequence[Chunk]) -> None:
        await bench.ack(chunks, await bench.put_granted(chunks))

    async def bare_rate() -> float:
        return await rate([partial(bare, c) for c in await bench.chunks(count, size)])

    before = await bare_rate()
    recordings = [await bench.chunks(count // CONNECTIONS, size) for _ in range(CONNECTIONS)]
    each = 4
    groups = [b for chunks in recordings for b in batches(chunks, each)]
    loop = await rate([partial(whole, b) for b in groups]) * sum(len(b) for b in groups) / len(groups)
    after = await bare_rate()
    base = (before + after) / 2
    print(f"bare PUTs of {size:9,} : {base:9,.0f}/s (before {before:,.0f}, after {after:,.0f})")
    print(f"grant, PUT, ack       : {loop:9,.0f}/s = {loop / base:.2f} of bare PUTs (goal {goal:.2f})")


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Bench]:
    """A stack of its own, stopped at the end."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "control_plane", "up", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env={**os.environ, **QUIET})
    endpoint = f"http://127.0.0.1:{port}"
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    try:
        async with aiohttp.ClientSession(connector=connector) as api, aiohttp.ClientSession() as s3:
            await _healthy(api, endpoint)
            async with api.post(f"{endpoint}/v1/session") as answer:
                token = (await answer.json())["token"]
            api.headers["authorization"] = f"Bearer {token}"
            yield Bench(endpoint, api, s3, read_running_stack(folder))
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _healthy(api: aiohttp.ClientSession, endpoint: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            async with api.get(f"{endpoint}/health") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the stack was not healthy in time")


async def main(scale: float) -> None:
    """Runs every bench on one fresh stack."""
    with tempfile.TemporaryDirectory(prefix="safereel-bench-") as folder:
        async with running(Path(folder)) as bench:
            await bench_grants(bench, scale)
            await bench_acks(bench, scale)
            await bench_chunks(bench, KIB, int(3_200 * scale), goal=0.6)
            await bench_chunks(bench, MIB, int(256 * scale), goal=0.95)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scale", type=float, default=1.0, help="how much of each (1.0)")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(arguments.parse_args().scale))
