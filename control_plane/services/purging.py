"""The purge: every version under a deleted recording's prefixes is removed, and looked for again until no URL is left.

Bounded, idempotent, safe to run twice at once. Each step is a commit of its own, so a process may die between any two: the
next run goes on. Nothing is removed from a bucket that does not bear this deployment's mark.
"""

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.db.deletion import DeletionStore, DuePurge
from control_plane.db.deployment import DeploymentStore
from control_plane.domain.bucket import Bucket, BucketUnreachable, ObjectVersion
from control_plane.domain.keys import bulk_prefix, prefixes_of
from control_plane.domain.models import DeletionsUnderWay
from control_plane.domain.purging import wait_after
from control_plane.services.deployment import DeploymentService, WrongBucket
from control_plane.services.emptying import removable_pages, removed_together

# One run's share, one after the other: removal is slow, and what an owner waits for is only the first look.
VISITS_PER_RUN = 100
# And its time: then the next run looks again which is longest due.
RUN = timedelta(minutes=1)
# Pages of one visit, some 25,000 versions: then others have their turn before this one goes on.
PAGES_PER_VISIT = 50
# Longer than a visit of that size takes (measured: 165 to 300 removals a second); a process that died is replaced after it.
LEASE = timedelta(minutes=5)
# A late PUT costs storage only, and a look is two calls.
LOOK_AGAIN = timedelta(minutes=1)
# Rows that one statement removes: some tens of milliseconds, and no long locks.
ROWS_TOGETHER = 2_000
# Remains of deleted recordings that one audit has removed; more are the next one's.
REMAINS_PER_AUDIT = 100
# A cause is read by people and kept in a row.
CAUSE_CHARACTERS = 300

_log = logging.getLogger(__name__)


class PurgeRefused(Exception):
    """The store answered, and did not remove everything; the message says why."""


@dataclass(slots=True)
class _Visit:
    """One look at a recording's prefixes: what was removed, whether there is more, and why versions may be hidden from us.

    `ends_at`: by `time.monotonic`; whoever finds it past stops after the step that is under way.
    """

    ends_at: float = math.inf
    removed: int = 0
    more: bool = False
    hidden: str | None = None

    def is_over(self) -> bool:
        """Whether its time is up."""
        return time.monotonic() >= self.ends_at

    def hide(self, cause: str) -> None:
        """Older versions may be there that the store does not show."""
        self.hidden = cause


@dataclass(frozen=True, slots=True)
class Purged:
    """What one run did: recordings looked at, versions removed, recordings that are now `deleted`, and failures.

    `more`: it ended for its limits, and there may be others that are due.
    """

    looked_at: int = 0
    removed: int = 0
    finished: int = 0
    failed: int = 0
    more: bool = False


