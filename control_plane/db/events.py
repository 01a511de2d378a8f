"""The store of events. They are written where they happen: by the statements that do it, and by triggers on tickets."""

from collections.abc import Mapping, Sequence

from control_plane.db.database import Database, Row
from control_plane.domain.events import Event, EventFilter, EventKind, EventPlace


class EventStore:
    """Reads rows of `events`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: EventFilter, *, before: EventPlace | None, limit: int) -> Sequence[Event]:
        """Events older than `before`, the newest first."""
        params = {"before": before.id if before else None, "limit": limit, **_filter(wanted)}
        return [_event_of(row) for row in await self._database.rows("events_page", params)]

    async def tail(self, wanted: EventFilter, *, after: EventPlace, limit: int) -> Sequence[Event]:
        """Events behind `after`, in order. None is ever added before one that was told."""
        params = {"written_by": str(after.written_by), "id": after.id, "limit": limit, **_filter(wanted)}
        return [_event_of(row) for row in await self._database.rows("events_tail", params)]

    async def settled(self) -> str:
        """Up to where counts are final: nothing before it is written any more."""
        row = await self._database.row("events_settled", {})
        assert row is not None, "a select without from answers one row"
        until: str = row["settled"]
        return until

    async def counted(self, since: str, until: str) -> Mapping[EventKind, int]:
        """How many of each kind were written from one answer of `settled` on and before another; "0" is the beginning."""
        rows = await self._database.rows("events_counted", {"since": since, "until": until})
        return {EventKind(row["kind"]): row["events"] for row in rows}


def _filter(wanted: EventFilter) -> dict[str, object]:
    return {"recording_id": wanted.recording_id, "kind": wanted.kind}


def _event_of(row: Row) -> Event:
    return Event(
        place=EventPlace(int(row["place"]), row["id"]),
        at=row["at"],
        kind=EventKind(row["kind"]),
        owner=row["owner"],
        recording_id=row["recording_id"],
        seq=row["seq"],
        ticket_id=row["ticket_id"],
        recorder_id=row["recorder_id"],
        cause=row["cause"],
        detail=row["detail"],
    )
