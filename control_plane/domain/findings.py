"""What a sweep found, and how its report is worded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.domain.models import Chunk, SweepKind, SweepOutcome, Verdict
from control_plane.domain.ranges import Range
from control_plane.domain.work import Shards


@dataclass(frozen=True, slots=True)
class Finding:
    """An acked or confirmed chunk that a HEAD did not show as it should be; never `match` or `unreachable`.

    `read_again`: its bytes were read and were wrong, or could not be read. HEAD does not show that: only reading ends this doubt,
    and not before so much time.
    """

    chunk: Chunk
    verdict: Verdict
    read_again: timedelta | None = None


@dataclass(frozen=True, slots=True)
class OpenedTicket:
    """A ticket that a sweep opened."""

    id: UUID
    recording_id: UUID
    seq: int
    reason: Verdict


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a sweep's findings: a first sighting is remembered, the second is healed or opens a ticket; tickets beyond
    what one sweep may open are `left` to the next.

    In a dry run `healed` could be, `would_open` are the tickets, and releases would freeze or not.
    """

    first_sightings: int = 0
    healed: int = 0
    tickets: Sequence[OpenedTicket] = ()
    would_open: int = 0
    left: int = 0
    would_freeze: bool = False


@dataclass(slots=True)
class Observation:
    """What a sweep saw, gathered while it runs; `shards`: which of them it has gone through, first and last.

    `known_missing` and `known_lost` chunks were so when it began, and are not looked for.
    `unknown_of_shards`: how many of the unexpected keys the ledger does not know, by number of shard, where there are any.
    `resume_after`: of each unit of an audit in which there was more to try than one audit may, the key behind which a later
    one goes on.
    """

    looked_at: int = 0
    known_missing: int = 0
    known_lost: int = 0
    confirmed: int = 0
    refreshed: int = 0
    returned: int = 0
    adopted: int = 0
    taken_up: int = 0
    meta_missing: int = 0
    remains_removed: int = 0
    unreachable: int = 0
    read_bytes: int = 0
    unreadable: int = 0
    unlisted: int = 0
    truncated: bool = False
    shards: Range | None = None
    discrepancies: dict[str, int] = field(default_factory=dict)
    unexpected: dict[str, int] = field(default_factory=dict)
    unknown_of_shards: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    resume_after: dict[str, str] = field(default_factory=dict)

    def note(self, findings: Sequence[Finding]) -> None:
        """Counts findings by verdict. They are not kept: of an emptied bucket there is one for each chunk of the ledger."""
        for finding in findings:
            verdict = finding.verdict.value
            self.discrepancies[verdict] = self.discrepancies.get(verdict, 0) + 1


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The stored result of one sweep. `undecided` with a `cause`: from then on what it saw was not trusted, and
    nothing was written; `detail` tells what was before.

    `shards`: the part of the bucket that it was for; `covered`: which part of it an audit has gone through, first and last.

    `id` is None where nobody asked for it; `round` that of the audit which it is a part of; `worker` the process that ran it.
    """

    id: UUID | None
    kind: SweepKind
    shards: Shards
    round: int | None
    worker: str
    dry_run: bool
    outcome: SweepOutcome
    cause: str | None
    started_at: datetime
    looked_at: int
    detail: Mapping[str, object]
    covered: Range | None = None


def combined(parts: Sequence[Handled]) -> Handled:
    """What several parts of one sweep handled, together."""
    return Handled(
        first_sightings=sum(part.first_sightings for part in parts),
        healed=sum(part.healed for part in parts),
        tickets=[ticket for part in parts for ticket in part.tickets],
        would_open=sum(part.would_open for part in parts),
        left=sum(part.left for part in parts),
        would_freeze=any(part.would_freeze for part in parts),
    )


def report_detail(seen: Observation, handled: Handled) -> dict[str, object]:
    """The body of a report, as stored and printed."""
    return {
        "known_missing": seen.known_missing,
        "known_lost": seen.known_lost,
        "confirmed": seen.confirmed,
        "etags_refreshed": seen.refreshed,
        "returned": seen.returned,
        "adopted": seen.adopted,
        "taken_up": seen.taken_up,
        "meta_missing": seen.meta_missing,
        "remains_removed": seen.remains_removed,
        "discrepancies": dict(seen.discrepancies),
        "unreachable": seen.unreachable,
        "read_bytes": seen.read_bytes,
        "unreadable": seen.unreadable,
        "unlisted": seen.unlisted,
        "first_sightings": handled.first_sightings,
        "healed": handled.healed,
        "tickets_opened": len(handled.tickets),
        "tickets_that_would_open": handled.would_open,
        "tickets_left": handled.left,
        "releases_would_freeze": handled.would_freeze,
        "unexpected": dict(seen.unexpected),
        "unknown_of_shards": dict(seen.unknown_of_shards),
        "samples": list(seen.samples),
        "truncated": seen.truncated,
        "resume_after": dict(seen.resume_after),
    }
