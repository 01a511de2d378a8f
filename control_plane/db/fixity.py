"""The store of what was read back: what is due, what it may cost, and doubt that only reading ends."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from control_plane.db.chunks import ChunkId
from control_plane.db.database import Database
from control_plane.db.rows import chunk_columns, chunk_of
from control_plane.domain.fixity import ReadingPlan
from control_plane.domain.models import Chunk


class FixityStore:
    """`chunks.read_at`, the row of `fixity`, and sightings that came from reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, plan: ReadingPlan, *, limit: int, dry_run: bool) -> Sequence[Chunk]:
        """What is to be read now, in order. Its bytes are spent with this, whoever asks; in a dry run they are not."""
        params = {
            "bytes_per_s": plan.bytes_per_hour / 3_600,
            "most": plan.most_at_once,
            "reread": plan.reread_after,
            "alive": plan.recorder_alive,
            "limit": limit,
            "dry_run": dry_run,
        }
        return [chunk_of(row) for row in await self._database.rows("fixity_claim", params)]

    async def right(self, chunks: Sequence[Chunk], started_at: datetime) -> None:
        """These were read and are right: doubt from before the sweep's start is forgotten, where no ack came in between."""
        await self._database.execute("fixity_right", {**chunk_columns(chunks), "started_at": started_at})

    async def put_off(self, chunks: Sequence[Chunk], wait: timedelta) -> None:
        """These are still wrong, which the ledger knows already: they are read again after that time."""
        await self._database.execute("fixity_put_off", {**_ids(chunks), "wait": wait})

    async def doubted(self, chunks: Sequence[Chunk]) -> frozenset[ChunkId]:
        """Which of these were read wrong, and not read right since: HEAD proves nothing of them."""
        rows = await self._database.rows("fixity_doubted", _ids(chunks))
        return frozenset((row["recording_id"], row["seq"]) for row in rows)

    async def control(self) -> Chunk | None:
        """A chunk that was read right not long ago, if any was."""
        row = await self._database.row("fixity_control", {})
        return chunk_of(row) if row else None

    async def count(self, *, chunks: int, size: int, damaged: int) -> None:
        """Adds to the totals: chunks and bytes read, chunks found damaged."""
        await self._database.execute("fixity_count", {"chunks": chunks, "bytes": size, "damaged": damaged})

    async def cover(self, every: timedelta) -> None:
        """Sums up how much was read lately, unless that was done within this time."""
        await self._database.execute("fixity_cover", {"every": every})


def _ids(chunks: Sequence[Chunk]) -> dict[str, object]:
    return {"recording_ids": [chunk.recording_id for chunk in chunks], "seqs": [chunk.seq for chunk in chunks]}
