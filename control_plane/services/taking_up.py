"""Taking up: well-formed objects that the ledger does not know, because it was lost or restored from an old backup.

The bytes are proven as for any ack; whose they are, `recording.json` beside them tells. Nothing that the ledger knows is changed.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from control_plane.db.rebuilding import RebuildStore
from control_plane.domain.bucket import Bucket, ObjectTooLong
from control_plane.domain.keys import ChunkKey, recording_key
from control_plane.domain.models import DELETED, Chunk, ChunkState, RecordingState
from control_plane.domain.rebuilding import Described, described
from control_plane.services.proving import Prover

# A title and a few names: far below.
DESCRIPTION_LIMIT = 64 * 1024
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
    recording was deleted.
    """

    recordings: int = 0
    chunks: int = 0
    undescribed: int = 0
    unproven: int = 0
    refused: int = 0
    described: set[UUID] = field(default_factory=set)


class TakeUpService:
    """Used by audits for what they come across, and by `rebuild` for everything."""

    def __init__(self, store: RebuildStore, bucket: Bucket, prover: Prover) -> None:
        self._store = store
        self._bucket = bucket
        self._prover = prover

    async def take_up(self, keys: Iterable[ChunkKey], taken: TakenUp, *, dry_run: bool) -> None:
        """Takes up chunks that the ledger does not know; what became of them is added to `taken`.

        Raises `BucketUnreachable` where a description cannot be read.
        """
        wanted = list(keys)
        for first in range(0, len(wanted), TOGETHER):
            await self._take_up(wanted[first : first + TOGETHER], taken, dry_run=dry_run)

    async def take_up_recordings(self, ids: Iterable[UUID], taken: TakenUp, *, dry_run: bool) -> None:
        """Takes up recordings that the ledger does not know, from their descriptions."""
        wanted = set(ids) - taken.described
        known = await self._store.states(wanted)
        for recording_id in sorted(wanted - set(known)):
            await self._describe(recording_id, taken, dry_run=dry_run)

    async def _take_up(self, keys: Sequence[ChunkKey], taken: TakenUp, *, dry_run: bool) -> None:
        ids = {key.recording_id for key in keys}
        await self.take_up_recordings(ids, taken, dry_run=dry_run)
        states: Mapping[UUID, RecordingState] = await self._store.states(ids)
        homeless = [key for key in keys if key.recording_id not in states and key.recording_id not in taken.described]
        deleted = [key for key in keys if states.get(key.recording_id) in DELETED]
        left_out = {*homeless, *deleted}
        proven = await self._prover.proven([_chunk_of(key) for key in keys if key not in left_out])
        done = len(proven) if dry_run else len(await self._store.take_up_chunks(proven)) if proven else 0
        taken.chunks += done
        taken.undescribed += len(homeless)
        taken.refused += len(deleted) + len(proven) - done
        taken.unproven += len(keys) - len(left_out) - len(proven)

    async def _describe(self, recording_id: UUID, taken: TakenUp, *, dry_run: bool) -> None:
        found = await self._description(recording_id)
        if found is None:
            _log.error(
                "A recording in the bucket has no description that can be read",
                extra={"recording_id": str(recording_id)},
            )
            return
        taken.described.add(recording_id)
        if dry_run or await self._store.take_up_recording(found):
            taken.recordings += 1

    async def _description(self, recording_id: UUID) -> Described | None:
        try:
            body = await self._bucket.read(recording_key(recording_id), limit=DESCRIPTION_LIMIT)
        except ObjectTooLong:
            return None
        return None if body is None else described(body, recording_id)


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
