"""Makes downloads: claims one that is due, has its files joined, packs them where they are several, and says how it ended.

Any number of workers share this. Whoever has a claim keeps it by telling how far it is; one that fell silent is taken over, and
what lies in the bucket of its work is gone on with. What a fault interrupts is queued again, with longer and longer waits. Where
chunks turn out not to be there, that is noted as a sweep's finding is, and the download waits until they are.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.db.chunks import ChunkStore
from control_plane.db.database import DatabaseUnreachable
from control_plane.db.deployment import DeploymentStore
from control_plane.db.downloads import Claim, DownloadStore
from control_plane.db.sweeps import SweepStore
from control_plane.domain.assembly import NotThere
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.downloads import AssemblyRules, WaitingFor, wait_after, wait_for_chunks
from control_plane.domain.errors import ChunksMissing, Internal, RecordingDeleted, StorageUnavailable
from control_plane.domain.findings import Finding
from control_plane.domain.media import MediaFailed
from control_plane.domain.models import Chunk, Verdict
from control_plane.domain.ranges import to_ranges
from control_plane.services.deployment import DeploymentService, WrongBucket
from control_plane.services.joining import ChunkWrong, Joiner
from control_plane.services.making import ClaimLost, Made, Making, ProgressMeter, RecordingGone

# What is said of a download that is ready, though not as it should be.
MEDIA_UNREADABLE = "media_unreadable"
# Of how far it is, people want to hear about so often; a claim is kept by the same statement.
TELL_EVERY_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AssemblyStores:
    """What of the ledger it reads and writes."""

    downloads: DownloadStore
    chunks: ChunkStore
    sweeps: SweepStore
    deployments: DeploymentStore


class AssemblyService:
    """Makes downloads, one claim at a time."""

    def __init__(
        self,
        stores: AssemblyStores,
        deployment: DeploymentService,
        joiner: Joiner,
        *,
        worker: str,
        rules: AssemblyRules,
    ) -> None:
        self._downloads = stores.downloads
        self._chunks = stores.chunks
        self._sweeps = stores.sweeps
        self._deployments = stores.deployments
        self._deployment = deployment
        self._joiner = joiner
        self._worker = worker
        self._rules = rules

    async def run(self, download_id: UUID) -> None:
        """Makes it, where it is to be made now and by this one; whatever comes of it stands in its row.

        Raises `DatabaseUnreachable`: then its lease ends, and it is taken over.
        """
        rules = self._rules
        claim = await self._downloads.claim(
            download_id, worker=self._worker, lease=rules.lease, per_owner=rules.per_owner
        )
        if claim is None:
            return
        fields = {"download_id": str(claim.id), "claim": claim.number}
        if claim.faults and wait_after(claim.faults) is None:
            await self._give_up(claim, Internal.code, "its makers fell silent, one after another")
            return
        _log.info("A download is being made", extra=fields)
        try:
            async with self._kept(claim) as progress:
                await self._deployment.require(await self._deployments.id())
                made = await Making(self._downloads, self._chunks, self._joiner, claim, progress).run()
            if await self._ready(claim, made):
                _log.info("A download is ready", extra={**fields, "bytes": made.file.size})
        except ClaimLost:
            _log.info("A download was taken from who made it", extra=fields)
        except asyncio.CancelledError:
            # The process ends: another one goes on at once.
            await asyncio.shield(self._downloads.put_back(claim, wait=timedelta(), waiting_for=None))
            raise
        except NotThere as exc:
            await self._wait_for(claim, exc.chunks)
        except ChunkWrong as exc:
            await self._doubt(exc)
            await self._wait_for(claim, [exc.chunk])
        except RecordingGone:
            gone = "One of its recordings was deleted."
            await self._downloads.failed(claim, cause=RecordingDeleted.code, detail=gone)
        except (BucketUnreachable, WrongBucket, MediaFailed) as exc:
            await self._try_again(claim, exc, StorageUnavailable.code)
        except Exception as exc:  # whatever it is, the download must not stay as if it were being made
            if isinstance(exc, DatabaseUnreachable):
                raise
            _log.exception("A download failed for a fault of ours; it is tried again", extra=fields)
            await self._try_again(claim, exc, Internal.code)

    async def _ready(self, claim: Claim, made: Made) -> bool:
        if not made.unreadable:
            return await self._downloads.ready(claim, made.file, keep=self._rules.keep)
        told = "Some of it cannot be read as media: that is in it byte by byte, as it was recorded."
        return await self._downloads.ready(claim, made.file, keep=self._rules.keep, cause=MEDIA_UNREADABLE, detail=told)

    async def _wait_for(self, claim: Claim, chunks: Sequence[Chunk]) -> None:
        """Until they are there again, or for so long that nobody will send them."""
        missing = ", ".join(f"{first}-{last}" for first, last in to_ranges(chunk.seq for chunk in chunks)) or "some"
        since = claim.waiting_since or claim.now
        if claim.now - since > self._rules.chunks_patience:
            told = f"Chunks {missing} are not in the bucket, and nobody sent them again. Ask with allow_gaps for what there is."
            await self._downloads.failed(claim, cause=ChunksMissing.code, detail=told)
            return
        told = (
            f"Chunks {missing} are not in the bucket: they are asked for again, and this goes on when they are there."
        )
        await self._downloads.put_back(
            claim,
            wait=wait_for_chunks(claim.now - since),
            waiting_for=WaitingFor.CHUNKS,
            cause=ChunksMissing.code,
            detail=told,
        )

    async def _doubt(self, wrong: ChunkWrong) -> None:
        """What was read wrong is a sweep's first sighting: its second heals it or asks its recorder. In the right bucket only."""
        try:
            await self._deployment.require(await self._deployments.id())
        except (BucketUnreachable, WrongBucket) as exc:
            _log.warning("A chunk was read wrong in a bucket that is in doubt itself", extra={"cause": str(exc)})
            return
        reread = None if wrong.verdict is Verdict.MISSING else timedelta()
        await self._sweeps.record_sightings([Finding(wrong.chunk, wrong.verdict, read_again=reread)])

    async def _try_again(self, claim: Claim, exc: Exception, cause: str) -> None:
        wait = wait_after(claim.faults + 1)
        fields = {"download_id": str(claim.id), "faults": claim.faults + 1, "cause": str(exc)}
        if wait is None:
            await self._give_up(claim, cause, str(exc))
            return
        _log.warning("A download was interrupted; it is tried again", extra=fields)
        told = "The bucket did not answer as it should; it is tried again."
        await self._downloads.put_back(
            claim, wait=wait, waiting_for=WaitingFor.RETRY, fault=True, cause=cause, detail=told
        )

    async def _give_up(self, claim: Claim, cause: str, why: str) -> None:
        fields = {"download_id": str(claim.id), "faults": claim.faults, "cause": why}
        _log.error("A download failed: its faults do not pass", extra=fields)
        told = "It could not be made, however often it was tried. Ask again later."
        await self._downloads.failed(claim, cause=cause, detail=told)

    @asynccontextmanager
    async def _kept(self, claim: Claim) -> AsyncIterator[ProgressMeter]:
        """Keeps the claim while open, and tells how far it is; ends what is inside with `ClaimLost` where it is taken away."""
        progress = ProgressMeter()
        inside = asyncio.current_task()
        assert inside is not None, "this is a coroutine"
        lost = False
        clock = asyncio.get_running_loop().time

        async def beat() -> None:
            nonlocal lost
            kept_until = clock() + self._rules.lease.total_seconds()
            held: bool | None = True
            # Where nobody could be told for as long as a lease, another one may have it by now.
            while held is not False and clock() < kept_until:
                await asyncio.sleep(TELL_EVERY_S)
                asked_at = clock()
                held = await self._still_ours(claim, progress.done)
                if held:
                    kept_until = asked_at + self._rules.lease.total_seconds()
            lost = True
            inside.cancel()

        beating = asyncio.create_task(beat())
        try:
            yield progress
        except asyncio.CancelledError:
            if lost and not inside.uncancel():
                raise ClaimLost from None
            raise
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            if not beating.cancelled() and (exc := beating.exception()) is not None:
                raise exc

    async def _still_ours(self, claim: Claim, done: int) -> bool | None:
        """Tells how far it is; None where the database is away, which for less than the lease costs nothing."""
        try:
            return await self._downloads.beat(claim, bytes_done=done, lease=self._rules.lease)
        except DatabaseUnreachable as exc:
            _log.warning("How far a download is could not be told", extra={"cause": str(exc)})
            return None
