"""Health names the part that does not answer, and the process lives on without it."""

import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from control_plane.config import Settings
from control_plane.domain.bucket import BucketUnreachable
from control_plane.wiring import open_control_plane
from tests.support.plane import Running

if TYPE_CHECKING:
    from control_plane.services.health import HealthService

pytestmark = pytest.mark.anyio


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def get(running: Running, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as client, client.get(running.endpoint + path) as answer:
        return answer.status, await answer.json()


async def test_all_is_well(running: Running) -> None:
    healthy = {"status": "healthy", "checks": {"storage": "ok", "database": "ok"}}
    assert await get(running, "/health") == (200, healthy)
    assert await get(running, "/health/ready") == (200, {"status": "ready"})
    assert await get(running, "/health/live") == (200, {"status": "live"})


@pytest.mark.parametrize(
    ("changed", "storage", "database"),
    [
        ({"s3_endpoint": "http://127.0.0.1:{port}"}, "unreachable", "ok"),
        ({"s3_bucket_name": "no-such-bucket"}, "unreachable", "ok"),
        ({"s3_access_key_id": "nobody"}, "unreachable", "ok"),
        ({"database_url": "postgresql://u:p@127.0.0.1:{port}/db"}, "ok", "unreachable"),
    ],
)
async def test_the_part_that_is_gone_is_named(
    settings: Settings, changed: dict[str, str], storage: str, database: str
) -> None:
    members = {name: value.format(port=closed_port()) for name, value in changed.items()}
    given = {**settings.model_dump(), **members}
    async with open_control_plane(Settings(**given)) as plane:
        health: HealthService = plane.services.health
        found = await health.check()
        assert (found.storage, found.database, found.healthy) == (storage, database, False)


async def test_unhealthy_is_503_and_live_is_not_affected(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(self: object) -> None:
        raise BucketUnreachable("probe: connection refused")

    monkeypatch.setattr("control_plane.bucket.s3.S3Bucket.probe", gone)
    unhealthy = {"status": "unhealthy", "checks": {"storage": "unreachable", "database": "ok"}}
    assert await get(running, "/health") == (503, unhealthy)
    assert await get(running, "/health/ready") == (503, {"status": "not_ready"})
    assert await get(running, "/health/live") == (200, {"status": "live"})
