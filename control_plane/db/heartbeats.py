"""The store of recorders, what they hold, and what a heartbeat's answer is computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.chunks import ChunkId
from control_plane.db.database import Database
from control_plane.db.rows import chunk_of, multirange_text
from control_plane.domain.models import Beat, Chunk, RecordingState, Release, Ticket, Verdict


@dataclass(frozen=True, slots=True)
class Recorded:
    """A beat that was kept: the database's time, the states of recordings held that are this owner's, and whether any chunk that
    is lost is among what is held.
    """

    server_time: datetime
    states: Mapping[UUID, RecordingState]
    holds_lost: bool


class HeartbeatStore:
    """Rows of `recorders`, `holdings` and `gone_reports`; reads of tickets and confirmed chunks."""

    def __init__(self, database: Database, *, idle: timedelta) -> None:
        """`idle`: how long a recording stays open from the last beat on that holds any of it."""
        self._database = database
        self._idle = idle

    async def record(self, owner: str, beat: Beat) -> Recorded:
        """Keeps what the recorder said."""
        recorder = {"owner": owner, "recorder_id": beat.recorder_id}
        said = {
            "counter": beat.counter,
            "persisted": beat.persisted,
            "usage": beat.usage,
            "quota": beat.quota,
            "sdk": beat.sdk,
        }
        opens = {"opens": [holding.open for holding in beat.holding], "idle": self._idle}
        # The first one locks the recorder's row: beats of one recorder that arrive together take turns from there on.
        (recorded,), known, _ = await self._database.together(
            ("beat_record", recorder | said),
            ("beat_holdings", recorder | opens | _held(beat)),
            ("beat_gone", recorder | {"gone": list(beat.gone)}),
        )
        states = {row["recording_id"]: RecordingState(row["state"]) for row in known}
        return Recorded(recorded["server_time"], states, any(row["lost_held"] for row in known))

    async def releases(self, owner: str, beat: Beat, *, limit: int) -> Sequence[Release]:
        """Of what the recorder holds and was not told to release, what is confirmed and not doubted by any sweep since."""
        unreleased = {"chunks": [multirange_text(holding.ranges) for holding in beat.holding]}
        rows = await self._database.rows("beat_releases", {"owner": owner, "limit": limit, **_held(beat), **unreleased})
        return [Release(row["recording_id"], row["seq"], row["sha256"]) for row in rows]

    async def tickets(self, owner: str, beat: Beat, *, limit: int, frozen_limit: int) -> Sequence[Ticket]:
        """Open tickets for chunks that the recorder says it holds, oldest first; `frozen_limit`: while releases are frozen."""
        rows = await self._database.rows(
            "beat_tickets",
            {
                "owner": owner,
                "recorder_id": beat.recorder_id,
                "limit": limit,
                "frozen_limit": frozen_limit,
                **_held(beat),
            },
        )
        return [Ticket(row["ticket_id"], Verdict(row["reason"]), row["mime_type"], chunk_of(row)) for row in rows]

    async def deliver(self, tickets: Sequence[UUID], ttl: timedelta) -> Mapping[ChunkId, Chunk]:
        """Marks tickets as delivered and grants their chunks anew until `ttl` from now."""
        rows = await self._database.rows("beat_grant_tickets", {"ticket_ids": list(tickets), "ttl": ttl})
        return {(row["recording_id"], row["seq"]): chunk_of(row) for row in rows}


def _held(beat: Beat) -> dict[str, object]:
    return {
        "recording_ids": [holding.recording_id for holding in beat.holding],
        "chunks": [multirange_text(holding.there) for holding in beat.holding],
    }
