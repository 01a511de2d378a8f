"""Downloads as their owner sees them: asked for, looked at, fetched, cancelled. Making them is `assembling`'s."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from control_plane.db.downloads import DownloadStore
from control_plane.domain.bucket import PresignedRequest, Presigner
from control_plane.domain.downloads import UNDER_WAY, Download, DownloadState, Stock, Wish, digest_of, refusal_of
from control_plane.domain.errors import (
    DownloadEnded,
    DownloadNotReady,
    DownloadUnknown,
    IdempotencyConflict,
    Refusal,
    TooManyDownloads,
)
from control_plane.domain.file_names import file_stem
from control_plane.domain.webhook_urls import WebhookRules, refusal_of_url

_log = logging.getLogger(__name__)


class DownloadService:
    """What an owner does with downloads."""

    def __init__(
        self,
        downloads: DownloadStore,
        presigner: Presigner,
        *,
        put: Callable[[UUID], Awaitable[None]],
        live_per_owner: int,
        webhooks: WebhookRules,
    ) -> None:
        """`put` has a worker take it up; where that fails, the clock does."""
        self._downloads = downloads
        self._presigner = presigner
        self._put = put
        self._live_per_owner = live_per_owner
        self._webhooks = webhooks

    async def check(
        self, owner: str, recording_ids: Sequence[UUID], *, allow_gaps: bool
    ) -> Sequence[tuple[UUID, Stock | None, Refusal | None]]:
        """Of each recording, what there is of it, and why a download of it would be refused (None: it would not)."""
        stocks = await self._downloads.stock(owner, recording_ids)
        return [(each, stocks.get(each), refusal_of(stocks.get(each), allow_gaps=allow_gaps)) for each in recording_ids]

    async def begin(self, wish: Wish) -> tuple[Download, bool]:
        """The download of this wish, and whether this call began it: the same wish again, while there is the same to make of
        it, is the same download.

        Raises what `refusal_of_url` says of its webhook, what `refusal_of` says of the first recording that cannot be had (with
        `recording_id`), `IdempotencyConflict`, `TooManyDownloads`.
        """
        if wish.webhook_url is not None and (refused := refusal_of_url(wish.webhook_url, self._webhooks)):
            raise refused
        stocks = await self._downloads.stock(wish.owner, wish.recording_ids)
        for each in wish.recording_ids:
            if refusal := refusal_of(stocks.get(each), allow_gaps=wish.allow_gaps):
                refusal.extra = {**refusal.extra, "recording_id": str(each)}
                raise refusal
        wanted = [stocks[each] for each in wish.recording_ids]
        request = digest_of(wish, wanted)
        begun = await self._downloads.find(wish, request)
        if begun is None:
            await self._require_room(wish.owner)
            begun = await self._downloads.begin(wish, wanted, request, _stem_of(wanted))
        if not begun.same:
            raise IdempotencyConflict("This idempotency key was used for another request: choose a new one.")
        if begun.new:
            await self._put(begun.id)
        download = await self._downloads.get(wish.owner, begun.id)
        assert download is not None, "rows of downloads are forgotten after days"
        return download, begun.new

    async def get(self, owner: str, download_id: UUID) -> Download:
        """Raises `DownloadUnknown`."""
        download = await self._downloads.get(owner, download_id)
        if download is None:
            raise DownloadUnknown("There is no such download among yours.")
        return download

    async def page(self, owner: str, *, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[Download]:
        """The owner's downloads older than `before`, newest first."""
        return await self._downloads.page(owner, before=before, limit=limit)

    async def cancel(self, owner: str, download_id: UUID) -> Download:
        """Ends it: what is under way is `cancelled`, what is ready loses its file and is `expired`, all else stays as it is.

        Raises `DownloadUnknown`.
        """
        if await self._downloads.cancel(owner, download_id):
            _log.info("A download was ended by its owner", extra={"download_id": str(download_id)})
        return await self.get(owner, download_id)

    async def file(self, owner: str, download_id: UUID, now: datetime) -> PresignedRequest:
        """A presigned GET of its file, saved under its name.

        Raises `DownloadUnknown`, `DownloadNotReady` while it is made, `DownloadEnded` where there is none (any more).
        """
        download = await self.get(owner, download_id)
        if download.state in UNDER_WAY:
            raise DownloadNotReady("Its file is still being made: ask for the download until its state is ready.")
        if download.file is None:
            raise DownloadEnded(_WHY_NONE[download.state])
        return self._presigner.get(
            download.file.key, now=now, file_name=download.file.name, content_type=download.file.content_type
        )

    async def _require_room(self, owner: str) -> None:
        live = await self._downloads.live(owner)
        if live >= self._live_per_owner:
            raise TooManyDownloads(
                f"{live} downloads are under way: wait until some of them are ready, or cancel some.",
                retry_after_ms=RETRY_AFTER_MS,
            )


# A download takes seconds to minutes.
RETRY_AFTER_MS = 30_000

_WHY_NONE: Mapping[DownloadState, str] = {
    DownloadState.FAILED: "It could not be made; the download says why. Ask for a new one.",
    DownloadState.CANCELLED: "It was cancelled. Ask for a new one.",
    DownloadState.EXPIRED: "Its file was removed when its time was over. Ask for a new one.",
}


def _stem_of(stocks: Sequence[Stock]) -> str:
    if len(stocks) == 1:
        recording = stocks[0].recording
        return file_stem(recording.title, recording.created_at)
    return f"{len(stocks)} recordings"