class PurgeService:
    """Empties the prefixes of recordings that were deleted."""

    def __init__(
        self, deletions: DeletionStore, deployments: DeploymentStore, deployment: DeploymentService, bucket: Bucket
    ) -> None:
        self._deletions = deletions
        self._deployments = deployments
        self._deployment = deployment
        self._bucket = bucket

    async def run(self, *, within: timedelta = RUN) -> Purged:
        """Visits the recordings that are due, for about so long. A failure is counted and tried again later; it stops nobody
        else's purge.
        """
        ends_at = time.monotonic() + within.total_seconds()
        looked_at = removed = finished = failed = 0
        while may_go_on := looked_at < VISITS_PER_RUN and time.monotonic() < ends_at:
            if (purge := await self._deletions.claim_purge(lease=LEASE)) is None:
                break
            looked_at += 1
            visit = _Visit(ends_at)
            try:
                finished += await self._purge(purge, visit)
            except (BucketUnreachable, WrongBucket, PurgeRefused) as exc:
                failed += 1
                await self._note_failure(purge, visit, str(exc)[:CAUSE_CHARACTERS])
            except asyncio.CancelledError:
                await self._give_back(purge, visit)
                raise
            removed += visit.removed
        return Purged(looked_at, removed, finished, failed, more=not may_go_on)

    async def under_way(self, *, limit: int) -> DeletionsUnderWay:
        """Deletions that are not finished, those that fail first."""
        return await self._deletions.under_way(limit=limit)

    async def deleted_among(self, recording_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Which of these are `deleted`: for ever, so that nothing of them can be wanted."""
        return frozenset(await self._deletions.deleted_among(recording_ids)) if recording_ids else frozenset()

    async def remove_remains(self, deleted: Iterable[UUID]) -> int:
        """Removes what an audit found of recordings that `deleted_among` has named; how many versions.

        Raises `BucketUnreachable`, `WrongBucket`. What the store refuses is logged; the next audit finds it again.
        """
        removed = 0
        for recording_id in sorted(deleted)[:REMAINS_PER_AUDIT]:
            visit = _Visit()
            fields = {"recording_id": str(recording_id)}
            try:
                await self._visit(recording_id, visit)
                _log.warning("Remains of a deleted recording were removed", extra={**fields, "objects": visit.removed})
            except PurgeRefused as exc:
                _log.error("Remains of a deleted recording cannot be removed", extra={**fields, "cause": str(exc)})
            await self._deletions.removed_remains(recording_id, visit.removed)
            removed += visit.removed
        return removed

    async def _purge(self, purge: DuePurge, visit: _Visit) -> bool:
        """Whether the recording is `deleted` now."""
        await self._visit(purge.id, visit)
        if purge.may_end and visit.removed and not visit.more and await self._still_there(purge.id):
            raise PurgeRefused("The store said that it removed everything, and still lists some of it.")
        if visit.removed or visit.more or not purge.may_end:
            # Only a visit that found nothing, begun when no URL was alive any more, is the end.
            await self._deletions.seen(
                purge.id,
                removed=visit.removed,
                more=visit.more or (purge.may_end and visit.removed > 0),
                again=LOOK_AGAIN,
            )
            return False
        if not await self._forget(purge.id, visit):
            await self._deletions.seen(purge.id, removed=0, more=True, again=LOOK_AGAIN)
            return False
        if finished := await self._deletions.finish(purge.id):
            _log.info("A recording is deleted", extra={"recording_id": str(purge.id)})
        return finished

    async def _visit(self, recording_id: UUID, visit: _Visit) -> None:
        """Removes what lies under the recording's prefixes; first and last the bucket must show whose it is."""
        await self._require_right_bucket()
        pages = 0
        for prefix in await self._prefixes(recording_id):
            async for page in removable_pages(self._bucket, prefix, visit.hide):
                await self._remove(page, visit)
                pages += 1
                visit.more = visit.more or pages == PAGES_PER_VISIT
                if visit.more:
                    return
        await self._require_right_bucket()  # a store that is going away shows nothing
        if visit.hidden:
            raise PurgeRefused(
                f"{visit.hidden} What a plain listing shows was removed, but older versions may be left: allow "
                "s3:ListBucketVersions and s3:DeleteObjectVersion."
            )

    async def _still_there(self, recording_id: UUID) -> bool:
        """Whether anything is listed although all was removed and nothing can come any more."""
        for prefix in await self._prefixes(recording_id):
            async for page in removable_pages(self._bucket, prefix, _Visit().hide):
                if page:
                    return True
        return False

    async def _prefixes(self, recording_id: UUID) -> Sequence[str]:
        """Where something of it may lie: its own prefixes, and the files in which it was packed with others."""
        packed = await self._deletions.packed(recording_id)
        return [*prefixes_of(recording_id), *(bulk_prefix(download_id) for download_id in packed)]

    async def _require_right_bucket(self) -> None:
        await self._deployment.require(await self._deployments.id())

    async def _remove(self, page: Sequence[ObjectVersion], visit: _Visit) -> None:
        for batch in removed_together(page):
            refused = await self._bucket.remove(batch)
            visit.removed += len(batch) - len(refused)
            if refused:
                raise PurgeRefused(f"{len(refused)} versions were not removed, the first for {refused[0].code}.")
            if visit.is_over():
                visit.more = True
                return

    async def _forget(self, recording_id: UUID, visit: _Visit) -> bool:
        """Removes the recording's rows in bounded batches; tickets refer to chunks, so they go first. False if time was up."""
        for forget in (self._deletions.forget_tickets, self._deletions.forget_chunks):
            while await forget(recording_id, limit=ROWS_TOGETHER):
                if visit.is_over():
                    return False
        await self._deletions.forget_holdings(recording_id)
        return True

    async def _give_back(self, purge: DuePurge, visit: _Visit) -> None:
        """What was cut off is gone on with at once, not after the lease. One that fails is to wait, and keeps its failures."""
        if visit.removed or not purge.failures:
            await self._deletions.seen(purge.id, removed=visit.removed, more=True, again=LOOK_AGAIN)

    async def _note_failure(self, purge: DuePurge, visit: _Visit, cause: str) -> None:
        failures = purge.failures + 1
        await self._deletions.failed(purge.id, removed=visit.removed, cause=cause, wait=wait_after(failures))
        fields = {"recording_id": str(purge.id), "failures": failures, "cause": cause}
        _log.error("A deleted recording could not be purged; it is tried again", extra=fields)
