"""The store of sweeps: their snapshots, sightings, tickets and reports."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from psycopg.types.range import Int4Range

from control_plane.db.chunks import ChunkId
from control_plane.db.database import Connection, Database
from control_plane.db.rows import chunk_columns, chunk_of, sighting_columns
from control_plane.domain.bucket import ListedObject
from control_plane.domain.findings import Finding, OpenedTicket, SweepReport
from control_plane.domain.keys import ChunkKey
from control_plane.domain.models import Chunk, Verdict
from control_plane.domain.work import Shards

# What COPY's text format reads as something else. Somebody's key may also hold what no text of the database can.
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\0": "\ufffd"})


def _copied(listed: ListedObject) -> str:
    """A line of COPY's text format: written a page at a time, since rows one by one took most of an audit's own CPU."""
    key, etag = listed.key.translate(_ESCAPES), listed.etag.translate(_ESCAPES)
    return f"{key}\t{listed.size}\t{etag}\t{listed.last_modified.isoformat()}\n"


class AuditStaging:
    """The two sides of an audit in temporary tables of one connection, and their differences."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection

    async def snapshot(self, first_shard: int, last_shard: int, settle: timedelta) -> None:
        """Copies what should be in these shards, as committed now; what lay here before is cleared."""
        await self._database.execute("audit_clear", {}, on=self._connection)
        params = {"first_shard": first_shard, "last_shard": last_shard, "settle": settle}
        await self._database.execute("audit_snapshot", params, on=self._connection)

    async def stage(self, page: Sequence[ListedObject]) -> None:
        """Copies a page of the listing."""
        async with (
            self._connection.cursor() as cursor,
            cursor.copy(self._database.statement("audit_stage")) as copy,
        ):
            await copy.write("".join(map(_copied, page)))

    async def analyze(self) -> None:
        """Gives the planner the sizes: temporary tables are not analyzed by themselves."""
        await self._database.execute("audit_analyze", {}, on=self._connection)

    async def doubts(self, *, after: str | None, limit: int) -> Sequence[tuple[str, Chunk]]:
        """Expected chunks that the listing does not show as they were acked, with their keys, in order of key."""
        rows = await self._rows("audit_doubts", {"after": after, "limit": limit})
        return [(row["key"], chunk_of(row)) for row in rows]

    async def gather_unexpected(self, settle: timedelta) -> None:
        """Sets apart the listed keys, older than the settle time, that no chunk acked at the snapshot has."""
        await self._database.execute("audit_gather_unexpected", {"settle": settle}, on=self._connection)

    async def unexpected(self, *, after: str | None, until: str | None, limit: int) -> Sequence[str]:
        """Of those set apart: the first ones after `after`, up to `until`, in order."""
        params = {"after": after, "until": until, "limit": limit}
        return [row["key"] for row in await self._rows("audit_unexpected", params)]

    async def forget_cleared(self, started_at: datetime) -> int:
        """Forgets sightings, made before the sweep started, of chunks that are now listed as they were acked."""
        return await self._database.execute("audit_cleared", {"started_at": started_at}, on=self._connection)

    async def expected(self) -> int:
        """How many chunks the snapshot holds."""
        size: int = (await self._rows("audit_size", {}))[0]["expected"]
        return size

    async def _rows(self, name: str, params: Mapping[str, object]) -> Sequence[dict[str, Any]]:
        return await self._database.rows(name, params, on=self._connection)


