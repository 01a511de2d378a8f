"""Aligned columns for people. What does not fit beside each other goes on below, indented: nothing is cut off."""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

from control_plane.commands.wording import plain

GAP = "  "
INDENT = "    "


class Table:
    """Columns under their names. `least`: how wide each is at least, for tables whose rows are not all known when they begin.

    `width`: of the terminal; None where there is none, and each row is one line.
    """

    def __init__(self, names: Sequence[str], *, least: Sequence[int] = (), width: int | None) -> None:
        self._names = names
        self._least = least or [0] * len(names)
        self._width = width

    def lines(self, rows: Sequence[Sequence[str]], *, head: bool = True) -> Iterator[str]:
        """The names (unless `head` is False) and the rows, line by line, without spaces at the ends."""
        shown = [[plain(cell) for cell in row] for row in rows]
        widths = [max(len(cell) for cell in column) for column in zip(self._names, *shown, strict=True)]
        widths = [max(found, least) for found, least in zip(widths, self._least, strict=True)]
        parts = list(_broken(widths, self._width))
        for row in [list(self._names), *shown] if head else shown:
            for number, part in enumerate(parts):
                line = GAP.join(f"{row[column]:<{widths[column]}}" for column in part).rstrip()
                if line:
                    yield f"{INDENT if number else ''}{line}"


def terminal_width() -> int | None:
    """How wide the terminal is that reads the output; None where a file or a program reads it."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_lines(lines: Iterable[str]) -> None:
    """Prints them."""
    for line in lines:
        print(line)


def _broken(widths: Sequence[int], room: int | None) -> Iterator[Sequence[int]]:
    """Which columns stand beside each other: as many as there is room for, one at least."""
    part, used = list[int](), 0
    for column, width in enumerate(widths):
        needed = width + (len(GAP) if part else 0)
        if part and room is not None and used + needed > room:
            yield part
            part, used, needed = [], len(INDENT), width
        part.append(column)
        used += needed
    yield part
