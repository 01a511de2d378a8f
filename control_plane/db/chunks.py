"""The store of chunks: grants and acks."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from control_plane.db.coalescing import Coalescer, LockingCoalescer
from control_plane.db.database import Database, Row
from control_plane.db.rows import chunk_of, sighting_columns
from control_plane.domain.findings import Finding
from control_plane.domain.models import (
    Chunk,
    ChunkClaim,
    ChunkState,
    GrantedBatch,
    GrantRequest,
    LiveGrants,
    Permit,
    ProvenAck,
    Usage,
)

ChunkId = tuple[UUID, int]
"""Recording id and seq."""


GrantKey = tuple[str, UUID, ChunkClaim]

# Grants of one owner wait for its row: a second statement would mostly wait too, and a third keeps other owners going.
GRANTS_AT_ONCE = 3


class ChunkStore:
    """Rows of `chunks`, each reached through its owner's recording."""

    def __init__(
        self, database: Database, *, grant_ttl: timedelta, idle: timedelta, quota: int | None, live_grants: int
    ) -> None:
        """`idle`: how long a recording stays open from its last grant on; `quota`: of owners without one of their own;
        `live_grants`: how many an owner may have at once.
        """
        self._database = database
        self._grant_ttl = grant_ttl
        self._idle = idle
        self._quota = quota
        self._live_grants = live_grants
        self._grants = LockingCoalescer(
            self._write_grants, party=lambda wanted: wanted[0].owner, at_once=GRANTS_AT_ONCE
        )
        self._claimed = Coalescer(self._read_claimed)
        self._acks = LockingCoalescer(self._write_acks, party=lambda proven: proven[0])

    async def grant(self, request: GrantRequest) -> GrantedBatch | None:
        """The chunks now granted, by seq, and those there is no room for; together with what others ask at the moment.

        None where nothing was granted. A claim is absent from the answer where the chunk is acked or confirmed, bound to
        other content, unknown to a recording that is complete, or where there is no such recording.
        """
        wanted = [(request, claim) for claim in request.claims]
        found = await self._grants.submit(wanted)
        rows = {claim.seq: row for claim in request.claims if (row := found.get(_key_of(request, claim))) is not None}
        if not rows:
            return None
        first = next(iter(rows.values()))
        over_grants = frozenset(seq for seq, row in rows.items() if row["expires_at"] is None and row["in_quota"])
        # Some are refused only once all others together reach the limit.
        live = LiveGrants(self._live_grants, max(self._live_grants, first["reserved_chunks"])) if over_grants else None
        return GrantedBatch(
            first["mime_type"],
            first["described"],
            {seq: _permit_of(row) for seq, row in rows.items() if row["expires_at"] is not None},
            frozenset(seq for seq, row in rows.items() if row["expires_at"] is None and not row["in_quota"]),
            over_grants,
            Usage(first["limit_bytes"], first["used_bytes"], first["reserved_bytes"]),
            live,
        )

    async def claimed(self, owner: str, recording_id: UUID, seqs: Sequence[int]) -> Mapping[int, Chunk]:
        """The owner's chunks of these numbers, by seq; read together with what others ask at the moment."""
        found = await self._claimed.submit([(owner, recording_id, seq) for seq in seqs])
        wanted = {(owner, recording_id, seq): seq for seq in seqs}
        return {wanted[key]: chunk for key, chunk in found.items() if key in wanted}

    async def record_acks(self, owner: str, acks: Sequence[ProvenAck]) -> Mapping[ChunkId, ChunkState]:
        """Commits acks of the owner's chunks that a HEAD has proven, together with what others commit at the moment.

        Answers the state of each chunk acked; one is absent where its recording is being deleted. Open tickets of these
        chunks are fulfilled in the same statement.
        """
        return await self._acks.submit([(owner, ack) for ack in acks])

    async def allow_overwrite(self, owner: str, recording_id: UUID, seqs: Sequence[int]) -> None:
        """Lets the next grants of these chunks replace what lies under their keys."""
        params = {"owner": owner, "recording_id": recording_id, "seqs": list(seqs)}
        await self._database.execute("chunks_allow_overwrite", params)

    async def doubt(self, findings: Sequence[Finding]) -> None:
        """Remembers what was seen against chunks that count as safe: they are not released until a sweep has looked."""
        if findings:
            await self._database.execute("sightings_record", sighting_columns(findings))

    async def page(self, owner: str, recording_id: UUID, *, after: int, limit: int) -> Sequence[Chunk]:
        """Chunks with a seq above `after`, ascending."""
        params = {"owner": owner, "recording_id": recording_id, "after": after, "limit": limit}
        return [chunk_of(row) for row in await self._database.rows("chunks_page", params)]

    async def _write_grants(
        self, wanted: Sequence[tuple[GrantRequest, ChunkClaim]], lock_wait_ms: int
    ) -> Mapping[GrantKey, Row]:
        owners = [request.owner for request, _ in wanted]
        claims = {
            "owners": owners,
            "exempt": [request.exempt for request, _ in wanted],
            "recording_ids": [request.recording_id for request, _ in wanted],
            "seqs": [claim.seq for _, claim in wanted],
            "segments": [claim.segment for _, claim in wanted],
            "sizes": [claim.size for _, claim in wanted],
            "digests": [bytes.fromhex(claim.sha256) for _, claim in wanted],
            "starts": [claim.start_ms for _, claim in wanted],
            "durations": [claim.duration_ms for _, claim in wanted],
            "ttl": self._grant_ttl,
            "idle": self._idle,
            "default_limit": self._quota,
            "live_grants": self._live_grants,
        }
        _, rows = await self._database.together(
            ("owners_lock", {"owners": list(set(owners))}), ("chunks_grant", claims), lock_wait_ms=lock_wait_ms
        )
        return {_key_of(*wanted[row["place"] - 1]): row for row in rows}

    async def _read_claimed(self, keys: Sequence[tuple[str, UUID, int]]) -> Mapping[tuple[str, UUID, int], Chunk]:
        distinct = list(dict.fromkeys(keys))
        rows = await self._database.rows(
            "chunks_claimed",
            {
                "owners": [owner for owner, _, _ in distinct],
                "recording_ids": [recording_id for _, recording_id, _ in distinct],
                "seqs": [seq for _, _, seq in distinct],
            },
        )
        return {(row["owner"], row["recording_id"], row["seq"]): chunk_of(row) for row in rows}

    async def _write_acks(
        self, proven_acks: Sequence[tuple[str, ProvenAck]], lock_wait_ms: int
    ) -> Mapping[ChunkId, ChunkState]:
        distinct = {(ack.recording_id, ack.seq): ack for _, ack in proven_acks}
        claimed: dict[str, object] = {
            "recording_ids": [recording_id for recording_id, _ in distinct],
            "seqs": [seq for _, seq in distinct],
        }
        proven = {
            "digests": [bytes.fromhex(ack.sha256) for ack in distinct.values()],
            "etags": [ack.etag for ack in distinct.values()],
        }
        _, rows = await self._database.together(
            ("chunks_ack_lock", claimed), ("chunks_ack", {**claimed, **proven}), lock_wait_ms=lock_wait_ms
        )
        return {(row["recording_id"], row["seq"]): ChunkState(row["state"]) for row in rows}


def _key_of(request: GrantRequest, claim: ChunkClaim) -> GrantKey:
    return (request.owner, request.recording_id, claim)


def _permit_of(row: Row) -> Permit:
    return Permit(row["overwrite"], row["granted_at"], row["expires_at"])
