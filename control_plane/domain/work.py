"""Work that machines share: which shards one sweep takes, and the description of a sweep that waits for a worker."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from control_plane.domain.keys import SHARDS, shard_prefix
from control_plane.domain.models import SweepKind, SweepOutcome

# Below this, many listings cost more than one over all shards, whose staging is then some tens of megabytes.
CHUNKS_PER_UNIT = 100_000
# Into how many jobs an audit is cut: by sixteens, so that a round of a middling ledger does not cost hundreds of jobs.
UNITS_OF_AUDIT = (1, 16, SHARDS)
# Of the ledger's chunks so many are counted: beyond, an audit is cut into as many units as there are.
COUNTED_CHUNKS = CHUNKS_PER_UNIT * UNITS_OF_AUDIT[-2]
# A sweep of this many HEADs takes seconds: above, several workers share what is to be confirmed.
MUCH_TO_CONFIRM = 5_000
GROUPS_TO_CONFIRM = 8


@dataclass(frozen=True, slots=True, order=True)
class Shards:
    """Shards `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @property
    def prefixes(self) -> Sequence[str]:
        """What to list to see all of them: everything at once, or one listing for each."""
        if self == ALL_SHARDS:
            return ("v1/",)
        return [shard_prefix(shard) for shard in range(self.first, self.last + 1)]

    def overlaps(self, other: "Shards") -> bool:
        """Whether some shard is in both."""
        return self.first <= other.last and other.first <= self.last


ALL_SHARDS = Shards(0, SHARDS - 1)


def cut(shards: Iterable[int], parts: int) -> Sequence[Shards]:
    """Those of `parts` equal parts of all shards that hold any of these, in order."""
    size = SHARDS // parts
    return [Shards(part * size, (part + 1) * size - 1) for part in sorted({shard // size for shard in shards})]


def audit_parts(ledger_chunks: int) -> int:
    """Into how many units the whole bucket is cut, so that memory stays flat."""
    return next((parts for parts in UNITS_OF_AUDIT if ledger_chunks < parts * CHUNKS_PER_UNIT), UNITS_OF_AUDIT[-1])


def confirm_parts(waiting: int) -> int:
    """Into how many sweeps that many chunks are cut; 0 where there is nothing to confirm."""
    if not waiting:
        return 0
    return 1 if waiting < MUCH_TO_CONFIRM else GROUPS_TO_CONFIRM


@dataclass(frozen=True, slots=True)
class SweepWork:
    """A sweep to be run by any worker. `sweep_id`: under which its report is awaited; None where nobody asked for it."""

    kind: SweepKind
    shards: Shards
    dry_run: bool = False
    sweep_id: UUID | None = None

    @property
    def line(self) -> str:
        """Where it waits: a confirmation waits behind no audit."""
        return self.kind.value

    @property
    def alone(self) -> bool:
        """Whether one at a time runs for the same shards: a second one would look at the same chunks. Parts of an audit are put
        into the queue only while they are not under way.
        """
        return self.kind is not SweepKind.AUDIT and self.sweep_id is None

    @property
    def turn(self) -> str:
        """The same for what need not wait twice: one that waits does for all that ask before it begins."""
        own = f" {self.sweep_id}" if self.sweep_id else ""
        return f"{self.kind} {self.shards}{own}"

    def as_json(self) -> dict[str, Any]:
        """For the queue."""
        return {
            "kind": self.kind.value,
            "first_shard": self.shards.first,
            "last_shard": self.shards.last,
            "dry_run": self.dry_run,
            "sweep_id": str(self.sweep_id) if self.sweep_id else None,
        }

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> "SweepWork":
        """Raises `KeyError` or `ValueError` for what another version has put there."""
        return cls(
            SweepKind(given["kind"]),
            Shards(given["first_shard"], given["last_shard"]),
            given["dry_run"],
            UUID(given["sweep_id"]) if given["sweep_id"] else None,
        )


DOWNLOADS = "downloads"
"""The line of the queue in which downloads wait."""
LINES = (*(kind.value for kind in SweepKind), DOWNLOADS)
"""All of them."""


@dataclass(frozen=True, slots=True)
class DownloadWork:
    """A download that may be made, by any worker."""

    download_id: UUID
    line: str = DOWNLOADS
    alone: bool = False

    @property
    def turn(self) -> str:
        """The same for the same download: it need not wait twice."""
        return f"download {self.download_id}"

    def as_json(self) -> dict[str, Any]:
        """For the queue."""
        return {"download_id": str(self.download_id)}

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> "DownloadWork":
        """Raises `KeyError` or `ValueError` for what another version has put there."""
        return cls(UUID(given["download_id"]))


@dataclass(frozen=True, slots=True)
class AuditRound:
    """One pass of the audit over all shards. Given up: its last part was finished too long ago, and another one began."""

    id: int
    began_at: datetime
    finished_at: datetime | None
    shards_done: int
    given_up: bool


class SweepStanding(StrEnum):
    """What a sweep came to, or that it has not run yet."""

    DECIDED = SweepOutcome.DECIDED
    UNDECIDED = SweepOutcome.UNDECIDED
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class StoredSweep:
    """A sweep as it is kept; `outcome` and `finished_at` are None until it has run."""

    id: UUID
    kind: SweepKind
    dry_run: bool
    outcome: SweepOutcome | None
    cause: str | None
    started_at: datetime
    finished_at: datetime | None
    looked_at: int
    report: Mapping[str, Any]
    first_shard: int
    last_shard: int
    round: int | None
    worker: str

    @property
    def standing(self) -> SweepStanding:
        return SweepStanding(self.outcome or SweepStanding.WAITING)


@dataclass(frozen=True, slots=True)
class Distrust:
    """Sweeps decide nothing `since` then, the latest of them for this `cause`."""

    since: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Seconds since any worker's last heartbeat (None: there never was one), and since the oldest waiting job was put there."""

    workers_silent_s: float | None
    oldest_waiting_s: float
