"""The store of figures: what a whole deployment comes to, for whoever watches it."""

from control_plane.db.database import Database
from control_plane.domain.models import Figures


class FigureStore:
    """Sums over the ledger."""

    def __init__(self, database: Database, *, quota: int | None) -> None:
        """`quota`: the limit of owners that have none of their own, in bytes; None is no limit."""
        self._database = database
        self._quota = quota

    async def read(self) -> Figures:
        """The figures as they are now."""
        row = await self._database.row("figures", {"default_limit": self._quota})
        assert row is not None, "sums have a row"
        return Figures(**row)
