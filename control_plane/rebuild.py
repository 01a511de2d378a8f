"""`safereel rebuild`: the ledger made anew from the bucket, with progress, and a summary that says what to do about the rest."""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from typing import TextIO

from control_plane.config import Settings
from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.bucket import BucketUnreachable
from control_plane.services.rebuilding import Rebuilt
from control_plane.wiring import ControlPlane, open_control_plane

# To a terminal a line that is written over; to a log one now and then.
TERMINAL_EVERY_S = 0.2
LOG_EVERY_S = 10.0
BAR_WIDTH = 24

# What was not taken up, and what is to be done about it.
ADVICE = {
    "undescribed": "chunks of recordings whose recording.json is absent or cannot be read: whose they are is not known. "
    "Bring it back from an older version or a backup of the bucket, and run this again.",
    "nameless": "recordings that have a manifest or another file beside their chunks, and no recording.json that can be read: "
    "whose they are is not known. Bring it back as above, and run this again.",
    "unproven": "objects whose bytes are not those that their key names: they are damaged, and no recording's chunk any more.",
    "unreached": "objects that the bucket gave no answer about: what is true of them, and of the recordings that they belong to, "
    "is left open. Run this again.",
    "refused": "objects of recordings that were deleted, beyond a complete recording's end, or under a number that the ledger "
    "has bound to other content. Nothing needs to be done.",
    "bad_manifests": "recordings whose manifest.json cannot be read, or lists no chunks: they are open until their recorder "
    "completes them.",
}

# Its last words name the cause.
CUT_OFF = "This rebuild did not get to its end. What was taken up is kept: mend the cause, then run it again."


def run(settings: Settings, *, dry_run: bool, as_json: bool) -> int:
    """Runs one pass; 0 if everything well-formed in the bucket is in the ledger now, else 1."""
    try:
        done = asyncio.run(_rebuild(settings, dry_run=dry_run))
    except (BucketUnreachable, DatabaseUnreachable):
        if not dry_run:
            print(CUT_OFF, file=sys.stderr)
        raise
    print(json.dumps(_facts(done), indent=2) if as_json else summary(done, dry_run=dry_run))
    return 0 if done.whole else 1


async def _rebuild(settings: Settings, *, dry_run: bool) -> Rebuilt:
    async with open_control_plane(settings) as plane:
        return await one_pass(plane, dry_run=dry_run)


async def one_pass(plane: ControlPlane, *, dry_run: bool = False) -> Rebuilt:
    """Makes the ledger of `plane` anew and tells stderr how far it is. Raises what `RebuildService.run` does."""
    progress = _Progress(sys.stderr)
    try:
        return await plane.rebuild.run(progress.tell, dry_run=dry_run)
    finally:
        progress.end()


class _Progress:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._every = TERMINAL_EVERY_S if self._terminal else LOG_EVERY_S
        self._told_at = time.monotonic()
        self._shown = False

    def tell(self, done: Rebuilt) -> None:
        """Shows how far it is, not more often than anybody could read."""
        if time.monotonic() - self._told_at < self._every:
            return
        self._told_at = time.monotonic()
        full = int(BAR_WIDTH * done.progress)
        line = (
            f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {100 * done.progress:3.0f} %  {done.objects:,} objects, "
            f"{done.taken.recordings:,} recordings and {done.taken.chunks:,} chunks taken up"
        )
        self._out.write(f"\r\x1b[2K{line}" if self._terminal else f"{line}\n")
        self._out.flush()
        self._shown = True

    def end(self) -> None:
        """Leaves the terminal's line."""
        if self._terminal and self._shown:
            self._out.write("\r\x1b[2K")
            self._out.flush()


def summary(done: Rebuilt, *, dry_run: bool) -> str:
    """What was done (or would be), and what is left to do, for a person."""
    would = "would be " if dry_run else ""
    lines = [
        f"{done.objects:,} objects looked at; {done.known:,} chunks were known already.",
        f"{done.taken.recordings:,} recordings and {done.taken.chunks:,} chunks {would}taken up.",
        f"{done.adopted:,} chunks {would}adopted, {done.completed:,} recordings {would}completed by their manifest.",
    ]
    if done.became:
        lines.insert(
            0, f"The ledger is empty: it {'would take' if dry_run else 'has taken'} the bucket's deployment id."
        )
    if done.missing:
        lines.append(
            f"{done.missing:,} chunks that manifests name are not in the bucket: their recorders are asked for them."
        )
    if done.foreign:
        lines.append(f"{done.foreign:,} objects have no chunk's key and were left alone.")
    lines += [f"{count:,} {ADVICE[name]}" for name, count in _left(done).items() if count]
    return "\n".join(lines)


def _left(done: Rebuilt) -> dict[str, int]:
    return {
        "undescribed": done.taken.undescribed,
        "nameless": done.taken.nameless,
        "unproven": done.taken.unproven,
        "unreached": done.taken.unreached,
        "refused": done.taken.refused,
        "bad_manifests": done.bad_manifests,
    }


def _facts(done: Rebuilt) -> dict[str, object]:
    facts = {name: value for name, value in asdict(done).items() if name not in {"taken", "progress"}}
    return {
        "whole": done.whole,
        **facts,
        "recordings_taken_up": done.taken.recordings,
        "chunks_taken_up": done.taken.chunks,
        **_left(done),
    }
