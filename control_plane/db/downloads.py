"""The store of downloads: what was asked for, who makes it, and what it came to."""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from control_plane.db.database import Database, Row
from control_plane.db.rows import ranges_of, recording_of
from control_plane.domain.downloads import Download, DownloadState, Gap, MadeFile, Stock, WaitingFor, Wish
from control_plane.domain.models import Recording
from control_plane.domain.webhooks import DeliveryState, Webhook

# A statement of microseconds: a connection that takes longer is of no use to anybody.
UNLISTEN_S = 1.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A download that a wish led to; `new` where it was begun by it. `same` is False where its name stands for another wish."""

    id: UUID
    new: bool
    same: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A recording to be packed: as it is now, and the chunks and bytes that it came to when it was asked for."""

    recording: Recording
    chunks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A download that is this process's to make, until its lease ends: every write of it is conditional on `number`.

    `object_key` and `upload_id`: where one that had it before was writing.
    """

    id: UUID
    owner: str
    number: int
    gaps: Sequence[Gap]
    file_stem: str
    faults: int
    waiting_since: datetime | None
    now: datetime
    object_key: str | None
    upload_id: str | None


@dataclass(frozen=True, slots=True)
class WayFile:
    """A file on the way to a ZIP; `size` is None until it is whole."""

    place: int
    key: str
    upload_id: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Unclean:
    """A download that came to an end, and of which something may lie in the bucket."""

    id: UUID
    recording_ids: Sequence[UUID]
    object_key: str | None
    upload_id: str | None


class DownloadStore:
    """Rows of `downloads`, `download_recordings` and `download_files`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stock(self, owner: str, recording_ids: Sequence[UUID]) -> Mapping[UUID, Stock]:
        """What the bucket has of those of these recordings that are (or were) the owner's."""
        params = {"owner": owner, "recording_ids": list(recording_ids)}
        return {row["id"]: _stock_of(row) for row in await self._database.rows("downloads_stock", params)}

    async def find(self, wish: Wish, request: bytes) -> Begun | None:
        """The download that the same wish, or one of the same name, began before."""
        params = {"owner": wish.owner, "idempotency_key": wish.idempotency_key, "request": request}
        if wish.idempotency_key and (named := await self._database.row("download_named", params)):
            return Begun(named["id"], new=False, same=named["same"])
        same = await self._database.row("download_same", params)
        return Begun(same["id"], new=False) if same else None

    async def begin(self, wish: Wish, stocks: Sequence[Stock], request: bytes, file_stem: str) -> Begun:
        """A new download, or the one that was begun for this wish at the same moment."""
        params = {
            "owner": wish.owner,
            "idempotency_key": wish.idempotency_key,
            "request": request,
            "allow_gaps": wish.allow_gaps,
            "file_stem": file_stem,
            "webhook_url": wish.webhook_url,
            "bytes_total": sum(stock.bytes for stock in stocks),
            "gaps": json.dumps([[str(stock.recording.id), stock.absent] for stock in stocks if stock.absent]),
            "recording_ids": [stock.recording.id for stock in stocks],
            "chunks": [stock.expected for stock in stocks],
            "bytes": [stock.bytes for stock in stocks],
        }
        while True:
            if made := await self._database.row("download_begin", params):
                return Begun(made["id"], new=True)
            if found := await self.find(wish, request):
                return found
            # What stood in the way has ended since: there is room now.

    async def live(self, owner: str) -> int:
        """How many of the owner's downloads are under way."""
        row = await self._database.row("downloads_live", {"owner": owner})
        assert row is not None, "an aggregate answers one row"
        return int(row["live"])

    async def page(self, owner: str, *, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[Download]:
        """The owner's downloads older than `before`, newest first."""
        at, before_id = before or (None, None)
        params = {"owner": owner, "before": at, "before_id": before_id, "limit": limit}
        return [_download_of(row) for row in await self._database.rows("downloads_page", params)]

    async def those(self, ids: Sequence[UUID]) -> Sequence[Download]:
        """These downloads, whosever they are, in no order."""
        return [_download_of(row) for row in await self._database.rows("downloads_of", {"ids": list(ids)})]

    async def get(self, owner: str, download_id: UUID) -> Download | None:
        """The owner's download, or None: another owner's is as absent as one that never was."""
        found = await self.those([download_id])
        return found[0] if found and found[0].owner == owner else None

    async def lately(self, owners: Collection[str], lately: timedelta) -> Sequence[UUID]:
        """What of these owners' is under way, or came to an end within this time."""
        rows = await self._database.rows("downloads_news", {"owners": list(owners), "lately": lately})
        return [row["id"] for row in rows]

    async def changed(self, every: timedelta) -> AsyncGenerator[Collection[UUID], None]:
        """Ids of downloads that changed, as it happens, whichever process changed them; none where nothing did for `every`.

        On a connection of its own. What changed before the first answer, or while the database was away, is not told. Raises
        `DatabaseUnreachable`.
        """
        async with self._database.connection() as connection:
            try:
                await self._database.execute("downloads_listen", {}, on=connection)
                yield []
                while True:
                    heard = connection.notifies(timeout=every.total_seconds(), stop_after=1)
                    yield {UUID(notice.payload) async for notice in heard}
            finally:  # it would hear on in the hands of the next who uses it
                try:
                    async with asyncio.timeout(UNLISTEN_S):
                        await self._database.execute("downloads_unlisten", {}, on=connection)
                except (TimeoutError, psycopg.Error):
                    await connection.close()

    async def cancel(self, owner: str, download_id: UUID) -> bool:
        """Ends it where it is under way or ready; whether it was."""
        return await self._database.row("download_cancel", {"id": download_id, "owner": owner}) is not None

    async def due(self, *, per_owner: int, limit: int) -> Sequence[UUID]:
        """Those that may run now, no more of an owner than may run at once."""
        rows = await self._database.rows("downloads_due", {"per_owner": per_owner, "limit": limit})
        return [row["id"] for row in rows]

    async def claim(self, download_id: UUID, *, worker: str, lease: timedelta, per_owner: int) -> Claim | None:
        """Makes it the caller's for `lease`; None where it is not to be made (now, or by this one)."""
        owner = await self._database.row("download_owner", {"id": download_id})
        if owner is None:
            return None
        params = {"id": download_id, "worker": worker, "lease": lease, "per_owner": per_owner}
        _, claimed = await self._database.together(
            ("owners_lock", {"owners": [owner["owner"]]}), ("download_claim", params)
        )
        return _claim_of(claimed[0]) if claimed else None

    async def parts(self, download_id: UUID) -> Sequence[Part]:
        """What it is to be made of, in order."""
        rows = await self._database.rows("download_parts", {"id": download_id})
        return [Part(recording_of(row), row["asked_chunks"], row["asked_bytes"]) for row in rows]

    async def beat(self, claim: Claim, *, bytes_done: int, lease: timedelta) -> bool:
        """Tells how far it is and keeps it for `lease`; False where it is not the caller's any more."""
        return await self._held("download_beat", claim, {"bytes_done": bytes_done, "lease": lease})

    async def note_upload(self, claim: Claim, key: str, upload_id: str | None) -> bool:
        """Where its result is being written; False where it is not the caller's any more."""
        return await self._held("download_upload", claim, {"object_key": key, "upload_id": upload_id})

    async def files(self, claim: Claim) -> Mapping[int, WayFile]:
        """Files on the way that were begun or made, by their place."""
        rows = await self._database.rows("download_files", {"id": claim.id})
        return {row["place"]: WayFile(row["place"], row["object_key"], row["upload_id"], row["size"]) for row in rows}

    async def note_file(self, claim: Claim, file: WayFile) -> bool:
        """How far a file on the way is; False where it is not the caller's any more."""
        params = {"place": file.place, "object_key": file.key, "upload_id": file.upload_id, "size": file.size}
        return await self._held("download_file_note", claim, params)

    async def ready(
        self, claim: Claim, file: MadeFile, *, keep: timedelta, cause: str | None = None, detail: str | None = None
    ) -> bool:
        """It is there, for `keep`, with what is to be said of it; False where it is not the caller's any more."""
        params = {
            "object_key": file.key,
            "file_name": file.name,
            "content_type": file.content_type,
            "size": file.size,
            "keep": keep,
            "cause": cause,
            "detail": detail,
        }
        return await self._held("download_ready", claim, params)

    async def failed(self, claim: Claim, *, cause: str, detail: str) -> bool:
        """It cannot be made; False where it is not the caller's any more."""
        return await self._held("download_failed", claim, {"cause": cause, "detail": detail})

    async def put_back(
        self,
        claim: Claim,
        *,
        wait: timedelta,
        waiting_for: WaitingFor | None,
        fault: bool = False,
        cause: str | None = None,
        detail: str | None = None,
    ) -> bool:
        """Queued again, to be gone on with after `wait`; False where it is not the caller's any more."""
        params = {"wait": wait, "waiting_for": waiting_for, "fault": fault, "cause": cause, "detail": detail}
        return await self._held("download_put_back", claim, params)

    async def expire(self, *, limit: int) -> int:
        """Ends those whose time is over; how many."""
        return len(await self._database.rows("downloads_expire", {"limit": limit}))

    async def to_clean(self, *, lease: timedelta) -> Unclean | None:
        """One that ended, to be cleaned up by the caller within `lease`; None where there is none."""
        row = await self._database.row("download_to_clean", {"lease": lease})
        return None if row is None else Unclean(row["id"], row["recording_ids"], row["object_key"], row["upload_id"])

    async def files_of(self, download_id: UUID) -> Sequence[WayFile]:
        """Files on the way of one that ended."""
        rows = await self._database.rows("download_files", {"id": download_id})
        return [WayFile(row["place"], row["object_key"], row["upload_id"], row["size"]) for row in rows]

    async def cleaned(self, download_id: UUID) -> None:
        """Nothing of it is left in the bucket."""
        await self._database.execute("download_cleaned", {"id": download_id})

    async def forget(self, keep: timedelta, *, limit: int) -> int:
        """Deletes rows of downloads that were cleaned up longer than `keep` ago; how many."""
        return await self._database.execute("downloads_forget", {"keep": keep, "limit": limit})

    async def _held(self, statement: str, claim: Claim, params: Mapping[str, object]) -> bool:
        row = await self._database.row(statement, {"id": claim.id, "claim": claim.number, **params})
        return row is not None


def _stock_of(row: Row) -> Stock:
    return Stock(recording_of(row), row["chunks"], row["bytes"], row["expected"], ranges_of(row["absent"]))


def _gaps_of(row: Row) -> Sequence[Gap]:
    return [Gap(UUID(found), [(first, last) for first, last in missing]) for found, missing in row["gaps"]]


def _claim_of(row: Row) -> Claim:
    return Claim(
        id=row["id"],
        owner=row["owner"],
        number=row["claim"],
        gaps=_gaps_of(row),
        file_stem=row["file_stem"],
        faults=row["faults"],
        waiting_since=row["waiting_since"],
        now=row["claimed_at"],
        object_key=row["object_key"],
        upload_id=row["upload_id"],
    )


def _download_of(row: Row) -> Download:
    state = DownloadState(row["state"])
    ready = state is DownloadState.READY
    waits = WaitingFor(row["waiting_for"] or WaitingFor.TURN) if state is DownloadState.QUEUED else None
    return Download(
        id=row["id"],
        owner=row["owner"],
        state=state,
        waiting_for=waits,
        version=row["version"],
        recordings=list(zip(row["recording_ids"], row["titles"], strict=True)),
        allow_gaps=row["allow_gaps"],
        gaps=_gaps_of(row),
        bytes_done=row["bytes_done"],
        bytes_total=row["bytes_total"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
        cause=row["cause"],
        detail=row["detail"],
        file=MadeFile(row["object_key"], row["file_name"], row["content_type"], row["size"]) if ready else None,
        webhook=_webhook_of(row) if row["webhook_url"] else None,
    )


def _webhook_of(row: Row) -> Webhook:
    if row["webhook_state"] is None:
        return Webhook(row["webhook_url"], DeliveryState.WAITING)
    state = DeliveryState(row["webhook_state"])
    next_at = row["webhook_due_at"] if state is DeliveryState.PENDING else None
    return Webhook(row["webhook_url"], state, row["webhook_attempts"], row["webhook_error"], next_at)
