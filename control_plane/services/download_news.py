"""News of downloads for whoever watches them: heard once for a process, read once for all who watch the same.

A change is heard by notification, from whichever process made it. That may be lost: what is watched is read again now and then as
well, so that the worst of it is a delay.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from uuid import UUID

from control_plane.db.database import DatabaseUnreachable
from control_plane.db.downloads import DownloadStore
from control_plane.domain.downloads import Download

# How late news are where a notification was lost.
LOOK_EVERY = timedelta(seconds=10)
# A database that went away is asked again so often.
AGAIN_S = 1.0
# What ended while a page was away for a moment is told when it is back.
LATELY = timedelta(hours=1)

_log = logging.getLogger(__name__)


class Watch:
    """What one watcher has not been told yet: of each download its latest version alone, so that a slow one keeps up."""

    def __init__(self, *, download_id: UUID | None, owner: str) -> None:
        self.download_id = download_id
        self.owner = owner
        self._told = dict[UUID, int]()
        self._fresh = dict[UUID, Download]()
        self._woken = asyncio.Event()

    def tell(self, download: Download) -> None:
        """Unless it was told this version, or a later one."""
        mine = download.owner == self.owner and self.download_id in {None, download.id}
        if mine and download.version > self._told.get(download.id, 0):
            self._told[download.id] = download.version
            self._fresh[download.id] = download
            self._woken.set()

    async def news(self, within_s: float) -> Sequence[Download]:
        """What is new, in the order in which it changed; nothing where nothing changes within this time."""
        try:
            await asyncio.wait_for(self._woken.wait(), within_s)
        except TimeoutError:
            return []
        self._woken.clear()
        fresh = sorted(self._fresh.values(), key=lambda download: download.version)
        self._fresh.clear()
        return fresh


class DownloadNews:
    """Tells watchers of this process: it hears for as long as somebody watches."""

    def __init__(self, downloads: DownloadStore) -> None:
        self._downloads = downloads
        self._watches = set[Watch]()
        self._hearing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Hears no more."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])
            self._hearing = None

    @asynccontextmanager
    async def watching(self, owner: str, download_id: UUID | None = None) -> AsyncIterator[Watch]:
        """News of this download of the owner's, or of all of them; what there is comes first. Raises `DatabaseUnreachable`."""
        watch = Watch(download_id=download_id, owner=owner)
        self._watches.add(watch)
        try:
            if self._hearing is None or self._hearing.done():
                self._hearing = asyncio.create_task(self._hear())
            await self._look([watch])
            yield watch
        finally:
            self._watches.discard(watch)
            if not self._watches:
                await self.close()

    async def _hear(self) -> None:
        while True:
            try:
                async with aclosing(self._downloads.changed(LOOK_EVERY)) as changes:
                    async for changed in changes:
                        if changed:
                            await self._tell(changed, list(self._watches))
                        else:
                            await self._look(list(self._watches))
            except DatabaseUnreachable as exc:
                _log.warning("News of downloads could not be heard; tried again", extra={"cause": str(exc)})
            await asyncio.sleep(AGAIN_S)

    async def _look(self, watches: Sequence[Watch]) -> None:
        """Reads whatever these watch."""
        owners = {watch.owner for watch in watches if watch.download_id is None}
        ids = {watch.download_id for watch in watches if watch.download_id is not None}
        if owners:
            ids |= set(await self._downloads.lately(owners, LATELY))
        await self._tell(ids, watches)

    async def _tell(self, ids: Collection[UUID], watches: Sequence[Watch]) -> None:
        every = any(watch.download_id is None for watch in watches)
        wanted = set(ids) if every else set(ids) & {watch.download_id for watch in watches}
        for download in await self._downloads.those(list(wanted)) if wanted else ():
            for watch in watches:
                watch.tell(download)
