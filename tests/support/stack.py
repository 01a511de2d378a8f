"""One PostgreSQL and one SeaweedFS for the whole test session."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from control_plane.embedded import EmbeddedStack


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    """Runs in an event loop of its own, in a thread: tests with and without a loop share it."""
    with (
        tempfile.TemporaryDirectory(prefix="safereel-") as folder,
        start_blocking_portal(backend="asyncio") as portal,
        portal.wrap_async_context_manager(EmbeddedStack.open(Path(folder))) as running,
    ):
        yield running
