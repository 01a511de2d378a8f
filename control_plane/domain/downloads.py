"""Downloads: jobs that assemble recordings into one file. What may be asked for, what is the same, and when to try again. Pure.

States: `queued → running → ready → expired`, back to `queued` from `running` (a worker died, a fault passes, chunks are
waited for), and from either of the first two to `failed` or `cancelled`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from control_plane.domain.errors import (
    ChunksMissing,
    RecordingDeleted,
    RecordingEmpty,
    RecordingIncomplete,
    RecordingUnknown,
    Refusal,
)
from control_plane.domain.models import Recording, RecordingState
from control_plane.domain.ranges import Range
from control_plane.domain.webhooks import Webhook

# A fault passes within minutes or lasts: the first wait is short, the longest one still finds out soon that it passed.
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=5)
# Together some half an hour: a store that is down for longer needs a person, who then asks again.
MOST_FAULTS = 12
# A resend ticket is served within a heartbeat where its recorder is there: look about as often at first, then less and less.
FIRST_CHUNKS_WAIT = timedelta(seconds=10)


class DownloadState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


UNDER_WAY = frozenset({DownloadState.QUEUED, DownloadState.RUNNING})
"""States from which a download still comes to something."""


class WaitingFor(StrEnum):
    """Why a queued download does not run: others of its owner are before it, bytes are asked for again, or a fault passes."""

    TURN = "turn"
    CHUNKS = "chunks"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Stock:
    """What the bucket has of a recording: chunks and bytes, how many chunks there should be, and which are not there."""

    recording: Recording
    chunks: int
    bytes: int
    expected: int
    absent: Sequence[Range]


@dataclass(frozen=True, slots=True)
class Gap:
    """Chunks of a recording that are left out of a download."""

    recording_id: UUID
    missing: Sequence[Range]


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file in the bucket: where, how it is called, what it is, and its bytes."""

    key: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Download:
    """A download as it is told. `version` rises with each change; `file` is there while it is ready."""

    id: UUID
    owner: str
    state: DownloadState
    waiting_for: WaitingFor | None
    version: int
    recordings: Sequence[tuple[UUID, str | None]]
    allow_gaps: bool
    gaps: Sequence[Gap]
    bytes_done: int
    bytes_total: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    cause: str | None
    detail: str | None
    file: MadeFile | None
    webhook: Webhook | None

    @property
    def percent(self) -> int:
        """Whole percents of its bytes; 100 only when it is ready."""
        if self.state is DownloadState.READY:
            return 100
        return min(99, 100 * self.bytes_done // self.bytes_total) if self.bytes_total else 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What an owner asks for: recordings in the order in which they are to be packed, each once."""

    owner: str
    recording_ids: Sequence[UUID]
    allow_gaps: bool
    idempotency_key: str | None = None
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class AssemblyRules:
    """How long a claim stands without a word, how many downloads of one owner run at once, how long files are kept, and for how
    long chunks are waited for that have to be sent again.
    """

    lease: timedelta
    per_owner: int
    keep: timedelta
    chunks_patience: timedelta


def refusal_of(stock: Stock | None, *, allow_gaps: bool) -> Refusal | None:
    """Why nothing can be made of it (None: it was never the owner's), or None where something can.

    `allow_gaps` takes what there is: of a recording that still runs as well.
    """
    if stock is None:
        return RecordingUnknown("There is no such recording among yours.")
    if stock.recording.deleted:
        return RecordingDeleted("The recording was deleted; nothing can be made of it.")
    if not allow_gaps:
        if stock.recording.state is not RecordingState.COMPLETE:
            return RecordingIncomplete(
                "The recording is not complete yet: complete it first, or ask with allow_gaps for what there is."
            )
        if stock.absent:
            return ChunksMissing(
                "The bucket does not hold all of it: its recorder is asked for the rest. Ask again later, or with allow_gaps "
                "for what there is.",
                missing=stock.absent,
            )
    if not stock.bytes:
        return RecordingEmpty("Nothing of this recording is in the bucket.")
    return None


def digest_of(wish: Wish, stocks: Sequence[Stock]) -> bytes:
    """Equal for the same request while there is the same to make of it."""
    asked = [
        [
            str(stock.recording.id),
            stock.expected,
            stock.chunks,
            stock.bytes,
            stock.recording.state is RecordingState.COMPLETE,
        ]
        for stock in stocks
    ]
    return hashlib.sha256(json.dumps([asked, wish.allow_gaps, wish.webhook_url]).encode()).digest()


def wait_for_chunks(waited: timedelta) -> timedelta:
    """How long to wait for chunks, when they were waited for this long: half as long again."""
    return min(LONGEST_WAIT, max(FIRST_CHUNKS_WAIT, waited / 2))


def wait_after(faults: int) -> timedelta | None:
    """How long to wait after that many faults in a row; None: no more, it has failed."""
    if faults >= MOST_FAULTS:
        return None
    return min(LONGEST_WAIT, FIRST_WAIT * float(2 ** max(0, faults - 1)))
