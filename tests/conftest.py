"""What every folder of tests may ask for."""

import pytest

from tests.support.stack import stack

__all__ = ["stack"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the control plane does."""
    return "asyncio"
