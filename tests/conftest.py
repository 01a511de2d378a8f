"""What every folder of tests may ask for."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.stack import stack

__all__ = ["stack"]

WITH_BROWSERS = ("tests/acceptance/", "tests/browser/")


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Which worker runs which tests: one has all those with browsers, since two browsers at once starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        return "browsers" if nodeid.startswith(WITH_BROWSERS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Instead of the group of pytest-xdist 3.8, which pytest 9.2 passes over: it no longer reads a node's `_nodeid`."""
    return Sharing(config, log)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the control plane does."""
    return "asyncio"
