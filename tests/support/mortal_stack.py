"""PostgreSQL and SeaweedFS that no other test uses, so that one may be killed, and started again where it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

from control_plane.embedded import EmbeddedStack
from tests.support.databases import make_template
from tests.support.processes import kill_tree

Part = Literal["PostgreSQL", "SeaweedFS"]


class MortalStack:
    """A stack on a folder of its own."""

    def __init__(self, folder: Path, opened: AsyncExitStack) -> None:
        self._folder = folder
        self._opened = opened
        self.parts: EmbeddedStack

    async def start(self) -> None:
        """Starts both parts, at the addresses that they had before."""
        self.parts = await self._opened.enter_async_context(EmbeddedStack.open(self._folder))

    async def kill(self, part: Part) -> None:
        """SIGKILL of one of them, with all its processes; the other goes on."""
        await asyncio.to_thread(kill_tree, self.parts.public()["children"][part])
        await self.parts.failed

    async def start_again(self) -> None:
        """As somebody who starts everything again after one of them has died."""
        before = (self.parts.database_url, self.parts.s3.endpoint)
        await self._opened.aclose()
        await self.start()
        assert (self.parts.database_url, self.parts.s3.endpoint) == before, "at other addresses"


@asynccontextmanager
async def mortal_stack(folder: Path) -> AsyncIterator[MortalStack]:
    """Both parts running, with the template that tests' databases are copies of."""
    async with AsyncExitStack() as opened:
        found = MortalStack(folder, opened)
        await found.start()
        await asyncio.to_thread(make_template, found.parts)
        yield found
