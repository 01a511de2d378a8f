"""What a sweep looked at, found and did, and what to do next, in words. docs/operations.md says what a report's members are."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from control_plane.commands.at_risk import frozen
from control_plane.commands.wording import at, counted, listed, sentence, size
from control_plane.domain.freezing import Freeze
from control_plane.domain.keys import SHARDS
from control_plane.domain.models import SweepKind
from control_plane.domain.work import StoredSweep, SweepStanding

# Verdicts, as the rest of “2 …”.
_DISCREPANCIES = {
    "missing": "missing",
    "size_differs": "of another size",
    "etag_differs": "with another ETag",
    "digest_differs": "with other bytes",
    "unproven": "without proof",
}
# Kinds of objects that no acknowledged chunk explains: one of them, and many.
_UNEXPECTED = {
    "foreign": ("object that is no chunk", "objects that are no chunks"),
    "unknown": ("object unknown to the ledger", "objects unknown to the ledger"),
    "unacked": ("object without an ack", "objects without an ack"),
    "missing_returned": ("missing chunk that is there again", "missing chunks that are there again"),
    "remains": ("object of a deleted recording", "objects of deleted recordings"),
}
_UNSEEN = {
    "unreachable": "that the bucket gave no answer about",
    "unlisted": "whose listing failed",
    "unreadable": "that could not be read",
}
# What was done, as the rest of “2 chunks …”.
_DONE = {
    "confirmed": "confirmed",
    "returned": "taken back",
    "adopted": "adopted",
    "taken_up": "taken up",
    "healed": "healed",
}


def what_found(report: Mapping[str, Any]) -> list[str]:
    """What is not as it should be, “2 missing” and the like; empty where all is."""
    verdicts: Mapping[str, int] = report.get("discrepancies", {})
    objects: Mapping[str, int] = report.get("unexpected", {})
    found = [f"{count:,} {_DISCREPANCIES.get(verdict, verdict)}" for verdict, count in verdicts.items() if count]
    found += [counted(count, *_UNEXPECTED.get(kind, (kind, kind))) for kind, count in objects.items() if count]
    if report.get("meta_missing"):
        found.append(
            counted(report["meta_missing"], "description or manifest absent", "descriptions or manifests absent")
        )
    return found + [f"{report[name]:,} {words}" for name, words in _UNSEEN.items() if report.get(name)]


def what_done(sweep: StoredSweep) -> list[str]:
    """“2 confirmed”, “1 ticket opened” and the like; of a dry run, what would be."""
    report = sweep.report
    done = [f"{report[name]:,} {words}" for name, words in _DONE.items() if report.get(name)]
    tickets = report.get("tickets_that_would_open" if sweep.dry_run else "tickets_opened")
    if tickets:
        done.append(f"{counted(tickets, 'ticket')} opened")
    if report.get("remains_removed"):
        done.append(f"{counted(report['remains_removed'], 'object')} of deleted recordings removed")
    return done


def sentences(sweep: StoredSweep) -> list[str]:
    """What was looked at and found; what was not looked for; what was done; what to do next. One to four of them."""
    if sweep.standing is SweepStanding.WAITING:
        return ["No worker has run it yet: `safereel worker` does."]
    found, done = what_found(sweep.report), what_done(sweep)
    known = _known(sweep.report)
    well = "these are as they should be" if known else "all is as it should be"
    first = f"{_looked(sweep)}: {listed(found) or well}."
    if not sweep.looked_at and not found and not known:
        first = f"{_nothing(sweep)}."
    told = [first, *known]
    if done:
        would = "Would be done: " if sweep.dry_run else "Done: "
        told.append(f"{would}{listed(done)}.")
    return [*told, *islice(_next(sweep), 1)]


def part(sweep: StoredSweep) -> str:
    """Which shards it was for: “all”, “0-15”."""
    whole = (sweep.first_shard, sweep.last_shard) == (0, SHARDS - 1)
    return "all" if whole else f"{sweep.first_shard}-{sweep.last_shard}"


def _looked(sweep: StoredSweep) -> str:
    chunks = counted(sweep.looked_at, "chunk")
    if sweep.kind is SweepKind.CONFIRM:
        return f"Looked at {chunks} that waited to be confirmed"
    if sweep.kind is SweepKind.FIXITY:
        return f"Read {chunks} ({size(sweep.report.get('read_bytes', 0))}) back and hashed them"
    where = "" if part(sweep) == "all" else f" in the shards {part(sweep)}"
    return f"Compared {chunks} of the ledger{where} with the bucket"


def _known(report: Mapping[str, Any]) -> list[str]:
    """What an audit did not compare, as a sentence of its own."""
    missing, lost = report.get("known_missing", 0), report.get("known_lost", 0)
    parts = [f"{lost:,} lost"] if lost else []
    parts += [f"{missing:,} known to be missing, with tickets open"] if missing else []
    return [f"Not compared: {listed(parts)}."] if parts else []


def _nothing(sweep: StoredSweep) -> str:
    if sweep.standing is SweepStanding.UNDECIDED:
        return "Nothing was looked at"
    return {
        SweepKind.CONFIRM: "No chunk waited to be confirmed",
        SweepKind.AUDIT: "The ledger expects no chunk in the bucket yet, and nothing unexpected is there",
        SweepKind.FIXITY: "No chunk was due to be read back, within what may be read in an hour",
    }[sweep.kind]


def _next(sweep: StoredSweep) -> Iterator[str]:
    """What to do, what matters most first."""
    report = sweep.report
    again = f"run `safereel sweep {sweep.kind}` again"
    if sweep.standing is SweepStanding.UNDECIDED:
        yield f"It decided nothing{' more' if sweep.looked_at else ''}, for this: {sentence(sweep.cause or 'no cause is known')}"
    if sweep.dry_run:
        freezes = " A sweep that is none would have stopped releases." if report.get("releases_would_freeze") else ""
        yield f"This was a dry run: nothing was changed.{freezes}"
    if report.get("tickets_left"):
        yield f"{counted(report['tickets_left'], 'more ticket')} did not fit into one sweep: {again}."
    if report.get("first_sightings"):
        first = f"{report['first_sightings']:,} of them seen so for the first time"
        yield f"{first}: a second look decides, so {again} or wait for the next."
    if report.get("tickets_opened"):
        yield "Recorders are asked for what is missing: `safereel at-risk` says who has it."
    if any(report.get(name) for name in _UNSEEN):
        yield f"What could not be seen is left open: {again}, and `safereel doctor` if it stays so."
    if report.get("truncated"):
        yield f"There is more than one sweep takes: {again}."
    if report.get("unexpected", {}).get("unknown", 0) > report.get("taken_up", 0):
        yield "`safereel rebuild --dry-run` says why some of the unknown objects are not taken up."


def what_releases_did(before: Freeze | None, after: Freeze | None) -> list[str]:
    """What became of releases while a sweep ran, as a sentence; empty where nothing did."""
    if before is not None and after is None:
        return [f"Releases go on. They were frozen since {at(before.frozen_at)} (cause: {before.cause})."]
    if after is not None and (before is None or before.frozen_at != after.frozen_at):
        return [frozen(after)]
    return []
