"""The store of repairs: what sweeps write when they have seen by themselves that a chunk is in the bucket."""

from collections.abc import Collection, Sequence
from uuid import UUID

from control_plane.db.database import Database
from control_plane.db.rows import chunk_columns
from control_plane.domain.models import Chunk, ChunkState

Proven = Sequence[tuple[Chunk, str]]


class RepairStore:
    """Writes that are conditional on the generation that the sweep had read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def alive(self, recording_ids: Collection[UUID]) -> frozenset[UUID]:
        """Which of these were not deleted."""
        rows = await self._database.rows("recordings_alive", {"recording_ids": list(recording_ids)})
        return frozenset(row["id"] for row in rows)

    async def adopted(self, proven: Proven) -> int:
        """Acks chunks that are in the bucket without an ack that counts, each with the ETag seen; how many."""
        states = [ChunkState.GRANTED, ChunkState.MISSING, ChunkState.LOST]
        return await self._acked(proven, states, event="chunk_adopted")

    async def healed(self, proven: Proven) -> int:
        """Acks chunks anew that are in the bucket again; their tickets are healed, what was seen against them is forgotten."""
        states = [ChunkState.ACKED, ChunkState.CONFIRMED, ChunkState.MISSING, ChunkState.LOST]
        return await self._acked(proven, states, event="chunk_healed")

    async def _acked(self, proven: Proven, states: Sequence[ChunkState], *, event: str) -> int:
        seen = {**chunk_columns([chunk for chunk, _ in proven]), "etags": [etag for _, etag in proven]}
        _, rows = await self._database.together(
            ("chunks_ack_lock", {"recording_ids": seen["recording_ids"], "seqs": seen["seqs"]}),
            ("chunks_proven", {**seen, "states": [state.value for state in states], "event": event}),
        )
        return len(rows)
