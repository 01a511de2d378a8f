"""Freezing releases while too much is missing at once, and thawing them."""

import logging
from datetime import timedelta

from control_plane.db.freezes import FreezeStore
from control_plane.domain.findings import SweepReport
from control_plane.domain.freezing import (
    Evidence,
    Freeze,
    FreezeCause,
    FreezeRules,
    ThawedBy,
    is_mass,
    may_thaw,
    missing_of,
    unknown_of,
)
from control_plane.domain.models import SweepKind, SweepOutcome

# Audits of this time are judged together: long enough to go through a large bucket shard by shard, and for a loss that goes on
# slowly to add up; what is older was judged when it was found.
WINDOW = timedelta(hours=1)

_log = logging.getLogger(__name__)


class FreezeService:
    """Decides from what audits saw, whichever worker ran them. Nothing but releases stops."""

    def __init__(self, freezes: FreezeStore, rules: FreezeRules) -> None:
        self._freezes = freezes
        self._rules = rules

    async def now(self) -> Freeze | None:
        """The freeze that is in force, if one is."""
        return await self._freezes.now()

    async def weigh(self, under_way: Evidence, *, dry_run: bool) -> bool:
        """Stops releases if an audit under way, with those before it, has found too much; whether it has.

        `under_way`: what it has seen missing for the first time. A ticket takes a second time, so releases have stopped before
        the first ticket of a mass loss is opened. A dry run only answers.
        """
        seen = (await self._freezes.seen(WINDOW)).plus(under_way)
        if seen.found < self._rules.chunks:
            return False
        evidence = missing_of(seen, known=await self._freezes.acked())
        if not is_mass(evidence, self._rules):
            return False
        if not dry_run:
            await self._freeze(FreezeCause.MISSING, evidence)
        return True

    async def doubt(self) -> None:
        """After a sweep that could decide nothing: what was confirmed before is released only once it was seen again, by a
        confirmation or by an audit that begins later. What is confirmed from now on is not held up.
        """
        await self._freezes.doubt()

    async def distrust(self, seen: str) -> None:
        """Stops releases where a sweep met a bucket that is not provably ours: it was emptied, or is another one. What the ledger
        says is confirmed may be nowhere but on devices. Audits thaw it, once they went through all of a bucket that is ours.
        """
        if await self._freezes.begin(FreezeCause.BUCKET, {"seen": seen}):
            _log.error("Releases are frozen", extra={"cause": FreezeCause.BUCKET.value, "seen": seen})

    async def judge(self, report: SweepReport) -> None:
        """After a sweep is stored: thaws if audits found nothing new, freezes if the bucket is full of unknown keys."""
        if report.kind is not SweepKind.AUDIT or report.dry_run or report.outcome is not SweepOutcome.DECIDED:
            return
        unknown = await self._freezes.unknown(WINDOW)
        evidence = unknown_of(unknown)
        still_unknown = is_mass(evidence, self._rules)
        freeze = await self._freezes.now()
        if freeze is None:
            if still_unknown:
                await self._freeze(FreezeCause.UNKNOWN, evidence)
        elif may_thaw(freeze, all_covered=await self._freezes.all_covered(), still_unknown=still_unknown):
            await self._thaw(ThawedBy.AUDIT, unknown.unknown)

    async def freeze(self) -> Freeze:
        """By an administrator: until an administrator thaws it, also where audits had frozen it."""
        frozen = await self._freezes.begin(FreezeCause.ADMINISTRATOR, {})
        if frozen:
            _log.error("Releases are frozen", extra={"cause": frozen.cause.value})
        return frozen or await self._freezes.now() or await self.freeze()

    async def thaw(self) -> None:
        """By an administrator: what audits found so far, and the unknown keys that they saw, freeze nobody again.

        Where the bucket itself was the cause, nothing that was confirmed before is released before it was seen there again.
        """
        frozen = await self._freezes.now()
        if frozen is not None and frozen.cause is FreezeCause.BUCKET:
            await self._freezes.doubt()
        await self._thaw(ThawedBy.ADMINISTRATOR, (await self._freezes.unknown(WINDOW)).unknown)

    async def _freeze(self, cause: FreezeCause, evidence: Evidence) -> None:
        counted = {"found": evidence.found, "looked_at": evidence.looked_at}
        if await self._freezes.begin(cause, counted):
            _log.error("Releases are frozen", extra={"cause": cause.value, **counted})

    async def _thaw(self, by: ThawedBy, unknown: int) -> None:
        if thawed := await self._freezes.end(by, unknown=unknown):
            _log.warning("Releases go on", extra={"cause": thawed.cause.value, "thawed_by": by.value})
