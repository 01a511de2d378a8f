"""`safereel at-risk`: what is safe, what is not, what is lost, and what to do."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from control_plane.api.losses import at_risk_answer, doubts_answer, overview_answer
from control_plane.commands.parts import settings_of_parts
from control_plane.commands.tables import Table, print_lines, terminal_width
from control_plane.commands.wording import at, counted, sentence, size, span
from control_plane.config import Settings
from control_plane.domain.freezing import Freeze, FreezeCause
from control_plane.domain.models import Figures
from control_plane.domain.tickets import AtRisk, Prospect
from control_plane.domain.work import Distrust
from control_plane.wiring import ControlPlane, open_control_plane

NAMES = ("recording", "prospect", "missing", "lost", "asked since", "held by", "last heard of", "owner", "title")
# Read together: some megabytes.
A_PAGE = 1_000
# Whose chunks are summed up: after a mass loss nobody waits for all of them, and what to do is the same.
SUMMED = 20_000
# Sweeps confirm within seconds: older ones mean that they fall behind.
LATE_S = 600.0
# A worker says that it lives every few seconds.
SILENT_S = 60.0

ADVICE = {
    Prospect.ASKED: "asked: nothing is to be done yet. Who last said to hold it is asked with the next heartbeat, and sends what "
    "it still has.",
    Prospect.UNSERVED: "unserved: a recorder was asked ten minutes ago or more. Is the page still open, does its upload fail, is "
    "its token good?",
    Prospect.AWAY: "away: have that device switched on, with the page open. It holds what the bucket lost.",
    Prospect.UNHELD: "unheld: no device says that it has it. Switch on the one that recorded it, if it has not called since; "
    "else bring it back from a backup of the bucket or an older version.",
    Prospect.LOST: "lost: nobody is asked any more. A device that turns up again or a backup of the bucket brings it back.",
}


@dataclass(frozen=True, slots=True)
class Risks:
    """What the ledger says. `recordings` are all that the bucket does not hold whole, or the first of them; `distrust` since when
    and why sweeps decide nothing; `purge_failure` why a deletion failed the last time.
    """

    figures: Figures
    freeze: Freeze | None
    recordings: Sequence[AtRisk]
    all_read: bool
    distrust: Distrust | None = None
    purge_failure: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether something that no ticket tells of keeps anybody from saying that all is safe."""
        figures, freeze = self.figures, self.freeze
        by_loss = freeze is not None and freeze.cause is not FreezeCause.ADMINISTRATOR
        return bool(figures.sighted or figures.read_wrong or self.distrust or by_loss)


def run(arguments: argparse.Namespace) -> int:
    """Says it in sentences, and lists the recordings."""
    risks = asyncio.run(_read(settings_of_parts(arguments.data_dir)))
    if arguments.json:
        shown = risks.recordings[: arguments.limit]
        told = {
            "overview": overview_answer(risks.figures, risks.freeze),
            **doubts_answer(risks.figures, risks.distrust),
            "recordings": [at_risk_answer(recording) for recording in shown],
            "more": len(shown) < len(risks.recordings) or not risks.all_read,
        }
        print(json.dumps(told, indent=2))
    else:
        print_lines(summary(risks))
        print_lines(_table(risks, arguments.limit))
    return 0


async def _read(settings: Settings) -> Risks:
    async with open_control_plane(settings) as plane:
        figures, _ = await plane.services.figures.read()
        found, all_read = await _recordings(plane)
        worst = (await plane.services.purges.under_way(limit=1)).page
        return Risks(
            figures,
            await plane.services.freezing.now(),
            found,
            all_read=all_read,
            distrust=await plane.services.sweep_reports.distrust(),
            purge_failure=worst[0].failure if worst else None,
        )


async def _recordings(plane: ControlPlane) -> tuple[Sequence[AtRisk], bool]:
    """The first of those that are not whole, and whether these are all."""
    found = list[AtRisk]()
    while len(found) < SUMMED:
        last = found[-1].recording_id if found else None
        page = await plane.services.tickets.at_risk(after=last, limit=A_PAGE)
        found += page
        if len(page) < A_PAGE:
            return found, True
    return found, False


def summary(risks: Risks) -> Iterator[str]:
    """A line for what is safe, one for each thing that is not."""
    yield _safe(risks)
    yield from _missing(risks)
    yield from _lost(risks)
    yield from _doubted(risks.figures)
    if risks.distrust is not None:
        since, cause = at(risks.distrust.since), sentence(risks.distrust.cause)
        yield (
            f"Undecided: sweeps have decided nothing since {since}, for this: {cause} What was confirmed before is not released "
            "until it is seen again. `safereel doctor` says more."
        )
    yield from _behind(risks.figures)
    if risks.freeze is not None:
        yield frozen(risks.freeze)
    yield from _failing(risks)