class SweepStore:
    """Rows of `sweeps`, `sightings` and `tickets`, and the conditional writes that a sweep makes to `chunks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self) -> tuple[datetime, UUID]:
        """The database's time, and the id of the deployment whose ledger this is."""
        row = await self._database.row("sweep_begin", {})
        assert row is not None, "a select without from answers one row"
        return row["started_at"], row["deployment_id"]

    async def store(self, report: SweepReport) -> UUID:
        """Keeps a report for ever; answers its id."""
        row = await self._database.row(
            "sweep_store",
            {
                "id": report.id,
                "kind": report.kind,
                "first_shard": report.shards.first,
                "last_shard": report.shards.last,
                "round": report.round,
                "worker": report.worker,
                "dry_run": report.dry_run,
                "outcome": report.outcome,
                "cause": report.cause,
                "started_at": report.started_at,
                "looked_at": report.looked_at,
                "report": Jsonb(report.detail),
                "shards": None if report.covered is None else Int4Range(*report.covered, bounds="[]"),
            },
        )
        assert row is not None, "an insert without a condition returns its row"
        sweep_id: UUID = row["id"]
        return sweep_id

    async def known_absent(self, shards: Shards) -> tuple[int, int]:
        """How many chunks of these shards are missing and lost: no audit expects them."""
        row = await self._database.row("audit_known", {"first_shard": shards.first, "last_shard": shards.last})
        assert row is not None, "a count answers one row"
        return row["missing"], row["lost"]

    async def unconfirmed(self, shards: Shards, *, settle: timedelta, recordings: int, chunks: int) -> Sequence[Chunk]:
        """Acked chunks of these shards to confirm, as committed now: of the recordings not looked at for the longest."""
        within = {"first_shard": shards.first, "last_shard": shards.last}
        params = {"settle": settle, "recordings": recordings, "chunks": chunks, **within}
        return [chunk_of(row) for row in await self._database.rows("confirm_candidates", params)]

    async def confirm(self, seen: Sequence[tuple[Chunk, str]], started_at: datetime) -> int:
        """Confirms chunks that were seen (with the ETag shown), where nothing happened to them since; how many.

        Not those that somebody else saw missing or damaged after this sweep had started: whose look is older is not known.
        """
        return len(await self._database.rows("confirm_apply", {**_seen_columns(seen), "started_at": started_at}))

    async def confirm_waiting(self, *, settle: timedelta, limit: int) -> int:
        """How many acked chunks there are to confirm; counting stops at `limit`."""
        row = await self._database.row("confirm_waiting", {"settle": settle, "limit": limit})
        assert row is not None, "a count answers one row"
        waiting: int = row["chunks"]
        return waiting

    async def looked(self, recording_ids: Sequence[UUID]) -> None:
        """Puts these recordings at the end of the confirm queue."""
        await self._database.execute("confirm_looked", {"recording_ids": list(recording_ids)})

    @asynccontextmanager
    async def staging(self) -> AsyncIterator[AuditStaging]:
        """The temporary tables of an audit, empty, on a connection of their own."""
        async with self._database.connection() as connection:
            await self._database.execute("audit_expect_table", {}, on=connection)
            await self._database.execute("audit_listed_table", {}, on=connection)
            await self._database.execute("audit_unexpected_table", {}, on=connection)
            try:
                yield AuditStaging(self._database, connection)
            finally:
                if not connection.broken:
                    await self._database.execute("audit_clear", {}, on=connection)

    async def ledger_size(self, limit: int) -> int:
        """How many chunks the ledger has; counting stops at `limit`."""
        row = await self._database.row("ledger_size", {"limit": limit})
        assert row is not None, "a count answers one row"
        size: int = row["chunks"]
        return size

    async def resume_after(self, unit: Shards) -> str | None:
        """Behind which unexpected key the last audit of this unit stopped; None: it came to the end."""
        params = {"unit": str(unit), "first_shard": unit.first, "last_shard": unit.last}
        row = await self._database.row("audit_resume_after", params)
        return None if row is None else row["resume_after"]

    async def chunks_of(self, keys: Sequence[ChunkKey]) -> Mapping[ChunkKey, Chunk]:
        """The ledger's chunk of each key, as long as segment, size and digest are the ledger's too."""
        params = {"recording_ids": [key.recording_id for key in keys], "seqs": [key.seq for key in keys]}
        found = [chunk_of(row) for row in await self._database.rows("chunks_of_keys", params)]
        return {
            ChunkKey(chunk.recording_id, chunk.seq, chunk.segment, chunk.size, chunk.sha256): chunk for chunk in found
        }

    async def take_back(self, seen: Sequence[tuple[Chunk, str]]) -> int:
        """Acks missing chunks that a HEAD has shown to be there again; their tickets are healed. How many."""
        columns = _seen_columns(seen)
        _, rows = await self._database.together(
            ("chunks_ack_lock", {"recording_ids": columns["recording_ids"], "seqs": columns["seqs"]}),
            ("chunks_returned", columns),
        )
        return len(rows)

    async def refresh_etags(self, seen: Sequence[tuple[Chunk, str]]) -> int:
        """Keeps the ETags under which proven content lies now; how many were others before."""
        return await self._database.execute("etags_refresh", _seen_columns(seen))

    async def sighted_before(self, findings: Sequence[Finding], started_at: datetime) -> frozenset[ChunkId]:
        """Which of these another sweep had found already, before this one began."""
        columns = {**sighting_columns(findings), "started_at": started_at}
        rows = await self._database.rows("sightings_earlier", columns)
        return frozenset((row["recording_id"], row["seq"]) for row in rows)

    async def record_sightings(self, findings: Sequence[Finding]) -> int:
        """Remembers first sightings, where nothing happened to the chunks since; how many were new."""
        rows = await self._database.rows("sightings_record", sighting_columns(findings))
        return sum(row["is_new"] for row in rows)

    async def forget_sightings(self, chunks: Sequence[Chunk], started_at: datetime) -> None:
        """Forgets sightings, made before the sweep started, of chunks that a HEAD has now shown as they should be."""
        await self._database.execute("sightings_forget", {**chunk_columns(chunks), "started_at": started_at})

    async def open_tickets(self, findings: Sequence[Finding]) -> Sequence[OpenedTicket]:
        """Marks chunks missing and opens their tickets, where nothing happened to them since the sweep read them."""
        rows = await self._database.rows("tickets_open", sighting_columns(findings))
        return [OpenedTicket(row["id"], row["recording_id"], row["seq"], Verdict(row["reason"])) for row in rows]


def _seen_columns(seen: Sequence[tuple[Chunk, str]]) -> dict[str, object]:
    return {**chunk_columns([chunk for chunk, _ in seen]), "etags": [etag for _, etag in seen]}
