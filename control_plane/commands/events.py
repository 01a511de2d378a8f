"""`safereel events`: the log of what happened to chunks, tickets and releases, and what happens from now on."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from control_plane.api.events import event_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.tables import Table, print_lines, terminal_width
from control_plane.commands.wording import at
from control_plane.config import Settings
from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.events import Event, EventFilter, EventKind, EventPlace
from control_plane.services.events import EventService
from control_plane.wiring import open_control_plane

Found = TypeVar("Found")

NAMES = ("at", "event", "recording/chunk", "cause", "owner", "detail")
# Of what most rows are: a time, the longest kind, a recording's chunk, a word. Rows to come stand below those that were.
LEAST = (20, 16, 40, 9, 8, 6)
# A person who waits sees it at once, and the database notices nothing.
POLL_S = 1.0
# Of events that come between two looks: the rest is read right after.
AT_ONCE = 1_000


def run(arguments: argparse.Namespace) -> int:
    """Prints them in order, each once. 130 after Ctrl-C."""
    asyncio.run(tell(settings_of_parts(arguments.data_dir), arguments))
    return 0


@dataclass(slots=True)
class _Out:
    """Where events go to: a line of JSON each, or a row."""

    table: Table | None
    begun: bool = False

    def show(self, events: Sequence[Event]) -> None:
        if self.table is None:
            print_lines(json.dumps(event_answer(event)) for event in events)
        elif events:
            print_lines(self.table.lines([_row(event) for event in events], head=not self.begun))
            self.begun = True
        sys.stdout.flush()


class _Waiting:
    """For a database that was there and is away: said once each time."""

    def __init__(self) -> None:
        self._away = False

    async def unless_away(self, look: Awaitable[Found]) -> Found | None:
        """What it finds; None where the database is away."""
        try:
            found = await look
        except DatabaseUnreachable as exc:
            if not self._away:
                print(
                    f"safereel events: {exc}; it goes on when the database answers again.", file=sys.stderr, flush=True
                )
            self._away = True
            return None
        self._away = False
        return found


async def tell(settings: Settings, arguments: argparse.Namespace) -> None:
    """Prints them; for ever where they are followed. Raises `DatabaseUnreachable` where they are not."""
    out = _Out(None if arguments.json else Table(NAMES, least=LEAST, width=terminal_width()))
    wanted = EventFilter(arguments.recording, EventKind(arguments.kind) if arguments.kind else None)
    async with open_control_plane(settings) as plane:
        events = plane.services.events
        begin = _latest if arguments.after is None else _since
        if not arguments.follow:
            await begin(events, wanted, arguments, out)
            return
        waiting = _Waiting()
        while (place := await waiting.unless_away(begin(events, wanted, arguments, out))) is None:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(POLL_S)
        await _follow(events, wanted, place, out.show, waiting)


async def _latest(events: EventService, wanted: EventFilter, arguments: argparse.Namespace, out: _Out) -> EventPlace:
    """The newest, the oldest of them first; the place behind which there are others."""
    end = await events.end()
    found = await events.page(wanted, before=None, limit=arguments.limit)
    # Those behind the end come with the next look: they may not all be there yet.
    told = [event for event in reversed(found) if event.place <= end or not arguments.follow]
    out.show(told)
    if not told and not arguments.json:
        print("Nothing has happened yet." if wanted == EventFilter() else "There are no such events.", file=sys.stderr)
    return end


async def _since(events: EventService, wanted: EventFilter, arguments: argparse.Namespace, out: _Out) -> EventPlace:
    found = await events.tail(wanted, after=arguments.after, limit=arguments.limit)
    out.show(found)
    place: EventPlace = found[-1].place if found else arguments.after
    if not arguments.follow and not arguments.json:
        more = len(found) == arguments.limit
        print(f"{'More' if more else 'What happens from now on'}: `safereel events --after {place}`", file=sys.stderr)
    return place


async def _follow(
    events: EventService,
    wanted: EventFilter,
    place: EventPlace,
    show: Callable[[Sequence[Event]], None],
    waiting: _Waiting,
) -> None:
    """For ever. Nothing is left out, and nothing told twice."""
    while True:
        found = await waiting.unless_away(events.tail(wanted, after=place, limit=AT_ONCE)) or ()
        show(found)
        if found:
            place = found[-1].place
        else:
            await asyncio.sleep(POLL_S)


def _row(event: Event) -> Sequence[str]:
    subject = str(event.recording_id or "")
    if event.seq is not None:
        subject += f"/{event.seq}"
    details = " ".join(f"{name}={value}" for name, value in event.detail.items())
    who = f"recorder={event.recorder_id} " if event.recorder_id else ""
    return (at(event.at), event.kind, subject, event.cause or "", event.owner or "", f"{who}{details}".strip())
