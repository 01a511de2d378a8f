"""Quotas: what an owner may have in the bucket, and counters that are compared with the ledger.

The limit is kept where the counters are: in the statements of grants, acks, expiry and deletion. Here they are read, set
and recounted.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from control_plane.db.database import RowLocked
from control_plane.db.owners import OwnerStore
from control_plane.domain.models import OwnerUsage, Recount, Usage

# A run looks at so many owners: each is locked for as long as its chunks are summed, a tenth of a second per 300,000.
OWNERS_A_RUN = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recounted:
    """The owners whose counters were off, and after whom to go on; None where everybody was recounted."""

    drifted: Sequence[Recount]
    next_after: str | None


class QuotaService:
    """What an owner and an administrator may know and do about quotas."""

    def __init__(self, owners: OwnerStore, *, recount_every: timedelta) -> None:
        self._owners = owners
        self._recount_every = recount_every

    async def usage(self, owner: str) -> Usage:
        """What the owner has of its quota, in bytes."""
        return await self._owners.usage(owner)

    async def set_limit(self, owner: str, limit: int | None) -> OwnerUsage:
        """Gives an owner a limit of its own (bytes), or with None that of everybody. What is there stays, whatever the limit."""
        return await self._owners.set_limit(owner, limit)

    async def page(self, *, after: str | None, limit: int) -> Sequence[OwnerUsage]:
        """Owners by id."""
        return await self._owners.page(after=after, limit=limit)

    async def recount_due(self) -> Sequence[Recount]:
        """Recounts owners whose counters were not compared with the ledger lately; at most some hundred a run."""
        return await self._recount(await self._owners.due(every=self._recount_every, limit=OWNERS_A_RUN))

    async def recount_all(self) -> Sequence[Recount]:
        """Recounts everybody, one owner after the other; answers those whose counters were off."""
        return (await self.recount_from(None, within=timedelta.max)).drifted

    async def recount_from(self, after: str | None, *, within: timedelta) -> Recounted:
        """Recounts owners by name, those after `after`, for about so long."""
        ends_at = time.monotonic() + within.total_seconds()
        drifted: list[Recount] = []
        while page := await self._owners.page(after=after, limit=OWNERS_A_RUN):
            for found in page:
                after = found.owner
                drifted += filter(_is_off, await self._recount([found.owner]))
                if time.monotonic() >= ends_at:
                    return Recounted(drifted, after)
        return Recounted(drifted, None)

    async def _recount(self, owners: Sequence[str]) -> Sequence[Recount]:
        recounts = [found for owner in owners if (found := await self._recounted(owner)) is not None]
        for recount in filter(_is_off, recounts):
            # A statement forgot to count, or somebody changed the ledger by hand: mended, and worth a look.
            _log.error(
                "The counters of an owner's quota were off; they are mended",
                extra={
                    "owner": recount.owner,
                    "used_off": recount.used_off,
                    "reserved_off": recount.reserved_off,
                    "grants_off": recount.grants_off,
                },
            )
        return recounts

    async def _recounted(self, owner: str) -> Recount | None:
        """None where the owner's row is locked: the others do not wait for the next run because of it."""
        try:
            return await self._owners.recount(owner)
        except RowLocked:
            _log.warning("An owner's row is locked; the next run recounts it", extra={"owner": owner})
            return None


def _is_off(recount: Recount) -> bool:
    return (recount.used_off, recount.reserved_off, recount.grants_off) != (0, 0, 0)
