"""What the embedded bucket does by itself, as a baseline for everything else: HEAD, PUT and LIST on fresh data.

`python -m tests.load.bench_bucket [at once]`. Rates are of this process and the store together, on one machine.
"""

import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

from control_plane.bucket.provision import provision
from control_plane.bucket.s3 import S3Bucket
from control_plane.embedded import EmbeddedStack
from tests.support.buckets import MIME, Place, place_of

KIB, MIB = 1024, 1024 * 1024
HEADS = 20_000
SMALL_PUTS = 6_000
BIG_PUTS = 300


async def main(at_once: int) -> None:
    with tempfile.TemporaryDirectory(prefix="safereel-bench-") as folder:
        start = time.perf_counter()
        async with EmbeddedStack.open(Path(folder)) as stack:
            print(f"first start {time.perf_counter() - start:.2f} s; {at_once} at once")
            place = place_of(stack)
            await asyncio.to_thread(
                provision,
                endpoint=place.endpoint,
                bucket=place.bucket,
                region=place.region,
                credentials=place.credentials,
                origins=[],
            )
            await measure(place, at_once)


async def measure(place: Place, at_once: int) -> None:
    async with putting(place, KIB) as put:
        report("PUT 1 KiB", await rate(lambda number: put(key("small", number)), SMALL_PUTS, at_once))
    async with putting(place, MIB) as put:
        puts_a_second = await rate(lambda number: put(key("big", number)), BIG_PUTS, at_once)
        report("PUT 1 MiB", puts_a_second, f"{puts_a_second:,.0f} MiB/s")
    async with place.client() as bucket:
        used = time.process_time()
        heads_a_second = await rate(lambda number: bucket.head(key("small", number % SMALL_PUTS)), HEADS, at_once)
        used = time.process_time() - used
        report("HEAD", heads_a_second, f"{used / HEADS * 1e6:.0f} µs of our CPU each")
        report("LIST", await list_rate(bucket, "v1/small/"), "keys")


@asynccontextmanager
async def putting(place: Place, size: int) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """PUTs of so many bytes under a key, as recorders do them: through presigned URLs."""
    body, presigner = b"x" * size, place.presigner()
    digest = hashlib.sha256(body).hexdigest()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def put(key: str) -> None:
            granted = presigner.put(
                key, size=size, sha256=digest, content_type=MIME, overwrite=False, now=datetime.now(UTC)
            )
            url = URL(granted.url, encoded=True)
            async with session.put(url, headers=granted.headers, data=body) as answer:
                answer.raise_for_status()

        yield put


def key(kind: str, number: int) -> str:
    return f"v1/{kind}/{number:08d}"


async def rate(call: Callable[[int], Awaitable[object]], count: int, at_once: int) -> float:
    numbers = iter(range(count))

    async def one_after_another() -> None:
        for number in numbers:
            await call(number)

    start = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return count / (time.perf_counter() - start)


async def list_rate(bucket: S3Bucket, prefix: str) -> float:
    start, listed = time.perf_counter(), 0
    for _ in range(5):
        async for page in bucket.list_pages(prefix):
            listed += len(page)
    return listed / (time.perf_counter() - start)


def report(what: str, a_second: float, remark: str = "") -> None:
    print(f"{what:<10} {a_second:>9,.0f} a second   {remark}".rstrip())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 64))
