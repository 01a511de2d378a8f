"""Figures of the whole deployment, the same from every replica: read from the ledger, and at most so old."""

import time

from control_plane.db.figures import FigureStore
from control_plane.domain.models import Figures

# Anybody may ask, and sums are not free; scrapers come every 15 s or so.
KEEP_S = 5.0


class FigureService:
    """Reads figures, not more often than anybody needs them."""

    def __init__(self, figures: FigureStore) -> None:
        self._figures = figures
        self._found: Figures | None = None
        self._read_at = 0.0

    async def read(self) -> Figures:
        """Figures that are at most some seconds old. Raises `DatabaseUnreachable`: old ones are not told for new."""
        if self._found is None or time.monotonic() - self._read_at > KEEP_S:
            self._found = await self._figures.read()
            self._read_at = time.monotonic()
        return self._found
