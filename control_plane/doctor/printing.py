"""Findings for a person at a terminal, and for a machine."""

import json
import os
from collections.abc import Sequence
from typing import Any, TextIO

from control_plane.doctor.findings import Check, Finding, Report, Standing

SIGNS = {Standing.OK: "✓", Standing.WARNING: "!", Standing.WRONG: "✗", Standing.SKIPPED: "·"}
COLOURS = {Standing.OK: "32", Standing.WARNING: "33", Standing.WRONG: "31", Standing.SKIPPED: "2"}
WORD_WIDTH = max(len(standing) for standing in Standing)
NAME_WIDTH = max(len(check) for check in Check)
INDENT = " " * (2 + WORD_WIDTH + 1 + NAME_WIDTH + 1)
# Of the shape below; raised when a reader of it would have to change.
JSON_VERSION = 1


class Printer:
    """Prints each finding as it comes to `out`, and to a terminal at `progress` what is being examined."""

    def __init__(self, out: TextIO, progress: TextIO) -> None:
        self._out = out
        self._progress = progress if progress.isatty() else None
        self._colours = out.isatty() and "NO_COLOR" not in os.environ
        self._shown = 0

    def begins(self, checks: Sequence[Check]) -> None:
        """See `Watcher.begins`."""
        self._show(f"… {checks[0]}")

    def found(self, finding: Finding) -> None:
        """See `Watcher.found`."""
        self._show("")
        print(line(finding, colours=self._colours), file=self._out, flush=True)

    def ends(self, report: Report) -> None:
        """The sum."""
        self._show("")
        print(f"\n{summary(report)}", file=self._out, flush=True)

    def _show(self, text: str) -> None:
        if self._progress is not None:
            self._progress.write(f"\r{text:<{self._shown}}\r{text}")
            self._progress.flush()
            self._shown = len(text)


class Silent:
    """A watcher that shows nothing."""

    def begins(self, checks: Sequence[Check]) -> None:
        """See `Watcher.begins`."""

    def found(self, finding: Finding) -> None:
        """See `Watcher.found`."""


def line(finding: Finding, *, colours: bool) -> str:
    """`✓ ok      grants.digest   tried: seen`, and below it how to mend it."""
    head = f"{SIGNS[finding.standing]} {finding.standing:<{WORD_WIDTH}}"
    if colours:
        head = f"\x1b[{COLOURS[finding.standing]}m{head}\x1b[0m"
    text = f"{head} {finding.check:<{NAME_WIDTH}} {finding.tried}: {finding.seen}"
    return "\n".join([text, *(f"{INDENT}→ {mend}" for mend in finding.mend.splitlines())])


def summary(report: Report) -> str:
    """One sentence."""
    wrong, warnings, skipped = (report.count(s) for s in (Standing.WRONG, Standing.WARNING, Standing.SKIPPED))
    counts = f"{report.count(Standing.OK)} ok, {warnings} warnings, {wrong} wrong, {skipped} not examined."
    return f"{'All that Safereel needs is there' if report.well else 'Safereel cannot live with this'}: {counts}"


def as_json(report: Report) -> str:
    """The shape that docs/operations.md describes."""
    shape: dict[str, Any] = {
        "version": JSON_VERSION,
        "well": report.well,
        "counts": {standing.value: report.count(standing) for standing in Standing},
        "examined": report.examined,
        "findings": [
            {
                "check": finding.check.value,
                "standing": finding.standing.value,
                "tried": finding.tried,
                "seen": finding.seen,
                "mend": finding.mend or None,
            }
            for finding in report.findings
        ],
    }
    return json.dumps(shape, indent=2, ensure_ascii=False)
