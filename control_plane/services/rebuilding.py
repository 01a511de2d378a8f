"""Rebuild: the ledger made anew, or completed, from the bucket alone.

Everything that the bucket has and the ledger does not know is taken up; what the ledger has and nobody acked is adopted;
recordings with a manifest are complete again, and what their manifest names and the bucket does not have is asked for. It
may be cut off and run again, and run beside a live ledger: what is known is passed over.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from control_plane.db.deployment import DeploymentStore
from control_plane.db.rebuilding import RebuildStore
from control_plane.db.repairs import RepairStore
from control_plane.db.sweeps import SweepStore
from control_plane.domain.bucket import Bucket, BucketUnreachable
from control_plane.domain.keys import (
    CHUNKS_PREFIX,
    DEPLOYMENT_KEY,
    META_PREFIX,
    SHARDS,
    ChunkKey,
    parse_chunk_key,
    shard_of,
)
from control_plane.domain.models import Chunk, ChunkState, RecordingState
from control_plane.services.deployment import MARKER_LIMIT, DeploymentService, StillOurs, WrongBucket, marked_id
from control_plane.services.proving import Prover
from control_plane.services.sharing import SharingService
from control_plane.services.taking_up import TakenUp, TakeUpService

# A recording has many chunks and two files beside them. Stores list in order of shard; on one that does not, only this jumps.
CHUNKS_SHARE = 0.9
# A bucket that fails so many is in trouble: what is remembered of them stays small.
UNDECIDED_RECORDINGS = 10_000
OPEN = frozenset({RecordingState.OPEN, RecordingState.EXPIRED})
UNPROVEN = frozenset({ChunkState.GRANTED, ChunkState.MISSING, ChunkState.LOST})


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild saw and did so far, `progress` from 0 to 1. In a dry run: what it would do.

    `became`: the empty ledger took the bucket's deployment id. `adopted`: chunks granted, missing or lost that are there.
    `completed`: recordings that their manifest made complete, with `missing` chunks that are asked for. `bad_manifests`: not
    readable, or without a list of chunks. `foreign`: keys that are no chunk's.
    """

    became: bool = False
    progress: float = 0.0
    objects: int = 0
    known: int = 0
    foreign: int = 0
    adopted: int = 0
    completed: int = 0
    missing: int = 0
    bad_manifests: int = 0
    taken: TakenUp = field(default_factory=TakenUp)

    @property
    def whole(self) -> bool:
        """Whether everything well-formed in the bucket is in the ledger now."""
        taken = self.taken
        left = (taken.undescribed, taken.nameless, taken.unproven, taken.unreached, taken.refused, self.bad_manifests)
        return not any(left)


@dataclass(frozen=True, slots=True)
class RebuildStores:
    """What of the ledger a rebuild reads and writes."""

    rebuild: RebuildStore
    sweeps: SweepStore
    repairs: RepairStore
    deployments: DeploymentStore


