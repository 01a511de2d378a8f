"""The event log, as administrators and tools read it."""

from collections.abc import Sequence

from control_plane.db.events import EventStore
from control_plane.domain.events import Event, EventFilter, EventPlace

# Behind every event of one transaction: more than will ever be written, and within a bigint.
MAX_ID = 10**18 - 1


class EventService:
    """Reads what happened. Written it is where it happens, in the same statement."""

    def __init__(self, events: EventStore) -> None:
        self._events = events

    async def page(self, wanted: EventFilter, *, before: EventPlace | None, limit: int) -> Sequence[Event]:
        """Events older than `before`, the newest first."""
        return await self._events.page(wanted, before=before, limit=limit)

    async def end(self) -> EventPlace:
        """Behind everything that is there for good. What `tail` tells from here on is not among what is before it."""
        return EventPlace(int(await self._events.settled()) - 1, MAX_ID)

    async def tail(self, wanted: EventFilter, *, after: EventPlace, limit: int) -> Sequence[Event]:
        """Events behind `after`, in order: whoever goes on from the last one told misses none."""
        return await self._events.tail(wanted, after=after, limit=limit)
