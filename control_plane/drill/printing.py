"""A drill's report for a person and for a machine, and how far it is for who waits at a terminal."""

import json
from collections.abc import Sequence
from typing import TextIO

from control_plane.drill.cases import Outcome, Report

# Of the shape below; raised when a reader of it would have to change.
JSON_VERSION = 1
HEADER = ("case", "what was done", "recovered by", "repaired after", "safe after")
CLEAR_LINE = "\r\x1b[K"


class Progress:
    """One line at a terminal that is written over; nothing anywhere else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out if out.isatty() else None

    def tell(self, words: str) -> None:
        """Shows how far it is."""
        if self._out is not None:
            print(f"{CLEAR_LINE}… {words}", end="", file=self._out, flush=True)

    def end(self) -> None:
        """Takes the line away."""
        if self._out is not None:
            print(CLEAR_LINE, end="", file=self._out, flush=True)


def table(report: Report) -> str:
    """What was done, how it came back, and how fast; then the verdict."""
    rows = [HEADER, *(_row(outcome) for outcome in report.outcomes)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    verdict = "Everything was recovered." if report.recovered else f"FAILED. {report.cause}"
    return "\n".join([*lines, "", verdict])


def as_json(report: Report) -> str:
    """The same for a machine; times in milliseconds from the harm, null where it did not come to that."""
    return json.dumps(
        {
            "version": JSON_VERSION,
            "recovered": report.recovered,
            "cause": report.cause,
            "recording_id": report.recording_id,
            "cases": [
                {
                    "case": outcome.case.value,
                    "done": outcome.case.done,
                    "recovered": outcome.recovered,
                    "way": outcome.way,
                    "repaired_ms": _ms(outcome.repaired_s),
                    "safe_ms": _ms(outcome.safe_s),
                }
                for outcome in report.outcomes
            ],
        },
        indent=2,
    )


def _row(outcome: Outcome) -> Sequence[str]:
    way = outcome.way if outcome.recovered else f"{outcome.way}, not confirmed" if outcome.way else "NOT RECOVERED"
    return (outcome.case.value, outcome.case.done, way or "", _seconds(outcome.repaired_s), _seconds(outcome.safe_s))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value * 1_000)
