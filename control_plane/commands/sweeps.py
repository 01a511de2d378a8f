"""`safereel sweeps`: what ran, what it found and what it did; or one report."""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

from control_plane.api.sweeps import round_answer, sweep_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.sweep_words import part, sentences, what_done, what_found
from control_plane.commands.tables import Table, print_lines, terminal_width
from control_plane.commands.wording import at, counted, listed, plain, sentence, span
from control_plane.config import Settings
from control_plane.domain.keys import SHARDS
from control_plane.domain.models import SweepKind
from control_plane.domain.work import AuditRound, StoredSweep, SweepStanding
from control_plane.wiring import open_control_plane

NAMES = ("began", "kind", "shards", "took", "looked at", "found", "done", "id")


def run(arguments: argparse.Namespace) -> int:
    """Prints them, the newest first."""
    settings = settings_of_parts(arguments.data_dir)
    if arguments.id:
        found = asyncio.run(_one(settings, arguments.id))
        print_lines([json.dumps(sweep_answer(found), indent=2)] if arguments.json else shown(found))
        return 0
    found_sweeps, newest = asyncio.run(_latest(settings, arguments))
    if arguments.json:
        told = {"sweeps": [sweep_answer(sweep) for sweep in found_sweeps], "audit_round": round_answer(newest)}
        print(json.dumps(told, indent=2))
    elif found_sweeps:
        print_lines(Table(NAMES, width=terminal_width()).lines([_row(sweep) for sweep in found_sweeps]))
        print_lines(causes(found_sweeps))
        print_lines(_round(newest))
    else:
        print(_none(arguments))
    return 0


async def _one(settings: Settings, sweep_id: UUID) -> StoredSweep:
    async with open_control_plane(settings) as plane:
        return await plane.services.sweep_reports.read(sweep_id)


async def _latest(settings: Settings, arguments: argparse.Namespace) -> tuple[Sequence[StoredSweep], AuditRound | None]:
    kind = SweepKind(arguments.kind) if arguments.kind else None
    outcome = SweepStanding(arguments.outcome) if arguments.outcome else None
    async with open_control_plane(settings) as plane:
        reports = plane.services.sweep_reports
        found = await reports.page(kind=kind, outcome=outcome, before=None, limit=arguments.limit)
        return found, await reports.newest_round()


def _none(arguments: argparse.Namespace) -> str:
    if arguments.kind or arguments.outcome:
        return "No sweep of this kind is kept."
    return "No sweep has run yet: `safereel worker` runs those that are due, `safereel sweep audit` runs one now."


def _row(sweep: StoredSweep) -> Sequence[str]:
    took = span(sweep.finished_at - sweep.started_at) if sweep.finished_at else ""
    done = listed(what_done(sweep)) or "nothing"
    came_to = {
        SweepStanding.WAITING: "waits for a worker",
        SweepStanding.UNDECIDED: "undecided (dry run)" if sweep.dry_run else "undecided",
        SweepStanding.DECIDED: f"would: {done}" if sweep.dry_run else done,
    }[sweep.standing]
    found = listed(what_found(sweep.report)) or "nothing"
    seen = ("", "") if sweep.standing is SweepStanding.WAITING else (f"{sweep.looked_at:,}", found)
    return (at(sweep.started_at), sweep.kind, part(sweep), took, *seen, came_to, str(sweep.id))


def causes(sweeps: Sequence[StoredSweep]) -> Iterator[str]:
    """Why sweeps that are listed decided nothing: each cause once, with how many it was and the last of them."""
    undecided = [sweep for sweep in sweeps if sweep.standing is SweepStanding.UNDECIDED]
    if undecided:
        yield ""
    for cause, count in Counter(sweep.cause or "no cause is known" for sweep in undecided).items():
        last = max(sweep.started_at for sweep in undecided if (sweep.cause or "no cause is known") == cause)
        yield f"Undecided: {counted(count, 'sweep')}, the last one at {at(last)}, for this: {sentence(cause)}"


def _round(newest: AuditRound | None) -> Iterator[str]:
    if newest is None:
        return
    how = f"under way, {newest.shards_done} of {SHARDS} shards are done"
    if newest.finished_at is not None:
        how = f"{'given up' if newest.given_up else 'done'} {at(newest.finished_at)}"
    yield ""
    yield f"Round {newest.id} of the audit, over the whole bucket: begun {at(newest.began_at)}, {how}."


def shown(sweep: StoredSweep) -> Iterator[str]:
    """One report: when and where, in sentences, then its members that say something."""
    dry = ", a dry run" if sweep.dry_run else ""
    yield f"{sweep.kind} {sweep.id}{dry}: {sweep.standing}"
    took = f", took {span(sweep.finished_at - sweep.started_at)}" if sweep.finished_at else ""
    worker = f", run by {plain(sweep.worker)}" if sweep.worker else ""
    audit_round = f", round {sweep.round}" if sweep.round is not None else ""
    yield f"began {at(sweep.started_at)}{took}{worker}; shards {part(sweep)}{audit_round}"
    yield from (plain(sentence) for sentence in sentences(sweep))
    said = {name: value for name, value in sweep.report.items() if value}
    if said:
        yield ""
    for name, value in said.items():
        if isinstance(value, list):
            yield f"{name}:"
            yield from (f"  {plain(str(each))}" for each in value)
        else:
            yield f"{name}: {plain(json.dumps(value))}"
