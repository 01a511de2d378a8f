"""Taking up: well-formed objects that the ledger does not know, because it was lost or restored from an old backup.

The bytes are proven as for any ack; whose they are, `recording.json` beside them tells. Nothing that the ledger knows is changed.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from control_plane.db.rebuilding import RebuildStore
from control_plane.domain.bucket import Bucket, ObjectTooLong
from control_plane.domain.keys import ChunkKey, manifest_key
from control_plane.domain.models import DELETED, Chunk, ChunkState, RecordingState
from control_plane.domain.rebuilding import Described, Manifested, manifested
from control_plane.services.at_once import at_once
from control_plane.services.deployment import StillOurs
from control_plane.services.describing import described_in_bucket
from control_plane.services.proving import Prover

# 500,000 chunks of 110 bytes, the longest that is ever listed, and as much again.
MANIFEST_LIMIT = 128 * 1024 * 1024
# 9,000 chunks, half a day of them: so long ones may be read beside each other.
SHORT_MANIFEST = 1024 * 1024
# More recordings than one step has; a listing comes back to none that is that long ago.
REMEMBERED_ENDS = 4_096
# HEADs and rows of one step: some megabytes, and statements of some ten milliseconds.
TOGETHER = 1_000
# No grant is alive of what is taken up.
_LONG_AGO = datetime.fromtimestamp(0, UTC)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class TakenUp:
    """What was taken up (in a dry run: would be), and what could not be.

    `undescribed`: chunks of recordings that no readable `recording.json` tells the owner of. `unproven`: their bytes are not
    those that the key names. `refused`: the number is bound to other content, is beyond a complete recording's end, or the
    recording was deleted. `unreached`: the bucket gave no answer about them, so nothing is known; `undecided` are the recordings
    that they belong to. `nameless`: recordings that have something beside their chunks, and no readable `recording.json`.

    `told`: whether the recordings of the last step are described. `ends`: how many chunks those have that were asked for last,
    None where no manifest tells. So the next step need not read it again.
    """

    recordings: int = 0
    chunks: int = 0
    undescribed: int = 0
    unproven: int = 0
    refused: int = 0
    unreached: int = 0
    nameless: int = 0
    undecided: set[UUID] = field(default_factory=set)
    told: Mapping[UUID, bool] = field(default_factory=dict)
    ends: dict[UUID, int | None] = field(default_factory=dict)


class TakeUpService:
    """Used by audits for what they come across, and by `rebuild` for everything."""

    def __init__(self, store: RebuildStore, bucket: Bucket, prover: Prover) -> None:
        self._store = store
        self._bucket = bucket
        self._prover = prover
        self._long = asyncio.Semaphore(1)  # one long manifest in memory, not many

    async def take_up(self, keys: Iterable[ChunkKey], taken: TakenUp, ours: StillOurs, *, dry_run: bool) -> None:
        """Takes up chunks that the ledger does not know; what became of them is added to `taken`.

        `ours` is asked after each look at the bucket, before what was seen is written. Raises what it raises, and
        `BucketUnreachable` where a description cannot be read.
        """
        wanted = list(keys)
        for first in range(0, len(wanted), TOGETHER):
            await self._take_up(wanted[first : first + TOGETHER], taken, ours, dry_run=dry_run)

    async def take_up_recordings(self, ids: Iterable[UUID], taken: TakenUp, ours: StillOurs, *, dry_run: bool) -> None:
        """Takes up recordings that the ledger does not know, from their descriptions; those without one are counted."""
        before = taken.told
        told = await self._describe(set(ids), taken, ours, dry_run=dry_run)
        taken.nameless += sum(not found for recording_id, found in told.items() if recording_id not in before)
        if (
            dry_run
        ):  # nothing is written, so each would be taken up by each of its chunks' steps: here it is counted once
            taken.recordings += sum(found for recording_id, found in told.items() if recording_id not in before)

    async def manifest(self, recording_id: UUID) -> Manifested | None:
        """The recording's manifest; None where it has none that can be read. Raises `BucketUnreachable`."""
        try:
            body = await self._bucket.read(manifest_key(recording_id), limit=MANIFEST_LIMIT)
        except ObjectTooLong:
            return None
        return None if body is None else manifested(body, recording_id)

    async def _take_up(self, keys: Sequence[ChunkKey], taken: TakenUp, ours: StillOurs, *, dry_run: bool) -> None:
        ids = {key.recording_id for key in keys}
        told = await self._describe(ids, taken, ours, dry_run=dry_run)
        states: Mapping[UUID, RecordingState] = await self._store.states(ids)
        homeless = {key for key in keys if not told.get(key.recording_id, True)}
        dead = {key for key in keys if states.get(key.recording_id) in DELETED}
        ends = await self.ends({key.recording_id for key in keys if key not in homeless | dead}, states, taken)
        beyond = {key for key in keys if key.recording_id in ends and key.seq >= ends[key.recording_id]}
        left_out = homeless | dead | beyond
        proofs = await self._prover.prove([_chunk_of(key) for key in keys if key not in left_out])
        proven = proofs.proven
        await ours()
        done = len(proven) if dry_run else len(await self._store.take_up_chunks(proven)) if proven else 0
        taken.chunks += done
        taken.undescribed += len(homeless)
        taken.refused += len(dead | beyond) + len(proven) - done
        taken.unreached += len(proofs.unreached)
        taken.undecided.update(chunk.recording_id for chunk in proofs.unreached)
        taken.unproven += len(keys) - len(left_out) - len(proven) - len(proofs.unreached)

    async def ends(
        self, ids: AbstractSet[UUID], states: Mapping[UUID, RecordingState], taken: TakenUp
    ) -> Mapping[UUID, int]:
        """Where those end that are complete by their manifest, and not in the ledger: what lies beyond is no part of them."""
        asked = [recording_id for recording_id in ids if states.get(recording_id) is not RecordingState.COMPLETE]
        read = [recording_id for recording_id in asked if recording_id not in taken.ends]
        if len(taken.ends) > REMEMBERED_ENDS:
            taken.ends.clear()
        taken.ends.update(zip(read, await at_once(self._end, read), strict=True))
        return {recording_id: end for recording_id in asked if (end := taken.ends[recording_id]) is not None}

    async def _end(self, recording_id: UUID) -> int | None:
        try:
            body = await self._bucket.read(manifest_key(recording_id), limit=SHORT_MANIFEST)
            manifest = None if body is None else manifested(body, recording_id)
        except ObjectTooLong:
            async with self._long:
                manifest = await self.manifest(recording_id)
        return None if manifest is None else manifest.chunk_count

    async def _describe(
        self, ids: AbstractSet[UUID], taken: TakenUp, ours: StillOurs, *, dry_run: bool
    ) -> Mapping[UUID, bool]:
        """Of those that the ledger does not know: whether they are described, and so are taken up now (or would be)."""
        wanted = sorted(ids - set(await self._store.told(ids)))
        read = [recording_id for recording_id in wanted if recording_id not in taken.told]
        found = dict(zip(read, await at_once(self._described, read), strict=True))
        if found:
            await ours()
        for recording_id, description in found.items():
            if description is None:
                _log.error(
                    "A recording in the bucket has no description that can be read",
                    extra={"recording_id": str(recording_id)},
                )
            elif not dry_run:
                taken.recordings += await self._store.take_up_recording(description)
        if not dry_run:  # begun by another owner meanwhile: not described, whatever the bucket says
            settled = await self._store.told(wanted) if wanted else ()
            found = {recording_id: told if recording_id in settled else None for recording_id, told in found.items()}
        before = taken.told
        taken.told = {
            recording_id: found[recording_id] is not None if recording_id in found else before[recording_id]
            for recording_id in wanted
        }
        return taken.told

    async def _described(self, recording_id: UUID) -> Described | None:
        return await described_in_bucket(self._bucket, recording_id)


def _chunk_of(key: ChunkKey) -> Chunk:
    return Chunk(
        recording_id=key.recording_id,
        seq=key.seq,
        segment=key.segment,
        size=key.size,
        sha256=key.sha256,
        state=ChunkState.GRANTED,
        generation=0,
        etag=None,
        overwrite=False,
        granted_at=_LONG_AGO,
        expires_at=_LONG_AGO,
        acked_at=None,
        confirmed_at=None,
    )
