"""What every folder of tests may ask for."""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.stack import stack

__all__ = ["stack"]

# Folders whose tests run in a browser, but for these modules.
WITH_BROWSERS = ("tests/acceptance/", "tests/browser/")
WITHOUT_BROWSERS = ("tests/acceptance/test_up.py", "tests/acceptance/test_drill.py")


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Which worker runs which tests: one has all those with browsers, since two browsers at once starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(WITH_BROWSERS) and not nodeid.startswith(WITHOUT_BROWSERS):
            return "browsers"
        return nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Instead of the group of pytest-xdist 3.8, which pytest 9.2 passes over: it no longer reads a node's `_nodeid`."""
    return Sharing(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the thorough ones, unless they are asked for: by name, by mark (`-m thorough`) or all (THOROUGH=1)."""
    if config.option.markexpr or os.environ.get("THOROUGH") or any("::" in given for given in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows why a test was run again: what passes the second time is seldom looked at otherwise."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"run again: {report.nodeid}")
        terminalreporter.line(report.longreprtext)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the control plane does."""
    return "asyncio"
