"""Findings for a person at a terminal, and for a machine."""

import json
import os
import shutil
import textwrap
from collections.abc import Sequence
from itertools import chain
from typing import Any, TextIO

from control_plane.doctor.findings import Check, Finding, Report, Standing

SIGNS = {Standing.OK: "✓", Standing.WARNING: "!", Standing.WRONG: "✗", Standing.SKIPPED: "·"}
COLOURS = {Standing.OK: "32", Standing.WARNING: "33", Standing.WRONG: "31", Standing.SKIPPED: "2"}
WORD_WIDTH = max(len(standing) for standing in Standing)
NAME_WIDTH = max(len(check) for check in Check)
INDENT = " " * (2 + WORD_WIDTH + 1 + NAME_WIDTH + 1)
# Beyond it a line is hard to read, on however wide a terminal.
WIDEST = 160
# Below it the columns leave no room for sentences: the terminal breaks the lines then.
NARROWEST = 80
# Of the shape below; raised when a reader of it would have to change.
JSON_VERSION = 1


class Printer:
    """Prints each finding as it comes to `out`, and to a terminal at `progress` what is being examined.

    What was not examined for one reason is one line, and advice that was given before is not given at length again: forty
    lines are to be seen at a glance. `as_json` has all of it.
    """

    def __init__(self, out: TextIO, progress: TextIO) -> None:
        self._out = out
        self._progress = progress if progress.isatty() else None
        self._colours = out.isatty() and "NO_COLOR" not in os.environ
        self._width = _width() if out.isatty() else None
        self._shown = 0
        self._group = ""
        self._skipped = list[Finding]()
        self._advised = dict[str, Check]()

    def begins(self, checks: Sequence[Check]) -> None:
        """See `Watcher.begins`."""
        self._show(f"… {checks[0]}")

    def found(self, finding: Finding) -> None:
        """See `Watcher.found`."""
        if self._skipped and finding.seen != self._skipped[0].seen:
            self._print_skipped()
        if finding.standing is Standing.SKIPPED:
            self._skipped.append(finding)
            return
        mend = finding.mend
        if mend in self._advised:
            mend = f"As for {self._advised[mend]} above."
        elif mend:
            self._advised[mend] = finding.check
        self._print(finding.check, line(finding, mend, colours=self._colours, width=self._width))

    def ends(self, report: Report) -> None:
        """The sum."""
        self._print_skipped()
        self._show("")
        print(f"\n{summary(report)}", file=self._out, flush=True)

    def _print_skipped(self) -> None:
        if self._skipped:
            text = skipped_line(self._skipped, colours=self._colours, width=self._width)
            self._print(self._skipped[0].check, text)
            self._skipped.clear()

    def _print(self, check: Check, text: str) -> None:
        """With an empty line between groups of checks."""
        self._show("")
        group = check.partition(".")[0]
        if self._group not in {"", group}:
            print(file=self._out)
        self._group = group
        print(text, file=self._out, flush=True)

    def _show(self, text: str) -> None:
        if self._progress is not None:
            self._progress.write(f"\r{'':<{self._shown}}\r{text}")
            self._progress.flush()
            self._shown = len(text)


class Silent:
    """A watcher that shows nothing."""

    def begins(self, checks: Sequence[Check]) -> None:
        """See `Watcher.begins`."""

    def found(self, finding: Finding) -> None:
        """See `Watcher.found`."""


def line(finding: Finding, mend: str, *, colours: bool, width: int | None) -> str:
    """`✓ ok      grants.digest   tried → seen`, and below it how to mend it, broken to `width` but for what is to be copied."""
    first = f"{_head(finding.standing, colours=colours)}{finding.check:<{NAME_WIDTH}} "
    tried = _filled(f"{finding.tried} → {finding.seen}", width)
    return "\n".join([first + tried[0], *(INDENT + text for text in chain(tried[1:], _mending(mend, width)))])


def skipped_line(findings: Sequence[Finding], *, colours: bool, width: int | None) -> str:
    """One line for all that was not examined for one reason, and below it their names."""
    many = f"{len(findings)} checks" if len(findings) > 1 else findings[0].check
    first = f"{_head(Standing.SKIPPED, colours=colours)}{many:<{NAME_WIDTH}} not examined: {findings[0].seen}"
    names = ", ".join(finding.check for finding in findings) if len(findings) > 1 else ""
    return "\n".join([first, *(INDENT + text for text in _filled(names, width))])


def summary(report: Report) -> str:
    """One sentence, and the names of what is wrong or doubtful."""
    names = {
        standing: [found.check for found in report.findings if found.standing is standing]
        for standing in (Standing.WRONG, Standing.WARNING)
    }
    fine, warnings, wrong, skipped = (report.count(standing) for standing in Standing)
    counts = f"{fine} ok, {warnings} warning{'' if warnings == 1 else 's'}, {wrong} wrong, {skipped} not examined"
    verdict = "All that Safereel needs is there" if report.well else "Safereel cannot live with this"
    named = [
        f"{standing.value.capitalize()}: {', '.join(dict.fromkeys(checks))}"
        for standing, checks in names.items()
        if checks
    ]
    return "\n".join([f"{verdict}: {counts}.", *named])


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


def _width() -> int | None:
    columns = shutil.get_terminal_size().columns
    return None if columns < NARROWEST else min(columns, WIDEST)


def _head(standing: Standing, *, colours: bool) -> str:
    text = f"{SIGNS[standing]} {standing:<{WORD_WIDTH}}"
    return f"\x1b[{COLOURS[standing]}m{text}\x1b[0m " if colours else f"{text} "


def _mending(mend: str, width: int | None) -> list[str]:
    """Sentences are broken; commands and configuration are not, so that they can be copied."""
    lines = list[str]()
    for given in mend.splitlines():
        to_copy = given.startswith(("$ ", "{"))
        lines += [f"  {given}"] if to_copy else _filled(f"↳ {given}", width, further="  ")
    return lines


def _filled(text: str, width: int | None, further: str = "") -> list[str]:
    if width is None:
        return [text] if text else []
    room = width - len(INDENT)
    return textwrap.wrap(text, room, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)
