"""The nouns of the ledger: frozen values that services pass around.

Chunk states: `granted → acked → confirmed`; from either of the last two to `missing` (a ticket is open) and back to
`acked`, or to `lost`. Recording states: `open → complete`, `open → expired → open`, any of them `→ deleting → deleted`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from control_plane.domain.ranges import Range


class RecordingState(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    DELETING = "deleting"
    DELETED = "deleted"


DELETED = frozenset({RecordingState.DELETING, RecordingState.DELETED})
"""States of a recording that its owner (or a retention setting) had deleted, be it purged yet or not."""


class ChunkState(StrEnum):
    GRANTED = "granted"
    ACKED = "acked"
    CONFIRMED = "confirmed"
    MISSING = "missing"
    LOST = "lost"


IN_BUCKET = frozenset({ChunkState.ACKED, ChunkState.CONFIRMED})
"""States of a chunk that the bucket is known to hold."""


class Source(StrEnum):
    RECORDER = "recorder"
    FILE = "file"


class TicketState(StrEnum):
    OPEN = "open"
    FULFILLED = "fulfilled"
    HEALED = "healed"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


class Verdict(StrEnum):
    """The result of judging a claim against a HEAD."""

    MATCH = "match"
    MISSING = "missing"
    SIZE_DIFFERS = "size_differs"
    ETAG_DIFFERS = "etag_differs"
    DIGEST_DIFFERS = "digest_differs"
    UNPROVEN = "unproven"
    UNREACHABLE = "unreachable"


class SweepKind(StrEnum):
    CONFIRM = "confirm"
    AUDIT = "audit"
    FIXITY = "fixity"


class SweepOutcome(StrEnum):
    """`decided`: its findings were applied. `undecided`: what it saw could not be trusted, nothing was applied."""

    DECIDED = "decided"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class NewRecording:
    """What a recorder says of a recording when it starts it."""

    id: UUID
    owner: str
    recorder_id: UUID
    source: Source
    mime_type: str
    title: str | None
    expected_bytes: int | None


class DeleteCause(StrEnum):
    """Who had a recording deleted: its owner, or a retention setting."""

    OWNER = "owner"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion under way or done; `failures`: how often in a row the bucket could not be purged."""

    cause: DeleteCause
    requested_at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class DeletionUnderWay:
    """A deletion as an administrator sees it: `failure` is why the last look failed, None where it did not."""

    recording_id: UUID
    owner: str
    cause: DeleteCause
    requested_at: datetime
    failures: int
    failure: str | None
    next_look_at: datetime
    looked_for_until: datetime
    removed_objects: int


@dataclass(frozen=True, slots=True)
class DeletionsUnderWay:
    """How many deletions are not finished, how many of these fail, and a page of them."""

    under_way: int
    failing: int
    page: Sequence[DeletionUnderWay]


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """How long recordings are kept after they were completed, or after they expired; None is for ever."""

    complete: timedelta | None
    expired: timedelta | None

    @property
    def on(self) -> bool:
        """Whether anything is ever deleted by age."""
        return self.complete is not None or self.expired is not None


