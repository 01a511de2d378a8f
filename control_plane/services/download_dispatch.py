"""What of the downloads becomes work for the workers. What the queue loses, the clock puts there anew."""

import logging
from uuid import UUID

from control_plane.db.database import DatabaseUnreachable
from control_plane.db.downloads import DownloadStore
from control_plane.domain.work import DownloadWork
from control_plane.jobs.queue import JobQueue, QueueUnreachable

# More than all workers of a large deployment run at once: those behind them are put there as these end.
PUT_TOGETHER = 200

_log = logging.getLogger(__name__)


class DownloadDispatch:
    """Puts downloads into the queue: those that may run now, each owner's oldest first."""

    def __init__(self, downloads: DownloadStore, queue: JobQueue, *, per_owner: int) -> None:
        self._downloads = downloads
        self._queue = queue
        self._per_owner = per_owner

    async def run(self) -> int:
        """Sees to it that everything that may run now is in the queue; how many were put there. Raises `DatabaseUnreachable`."""
        due = await self._downloads.due(per_owner=self._per_owner, limit=PUT_TOGETHER)
        try:
            return await self._queue.put([DownloadWork(download_id) for download_id in due])
        except QueueUnreachable as exc:
            raise DatabaseUnreachable(str(exc)) from exc

    async def soon(self, download_id: UUID) -> None:
        """Has this one taken up at once, not only when the clock looks."""
        try:
            await self._queue.put([DownloadWork(download_id)])
        except QueueUnreachable as exc:
            fields = {"download_id": str(download_id), "cause": str(exc)}
            _log.warning("A download was not put into the queue; the clock does it", extra=fields)
