"""What a drill does to chunks, and what it says of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from control_plane.domain.events import EventKind


class Case(StrEnum):
    """One mishap each; the order is that of the chunks."""

    PURGED = "purged"
    CORRUPTED = "corrupted"
    OVERWRITTEN = "overwritten"
    TRUNCATED = "truncated"
    HIDDEN = "hidden"
    UNACKED = "unacked"

    @property
    def done(self) -> str:
        """What was done."""
        return DONE[self]

    @property
    def seq(self) -> int:
        """The number of the chunk it was done to."""
        return list(Case).index(self)


DONE: Mapping[Case, str] = {
    Case.PURGED: "all its versions were removed",
    Case.CORRUPTED: "other bytes put over it, no version kept",
    Case.OVERWRITTEN: "other bytes put over it, its own are an older version",
    Case.TRUNCATED: "cut to half, no version kept",
    Case.HIDDEN: "a delete marker put over it",
    Case.UNACKED: "put, and its ack lost",
}

WAYS: Mapping[EventKind, str] = {
    EventKind.CHUNK_HEALED: "healed",
    EventKind.CHUNK_ADOPTED: "adopted",
    EventKind.TICKET_FULFILLED: "resent by ticket",
    EventKind.TICKET_HEALED: "healed",
    EventKind.CHUNK_RETURNED: "returned",
}
"""How a chunk came back, by the event that tells of it."""


@dataclass(slots=True)
class Outcome:
    """What became of one case. Seconds from the harm: until it was repaired, and until a sweep had confirmed it again."""

    case: Case
    way: str | None = None
    repaired_s: float | None = None
    safe_s: float | None = None

    @property
    def recovered(self) -> bool:
        return self.safe_s is not None


def what_lacks(lacking: Sequence[Outcome]) -> str:
    """Which step each case waits for, in sentences: its repair, or that what came back is seen to be whole."""
    named = ", ".join(outcome.case.value for outcome in lacking)
    unrepaired = [outcome.case.value for outcome in lacking if outcome.way is None]
    unseen = [outcome.case.value for outcome in lacking if outcome.way is not None]
    told = [f"{named}."]
    if unrepaired:
        told.append(f"Not repaired: {', '.join(unrepaired)}; two audits must have passed, and a recorder's heartbeat.")
    if unseen:
        told.append(
            f"Repaired, but not safe yet: {', '.join(unseen)}; a confirmation must have seen it again, and where other bytes lay "
            "over it, a fixity sweep must have read it back."
        )
    return f"{' '.join(told)} If that takes longer here, give more time with --deadline."


@dataclass(frozen=True, slots=True)
class Report:
    """A drill that came to its end. `cause`: why it did not recover everything, as far as one cause is known."""

    recording_id: str
    outcomes: Sequence[Outcome]
    cause: str | None = None

    @property
    def recovered(self) -> bool:
        return self.cause is None and all(outcome.recovered for outcome in self.outcomes)