def _safe(risks: Risks) -> str:
    figures = risks.figures
    missing = sum(recording.missing_bytes for recording in risks.recordings)
    there = size(max(0, figures.used_bytes - missing - figures.sighted_bytes))
    if not figures.used_bytes and not figures.lost_chunks:
        return "Nothing is at risk: the ledger has no chunks yet."
    waiting = figures.unconfirmed_chunks
    of_it = f", of which {counted(waiting, 'chunk waits', 'chunks wait')} to be confirmed" if waiting else ""
    if risks.distrust is not None:
        return f"Not known: what was acknowledged ({there}){of_it} was safe as far as sweeps looked while they could."
    if not risks.recordings and not figures.lost_chunks and not risks.in_doubt:
        return f"All is safe: what was acknowledged ({there}) is in the bucket, as far as sweeps have looked{of_it}."
    most = "" if risks.all_read else "at most "
    doubted = ", but for what is in doubt below" if figures.sighted or figures.read_wrong else ""
    return f"Safe: {most}{there} in the bucket, as far as sweeps have looked{of_it}{doubted}."


def _missing(risks: Risks) -> Iterator[str]:
    risky = [recording for recording in risks.recordings if recording.missing_chunks]
    if not risky:
        return
    chunks = counted(sum(recording.missing_chunks for recording in risky), "chunk")
    bytes_ = size(sum(recording.missing_bytes for recording in risky))
    least = "" if risks.all_read else "at least "
    oldest = span(risks.figures.oldest_ticket_s)
    yield (
        f"Missing: {least}{chunks} ({bytes_}) of {counted(len(risky), 'recording')}. "
        f"Recorders that say that they hold them are asked when they call; the oldest ticket was opened {oldest} ago."
    )


def _lost(risks: Risks) -> Iterator[str]:
    if risks.figures.lost_chunks:
        bytes_ = sum(recording.lost_bytes for recording in risks.recordings)
        yield (
            f"Lost: {counted(risks.figures.lost_chunks, 'chunk')} ({size(bytes_)}): nobody is known to have them any more. "
            "docs/operations.md says how they come back (“When chunks are lost”)."
        )


def _doubted(figures: Figures) -> Iterator[str]:
    """What no ticket tells of yet."""
    if figures.sighted:
        sighted = counted(figures.sighted, "chunk", "chunks")
        were = "was" if figures.sighted == 1 else "were"
        yield (
            f"Sighted: {sighted} ({size(figures.sighted_bytes)}) {were} not in the bucket as acknowledged, for the first time. "
            "A second look decides: `safereel sweep audit`, or wait for the next."
        )
    if figures.read_wrong:
        yield f"Doubted: {counted(figures.read_wrong, 'chunk was', 'chunks were')} read wrong, and will be read again."


def _behind(figures: Figures) -> Iterator[str]:
    """What keeps sweeps from finding out. `workers_silent_s` None: no worker runs."""
    silent = figures.workers_silent_s
    if silent is None or silent > SILENT_S:
        how = "No worker runs" if silent is None else f"No worker has been heard of for {span(silent)}"
        yield f"Unwatched: {how}, so nothing is confirmed or audited. Start `safereel worker`."
    elif figures.oldest_unconfirmed_s > LATE_S:
        yield (
            f"Behind: the oldest chunk has waited for {span(figures.oldest_unconfirmed_s)} to be confirmed, and devices fill. "
            "`safereel sweeps --outcome undecided` may say why."
        )


def _failing(risks: Risks) -> Iterator[str]:
    if not risks.figures.deletions_failing:
        return
    failing = counted(risks.figures.deletions_failing, "deletion")
    why = f", for this: {sentence(risks.purge_failure)}" if risks.purge_failure else "."
    yield f"Failing: {failing}. What owners deleted may still be in the bucket{why} They are tried again by themselves."


def frozen(freeze: Freeze) -> str:
    """Since when nothing is released, and why."""
    why = {
        FreezeCause.MISSING: "too much is missing at once",
        FreezeCause.UNKNOWN: "the bucket has many keys that the ledger does not know",
        FreezeCause.BUCKET: "sweeps met a bucket that does not show this deployment's mark",
        FreezeCause.ADMINISTRATOR: "an administrator stopped them; `safereel thaw` ends it",
    }[freeze.cause]
    return f"Frozen: nothing is released since {at(freeze.frozen_at)}: {why}."


def _table(risks: Risks, limit: int) -> Iterator[str]:
    if not risks.recordings:
        return
    worst_first = list(Prospect)[::-1]
    order = sorted(risks.recordings, key=lambda recording: worst_first.index(recording.prospect))
    shown = order[:limit]
    yield ""
    yield from Table(NAMES, width=terminal_width()).lines([_row(recording) for recording in shown])
    if len(shown) < len(order):
        yield f"… and {counted(len(order) - len(shown), 'more recording')} (--limit)."
    yield ""
    for prospect in dict.fromkeys(recording.prospect for recording in order):
        yield ADVICE[prospect]


def _row(found: AtRisk) -> Sequence[str]:
    missing = f"{found.missing_chunks:,} ({size(found.missing_bytes)})" if found.missing_chunks else ""
    lost = f"{found.lost_chunks:,} ({size(found.lost_bytes)})" if found.lost_chunks else ""
    held = counted(len(found.holders), "device") if found.holders else "nobody"
    heard = max((holder.last_beat_at for holder in found.holders), default=None)
    asked = at(found.oldest_delivered_at) or ("at the next call" if found.missing_chunks and found.holders else "")
    return (
        str(found.recording_id),
        found.prospect,
        missing,
        lost,
        asked,
        held,
        at(heard),
        found.owner,
        found.title or "",
    )
