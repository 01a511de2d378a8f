"""Figures of the whole deployment, the same from every replica: read from the ledger, and at most so old."""

import time
from collections.abc import Mapping

from control_plane.db.events import EventStore
from control_plane.db.figures import FigureStore
from control_plane.domain.events import EventKind
from control_plane.domain.models import Figures

# Anybody may ask, and sums are not free; scrapers come every 15 s or so.
KEEP_S = 5.0


class FigureService:
    """Reads figures, not more often than anybody needs them."""

    def __init__(self, figures: FigureStore, events: EventStore) -> None:
        self._figures = figures
        self._events = events
        self._found: tuple[Figures, Mapping[EventKind, int]] | None = None
        self._read_at = 0.0
        self._counted_until = "0"
        self._counts: Mapping[EventKind, int] = {}

    async def read(self) -> tuple[Figures, Mapping[EventKind, int]]:
        """Figures that are at most some seconds old, and how many events of each kind there have been.

        Raises `DatabaseUnreachable`: old figures are not told for new.
        """
        if self._found is None or time.monotonic() - self._read_at > KEEP_S:
            self._found = await self._figures.read(), await self._count()
            self._read_at = time.monotonic()
        return self._found

    async def _count(self) -> Mapping[EventKind, int]:
        """Only what came since the last count is counted: the log grows for ever."""
        since, until = self._counted_until, await self._events.settled()
        new = await self._events.counted(since, until)
        if self._counted_until == since:  # else another call has counted meanwhile
            self._counts = {kind: self._counts.get(kind, 0) + new.get(kind, 0) for kind in EventKind}
            self._counted_until = until
        return self._counts
