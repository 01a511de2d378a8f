"""What tests of deletions do and see behind the control plane's back."""

import asyncio
from collections.abc import Awaitable
from typing import Any, LiteralString

import aiohttp
import pytest

from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder, Refused

WAITING: LiteralString = """
select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


async def versions(running: Running, recorder: Recorder) -> list[str]:
    """The keys of all versions and delete markers of the recording, wherever they lie."""
    pages = running.s3.get_paginator("list_object_versions").paginate(Bucket=running.settings.s3_bucket_name)
    found = await asyncio.to_thread(list, pages)
    entries = [entry for page in found for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    return [entry["Key"] for entry in entries if recorder.recording_id in entry["Key"]]


async def recorded(recorder: Recorder, count: int = 3) -> list[Chunk]:
    """Starts a recording and sends `count` chunks of it."""
    await recorder.start()
    chunks = [recorder.chunk(seq, size=3_000) for seq in range(count)]
    await recorder.send(chunks)
    return chunks


async def let_urls_die(running: Running) -> None:
    """As if all URLs that were given out had expired long ago, and it were time to look again."""
    await running.sql(
        "update recordings set purge_until = now() - interval '1 second', purge_after = now() where state = 'deleting'"
    )


async def look_again(running: Running) -> None:
    """As if it were time to look again; URLs that were given out still live."""
    await running.sql("update recordings set purge_after = now() where state = 'deleting'")


async def finish(running: Running) -> None:
    """Deletions under way come to their end."""
    await let_urls_die(running)
    await running.plane.services.purges.run()
    await let_urls_die(running)
    await running.plane.services.purges.run()


async def admin(running: Running, method: str, path: str) -> dict[str, Any]:
    """An administrator's call."""
    headers = {"authorization": f"Bearer {running.token('root', scopes=['admin'])}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, running.endpoint + path) as answer,
    ):
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def code_of(call: Awaitable[object]) -> tuple[int, str]:
    """Status and code of the refusal that a call ends with."""
    with pytest.raises(Refused) as refused:
        await call
    return refused.value.problem.status, refused.value.problem.code


async def quota(recorder: Recorder) -> tuple[int, int]:
    """Used and reserved bytes as the owner sees them."""
    found = (await recorder.call("GET", "/v1/me"))["quota"]
    return found["used_bytes"], found["reserved_bytes"]


async def listed(recorder: Recorder) -> dict[str, dict[str, Any]]:
    """The owner's list, by id."""
    page = await recorder.call("GET", "/v1/recordings")
    return {row["id"]: row for row in page["recordings"]}


async def only_deletion(running: Running) -> dict[str, Any]:
    """The one deletion that is under way, as an administrator sees it."""
    (deletion,) = (await admin(running, "GET", "/v1/admin/deletions"))["deletions"]
    found: dict[str, Any] = deletion
    return found


async def until_somebody_waits(running: Running) -> None:
    """Returns once a statement waits for a lock that another transaction holds."""
    async with asyncio.timeout(10):
        while not await running.sql(WAITING):  # noqa: ASYNC110  # of the server: nothing here could set an event
            await asyncio.sleep(0.01)