class RebuildService:
    """Runs a rebuild."""

    def __init__(
        self,
        stores: RebuildStores,
        deployment: DeploymentService,
        bucket: Bucket,
        takeups: TakeUpService,
        prover: Prover,
        *,
        sharing: SharingService,
    ) -> None:
        self._stores = stores
        self._deployment = deployment
        self._bucket = bucket
        self._takeups = takeups
        self._sharing = sharing
        self._prover = prover

    async def run(self, told: Callable[[Rebuilt], None], *, dry_run: bool) -> Rebuilt:
        """One pass over the whole bucket; `told` is called after each page.

        Raises `WrongBucket` where the bucket bears no mark, or another's than the mark of a ledger that is not empty, and
        `BucketUnreachable`, `DatabaseUnreachable`: then run it again.
        """
        done = Rebuilt()
        marked = await self._become(done, dry_run=dry_run)
        ours = partial(self._deployment.require, marked)
        await self._chunks(ours, done, told, dry_run=dry_run)
        await self._descriptions(ours, done, told, dry_run=dry_run)
        done.progress = 1.0
        return done

    async def _become(self, done: Rebuilt, *, dry_run: bool) -> UUID:
        body = await self._bucket.read(DEPLOYMENT_KEY, limit=MARKER_LIMIT)
        marked = None if body is None else marked_id(body)
        if marked is None:
            raise WrongBucket(
                f"The bucket has no {DEPLOYMENT_KEY} that can be read, so nothing says whose recordings these are. Check "
                "S3_ENDPOINT and S3_BUCKET_NAME."
            )
        if marked != await self._stores.deployments.id():
            ledger = self._stores.rebuild
            if not await (ledger.could_become() if dry_run else ledger.become(marked)):
                raise WrongBucket(
                    f"{DEPLOYMENT_KEY} names the deployment {marked}, and this database is another's and not empty. Rebuild into "
                    "an empty database, or one restored from a backup of this deployment."
                )
            done.became = True
        return marked

    async def _chunks(self, ours: StillOurs, done: Rebuilt, told: Callable[[Rebuilt], None], *, dry_run: bool) -> None:
        async for page in self._bucket.list_pages(CHUNKS_PREFIX):
            await ours()
            keys = [parse_chunk_key(listed.key) for listed in page]
            chunk_keys = [key for key in keys if key is not None]
            done.objects += len(page)
            done.foreign += len(page) - len(chunk_keys)
            await self._take_up(chunk_keys, done, ours, dry_run=dry_run)
            if chunk_keys:
                done.progress = CHUNKS_SHARE * shard_of(chunk_keys[-1].recording_id) / SHARDS
            told(done)

    async def _take_up(self, keys: list[ChunkKey], done: Rebuilt, ours: StillOurs, *, dry_run: bool) -> None:
        known = await self._stores.sweeps.chunks_of(keys)
        doubtful = [chunk for chunk in known.values() if chunk.state in UNPROVEN]
        done.known += len(known) - len(doubtful)
        await self._takeups.take_up((key for key in keys if key not in known), done.taken, ours, dry_run=dry_run)
        await self._adopt(doubtful, done, ours, dry_run=dry_run)
        if len(done.taken.undecided) > UNDECIDED_RECORDINGS:
            raise BucketUnreachable("It gives no answer about too many objects.")

    async def _adopt(self, doubtful: list[Chunk], done: Rebuilt, ours: StillOurs, *, dry_run: bool) -> None:
        ids = {chunk.recording_id for chunk in doubtful}
        ends = await self._takeups.ends(ids, await self._stores.rebuild.states(ids), done.taken)
        within = [chunk for chunk in doubtful if chunk.seq < ends.get(chunk.recording_id, chunk.seq + 1)]
        proofs = await self._prover.prove(within)
        done.taken.refused += len(doubtful) - len(within)
        done.taken.unreached += len(proofs.unreached)
        done.taken.undecided.update(chunk.recording_id for chunk in proofs.unreached)
        if proofs.proven:
            await ours()
            done.adopted += len(proofs.proven) if dry_run else await self._stores.repairs.adopted(proofs.proven)

    async def _descriptions(
        self, ours: StillOurs, done: Rebuilt, told: Callable[[Rebuilt], None], *, dry_run: bool
    ) -> None:
        """Recordings without any chunk as well, and after their chunks those that are complete."""
        done.taken.told = {}  # what chunks had asked of them is not counted yet
        async for page in self._meta():
            await ours()
            ids = {recording_id for recording_id, _ in page}
            await self._takeups.take_up_recordings(ids, done.taken, ours, dry_run=dry_run)
            states = await self._stores.rebuild.states(ids)
            for recording_id, name in page:
                if name == "share.json" and not dry_run:
                    await self._sharing.take(recording_id)
                if (
                    name == "manifest.json"
                    and done.taken.told.get(recording_id, True)
                    and (states.get(recording_id) in OPEN or (dry_run and done.taken.told.get(recording_id)))
                ):
                    await self._complete(recording_id, done, ours, dry_run=dry_run)
            if page:
                done.progress = CHUNKS_SHARE + (1 - CHUNKS_SHARE) * shard_of(page[-1][0]) / SHARDS
            told(done)

    async def _meta(self) -> AsyncIterator[list[tuple[UUID, str]]]:
        async for page in self._bucket.list_pages(META_PREFIX):
            named = [listed.key.split("/")[-2:] for listed in page]
            found = [(_uuid(folder), name) for folder, name in named]
            yield [(recording_id, name) for recording_id, name in found if recording_id is not None]

    async def _complete(self, recording_id: UUID, done: Rebuilt, ours: StillOurs, *, dry_run: bool) -> None:
        if recording_id in done.taken.undecided:
            return  # what nobody could look at is not known to be missing: it is for another run to complete
        manifest = await self._takeups.manifest(recording_id)
        if manifest is None or manifest.chunks is None:
            done.bad_manifests += 1
        if manifest is None:
            return
        await ours()
        missing = 0 if dry_run else await self._stores.rebuild.complete(manifest)
        if missing is not None:
            done.completed += 1
            done.missing += missing


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