@dataclass(frozen=True, slots=True)
class Retained:
    """A recording that is too old: since when it is in its state, and the bytes that its owner would have back."""

    id: UUID
    owner: str
    state: RecordingState
    since: datetime
    age: timedelta
    bytes: int


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A recording's link: the secret in it, whether it works, and until when (None: for as long as the recording is there)."""

    share_id: str
    shared: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's row."""

    id: UUID
    owner: str
    recorder_id: UUID
    source: Source
    mime_type: str
    title: str | None
    expected_bytes: int | None
    state: RecordingState
    chunk_count: int | None
    total_bytes: int | None
    created_at: datetime
    completed_at: datetime | None
    expires_at: datetime | None
    described_at: datetime | None
    deletion: Deletion | None
    link: ShareLink

    @property
    def deleted(self) -> bool:
        """Whether its owner (or a retention setting) had it deleted, be it purged yet or not."""
        return self.state in DELETED


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording's chunks have come, as ranges of `seq` and sums of bytes.

    `duration_ms`: how long it lasts, with what was granted and is still on a device; None where no recorder has said.
    """

    received: Sequence[Range]
    confirmed: Sequence[Range]
    missing: Sequence[Range]
    lost: Sequence[Range]
    received_chunks: int
    received_bytes: int
    confirmed_bytes: int
    open_tickets: int
    duration_ms: int | None

    @property
    def next_chunk_index(self) -> int:
        """The lowest seq that was not received."""
        return self.received[0][1] + 1 if self.received and self.received[0][0] == 0 else 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What a list shows of a recording: counts instead of ranges."""

    received_chunks: int
    received_bytes: int
    confirmed_chunks: int
    confirmed_bytes: int
    missing_chunks: int
    lost_chunks: int
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class ChunkClaim:
    """What a recorder says of a chunk when it asks for a grant; `sha256` is lower-case hex. Where it lies in the recording is for
    people alone: nothing is decided by it.
    """

    seq: int
    segment: int
    size: int
    sha256: str
    start_ms: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AckClaim:
    """What a recorder says of a PUT: the ETag it was answered, None where the answer was lost."""

    seq: int
    etag: str | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's row. `generation` rises with every ack: writes of sweeps are conditional on it."""

    recording_id: UUID
    seq: int
    segment: int
    size: int
    sha256: str
    state: ChunkState
    generation: int
    etag: str | None
    overwrite: bool
    granted_at: datetime
    expires_at: datetime
    acked_at: datetime | None
    confirmed_at: datetime | None
    start_ms: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """A grant's row as far as it matters for signing: from when until when, and whether it may overwrite."""

    overwrite: bool
    granted_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What an owner has of its quota, in bytes: `limit` None is no limit."""

    limit: int | None
    used: int
    reserved: int


@dataclass(frozen=True, slots=True)
class LiveGrants:
    """How many live grants an owner has, and may have."""

    limit: int
    live: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What a whole deployment comes to: counts, bytes, and seconds since the oldest failing deletion was asked for, the oldest
    open ticket was opened, the oldest ack that no sweep has confirmed was given, the part of the bucket that was not audited for
    the longest was, any worker said that it lives (None: none runs), and the sweep that waits for the longest was asked for.

    `sighted` chunks were seen missing or damaged by one sweep so far, which no ticket follows yet; `read_wrong` ones were read
    wrong and not read right since. What belongs to a recording that is being deleted does not count.

    `read_…` is what fixity sweeps read back: in all, and how much of the confirmed bytes, summed up each hour, within so
    many days; `oldest_unread_s` since the least recently read chunk was read, or else confirmed.

    `downloads_…`: jobs that wait and run, seconds that the one that could run for the longest has waited, those that failed
    within a day, and bytes of files that are ready.

    `webhooks_…`: messages that are to be told, since when the oldest of them is, and those that were given up within a week.
    """

    deletions: int
    deletions_failing: int
    failing_since_s: float
    manifests_missing: int
    audit_oldest_s: float
    workers_silent_s: float | None
    sweeps_waiting_s: float
    drift_bytes: int
    drifts: int
    used_bytes: int
    reserved_bytes: int
    over_quota: int
    open_tickets: int
    oldest_ticket_s: float
    lost_chunks: int
    unconfirmed_chunks: int
    oldest_unconfirmed_s: float
    frozen: bool
    read_chunks: int
    read_bytes: int
    damaged_chunks: int
    read_wrong: int
    sighted: int
    sighted_bytes: int
    confirmed_bytes: int
    read_30d_bytes: int
    read_90d_bytes: int
    read_ever_bytes: int
    oldest_unread_s: float
    downloads_queued: int
    downloads_running: int
    downloads_waiting_s: float
    downloads_failed: int
    downloads_bytes: int
    webhooks_pending: int
    oldest_webhook_s: float
    webhooks_given_up: int


@dataclass(frozen=True, slots=True)
class OwnerUsage:
    """An owner's counters as an administrator sees them; the drifts are what the last recount found them to be off by: bytes,
    and numbers of live grants.
    """

    owner: str
    usage: Usage
    live_grants: int
    own_limit: bool
    recounted_at: datetime | None
    drift: int
    drift_grants: int
    drifted_times: int


@dataclass(frozen=True, slots=True)
class Recount:
    """One owner's recount: by how many bytes and live grants its counters were below (above: negative) what the ledger holds."""

    owner: str
    used_off: int
    reserved_off: int
    grants_off: int


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """A batch of claims for one recording; `exempt`: no quota stands in their way."""

    owner: str
    recording_id: UUID
    claims: Sequence[ChunkClaim]
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class GrantedBatch:
    """What a batch of claims was granted, by seq; `described`: the bucket already tells what the recording is; before, no
    claim is granted.

    `over_quota` are the claims that the owner's quota, `usage` at that moment, has no room for; `over_grants` those beyond the
    number of grants that it may have at once (`live`; None where there are none such).
    """

    mime_type: str
    described: bool
    permits: Mapping[int, Permit]
    over_quota: frozenset[int]
    over_grants: frozenset[int]
    usage: Usage
    live: LiveGrants | None


@dataclass(frozen=True, slots=True)
class ProvenAck:
    """An ack that a HEAD has proven: the only thing that can make a chunk `acked`."""

    recording_id: UUID
    seq: int
    sha256: str
    etag: str


@dataclass(frozen=True, slots=True)
class Holding:
    """What a recorder says it still holds of one recording; `open`: more chunks will come.

    `kept` are chunks that were released and are still there: it can be asked for them, and needs no release.
    """

    recording_id: UUID
    ranges: Sequence[Range]
    open: bool
    kept: Sequence[Range] = ()

    @property
    def there(self) -> Sequence[Range]:
        """All that it has, in no order."""
        return [*self.ranges, *self.kept]


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat as received."""

    recorder_id: UUID
    counter: int
    persisted: bool | None
    usage: int | None
    quota: int | None
    sdk: str
    holding: Sequence[Holding]
    gone: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Ticket:
    """An open resend ticket with what is needed to grant its chunk anew."""

    id: UUID
    reason: Verdict
    mime_type: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Release:
    """Permission to delete one chunk from OPFS."""

    recording_id: UUID
    seq: int
    sha256: str
