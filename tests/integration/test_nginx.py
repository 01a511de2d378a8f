"""nginx in front, as docs/operations.md sets it: no request waits for a download, and events come as they happen."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
import anyio
import pytest
from yarl import URL

from control_plane.api import download_events
from control_plane.services.making import Made, Making
from tests.support import parts
from tests.support.downloads import begin, cut, recorded
from tests.support.live import free_port
from tests.support.movies import film
from tests.support.plane import Running

pytestmark = pytest.mark.anyio

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
MAIN = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


@asynccontextmanager
async def in_front(running: Running, folder: Path, *, read_timeout_s: int) -> AsyncIterator[str]:
    """The address of an nginx that is set as documented, but for names, ports and how long it waits for an answer."""
    found = re.search(r"```nginx\n(.*?)```", DOCUMENTED.read_text(), re.DOTALL)
    assert found is not None, "operations.md shows a configuration"
    port, behind = free_port(), running.endpoint.removeprefix("http://")
    site = found[1]
    for documented, here in (
        ("server 127.0.0.1:8000;", f"server {behind};"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("proxy_read_timeout 35s;", f"proxy_read_timeout {read_timeout_s}s;"),
    ):
        assert documented in site
        site = site.replace(documented, here)
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder, site=site))
    command = [str(parts.nginx()), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    try:
        await _answers(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def _answers(port: int, process: asyncio.subprocess.Process) -> None:
    end = time.monotonic() + 20
    while process.returncode is None and time.monotonic() < end:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await anyio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError(f"nginx does not listen (status {process.returncode})")


@pytest.fixture
def signs_of_life(monkeypatch: pytest.MonkeyPatch, lengths: tuple[int, int]) -> None:
    """Events say something more often than this nginx waits, as they do with the documented one."""
    monkeypatch.setattr(download_events, "HEARTBEAT_S", min(15.0, lengths[0] / 2))


@pytest.mark.parametrize("lengths", [(3, 8), pytest.param((30, 120), marks=pytest.mark.thorough)])
@pytest.mark.usefixtures("signs_of_life")
async def test_a_job_that_takes_longer_than_the_proxy_waits(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lengths: tuple[int, int]
) -> None:
    waits_s, takes_s = lengths
    began = time.monotonic()
    make = Making.run

    async def slowly(making: Making) -> Made:
        await anyio.sleep(max(0.0, began + takes_s - time.monotonic()))
        return await make(making)

    monkeypatch.setattr(Making, "run", slowly)
    headers = {"Authorization": f"Bearer {running.token()}"}
    async with (
        in_front(running, tmp_path, read_timeout_s=waits_s) as proxy,
        running.recorder(mime_type="video/webm") as recorder,
        aiohttp.ClientSession(headers=headers) as client,
    ):
        recorder.move_to(proxy)
        await recorded(recorder, cut(film(seconds=1)), title="Behind a proxy")
        begun = await begin(recorder)
        heard_at: list[tuple[str, float]] = []
        async with client.get(f"{proxy}/v1/downloads/{begun['id']}/events") as events:
            assert events.status == 200
            making = asyncio.create_task(running.plane.assembly.run(UUID(begun["id"])))
            async for line in events.content:
                if line.startswith(b"data: "):
                    state = json.loads(line.removeprefix(b"data: "))["state"]
                    heard_at.append((state, time.monotonic()))
        await making
        assert heard_at[0][0] == "queued"
        assert heard_at[-1][0] == "ready"
        running_at = next(at for state, at in heard_at if state == "running")
        assert heard_at[-1][1] - running_at > waits_s  # told while it was made, not gathered until its end
        async with client.get(f"{proxy}/v1/downloads/{begun['id']}/file", allow_redirects=False) as sent_on:
            assert sent_on.status == 302
            location = sent_on.headers["Location"]
    async with aiohttp.ClientSession() as client, client.get(URL(location, encoded=True)) as answer:
        assert (await answer.read())[:4] == b"\x1a\x45\xdf\xa3"
