"""A bucket of which only the listing is there: ListObjectsV2 answered from memory, as fast as loopback allows.

`python -m tests.load.replayed_listing FILE PAGE_MS` serves the keys of FILE (`key size etag` a line, in S3's order) until it is
ended, and prints its port. Each page waits PAGE_MS first: a store across a network takes some tens of milliseconds for one.
"""

import asyncio
import sys
from bisect import bisect_left, bisect_right
from pathlib import Path

import uvloop
from aiohttp import web

from control_plane.domain.keys import DEPLOYMENT_KEY

PAGE_KEYS = 1_000
OPENED = b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'


class Replay:
    """Answers as a bucket that holds these objects; the deployment's mark is `mark`."""

    def __init__(self, lines: list[str], mark: str, *, page_s: float) -> None:
        self._keys = [line.split(" ", 1)[0] for line in lines]
        self._entries = [_entry(*line.split(" ")) for line in lines]
        self._mark = mark
        self._page_s = page_s

    async def answer(self, request: web.Request) -> web.Response:
        """A page of the listing, or the mark; of anything else there is nothing."""
        if request.query.get("list-type") == "2":
            if self._page_s:
                await asyncio.sleep(self._page_s)
            return web.Response(body=self._page(request), content_type="application/xml")
        if request.path.endswith(DEPLOYMENT_KEY):
            return web.Response(text=self._mark, content_type="application/json")
        return web.Response(status=404)

    def _page(self, request: web.Request) -> bytes:
        prefix = request.query.get("prefix", "")
        after = request.query.get("continuation-token") or request.query.get("start-after") or ""
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
        end = bisect_left(self._keys, prefix + "\x7f")
        last = min(first + PAGE_KEYS, end)
        more = b"<IsTruncated>false</IsTruncated>"
        if last < end:
            token = self._keys[last - 1].encode()
            more = b"<IsTruncated>true</IsTruncated><NextContinuationToken>" + token + b"</NextContinuationToken>"
        return b"".join([OPENED, more, *self._entries[first:last], b"</ListBucketResult>"])


def _entry(key: str, size: str, etag: str) -> bytes:
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    ).encode()


async def main(file: Path, page_ms: float) -> None:
    """Serves until ended. The first line of the file is the mark."""
    mark, *lines = (await asyncio.to_thread(file.read_text)).splitlines()
    app = web.Application()
    app.router.add_get("/{path:.*}", Replay(lines, mark, page_s=page_ms / 1_000).answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), float(sys.argv[2])))
