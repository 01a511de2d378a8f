"""`safereel tickets`: which chunks recorders are asked for, and how earlier tickets ended."""

import argparse
import asyncio
import json
from collections.abc import Sequence

from control_plane.api.losses import ticket_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.tables import Table, print_lines, terminal_width
from control_plane.commands.wording import at, counted, sentence
from control_plane.config import Settings
from control_plane.domain.identity import is_owner
from control_plane.domain.models import Figures, TicketState
from control_plane.domain.tickets import ListedTicket, TicketFilter
from control_plane.domain.work import Distrust
from control_plane.environment import UsageError
from control_plane.wiring import open_control_plane

NAMES = ("opened", "state", "why", "holders", "asked", "ended", "owner", "recording/chunk")


def run(arguments: argparse.Namespace) -> int:
    """Prints them, the newest first."""
    if arguments.owner is not None and not is_owner(arguments.owner):
        raise UsageError("--owner: name somebody, or leave it out")
    state = None if arguments.state == "all" else TicketState(arguments.state)
    wanted = TicketFilter(state, arguments.owner, arguments.recording)
    found, figures, distrust = asyncio.run(_read(settings_of_parts(arguments.data_dir), wanted, arguments.limit + 1))
    shown, more = found[: arguments.limit], len(found) > arguments.limit
    if arguments.json:
        print(json.dumps({"tickets": [ticket_answer(ticket) for ticket in shown], "more": more}, indent=2))
    elif shown:
        print_lines(Table(NAMES, width=terminal_width()).lines([_row(ticket) for ticket in shown]))
        print_lines(["", f"These are the newest {len(shown):,}: there are more (--limit)."] if more else [])
    else:
        print(none(wanted, figures, distrust))
    return 0


async def _read(
    settings: Settings, wanted: TicketFilter, limit: int
) -> tuple[Sequence[ListedTicket], Figures, Distrust | None]:
    async with open_control_plane(settings) as plane:
        figures, _ = await plane.services.figures.read()
        found = await plane.services.tickets.page(wanted, before=None, limit=limit)
        return found, figures, await plane.services.sweep_reports.distrust()


def none(wanted: TicketFilter, figures: Figures, distrust: Distrust | None) -> str:
    """What it means that there are none."""
    if wanted != TicketFilter(TicketState.OPEN):
        return "There are no such tickets."
    if figures.lost_chunks:
        lost = counted(figures.lost_chunks, "chunk is", "chunks are")
        return f"No open tickets, and {lost} lost: nobody is known to have them any more. `safereel at-risk` says more."
    in_doubt = figures.sighted + figures.read_wrong
    if in_doubt:
        doubt = counted(in_doubt, "chunk is", "chunks are")
        return f"No open tickets, but {doubt} in doubt, and a second look decides. `safereel at-risk` says more."
    if distrust is not None:
        return (
            f"No open tickets, but sweeps have decided nothing since {at(distrust.since)}, so none can be opened: "
            f"{sentence(distrust.cause)} `safereel at-risk` says more."
        )
    return "No open tickets: every chunk that was acknowledged is in the bucket, as far as sweeps have looked."


def _row(ticket: ListedTicket) -> Sequence[str]:
    holders = f"{ticket.holders}{f' ({ticket.gone_reports} gone)' if ticket.gone_reports else ''}"
    asked = at(ticket.delivered_at) or "not yet"
    ended = f"{at(ticket.closed_at)} {ticket.cause or ''}".strip()
    why = f"{ticket.reason}{' (was lost)' if ticket.reopened else ''}"
    return (
        at(ticket.opened_at),
        ticket.state,
        why,
        holders,
        asked,
        ended,
        ticket.owner,
        f"{ticket.recording_id}/{ticket.seq}",
    )
