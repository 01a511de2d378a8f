"""The event log: what happened to chunks, tickets and releases, in an order in which nothing is told too late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID


class EventKind(StrEnum):
    """What happened; docs/protocol.md says of each what its `cause` and `detail` are."""

    TICKET_OPENED = "ticket_opened"
    TICKET_REOPENED = "ticket_reopened"
    TICKET_DELIVERED = "ticket_delivered"
    TICKET_GONE = "ticket_gone"
    TICKET_FULFILLED = "ticket_fulfilled"
    TICKET_HEALED = "ticket_healed"
    TICKET_LOST = "ticket_lost"
    TICKET_WITHDRAWN = "ticket_withdrawn"
    CHUNK_RETURNED = "chunk_returned"
    CHUNK_ADOPTED = "chunk_adopted"
    CHUNK_HEALED = "chunk_healed"
    CHUNK_TAKEN_UP = "chunk_taken_up"
    CHUNK_DAMAGED = "chunk_damaged"
    RELEASES_FROZEN = "releases_frozen"
    RELEASES_THAWED = "releases_thawed"


@dataclass(frozen=True, slots=True, order=True)
class EventPlace:
    """Where an event stands: by the transaction that wrote it, then by its id. Ids alone are not committed in their order."""

    written_by: int
    id: int

    def __str__(self) -> str:
        return f"{self.written_by}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that `str` words. Raises `ValueError`."""
        written_by, _, event_id = text.partition("-")
        if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (written_by, event_id)):
            raise ValueError("a place is two numbers")
        return cls(int(written_by), int(event_id))


BEGINNING = EventPlace(0, 0)
"""Before the first event."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, with what it is about as far as it is about anything."""

    place: EventPlace
    at: datetime
    kind: EventKind
    owner: str | None
    recording_id: UUID | None
    seq: int | None
    ticket_id: UUID | None
    recorder_id: UUID | None
    cause: str | None
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: None is any."""

    recording_id: UUID | None = None
    kind: EventKind | None = None
