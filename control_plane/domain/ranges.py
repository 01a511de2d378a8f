"""Inclusive ranges of chunk numbers: `((0, 41), (43, 43))`."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]


def to_ranges(numbers: Iterable[int]) -> list[Range]:
    """The fewest ascending ranges that cover exactly `numbers`, in any order and with repetitions."""
    ranges: list[Range] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def gaps(ranges: Sequence[Range], count: int) -> list[Range]:
    """What is not covered of `0 … count - 1` by ascending, disjoint `ranges`."""
    found: list[Range] = []
    expected = 0
    for first, last in ranges:
        if first >= count:
            break
        if first > expected:
            found.append((expected, first - 1))
        expected = last + 1
    if expected < count:
        found.append((expected, count - 1))
    return found


def length(ranges: Iterable[Range]) -> int:
    """How many numbers the disjoint `ranges` cover."""
    return sum(last - first + 1 for first, last in ranges)
