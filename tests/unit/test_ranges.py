"""Ranges: the fewest that cover exactly the numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.ranges import gaps, length, to_ranges

numbers = st.lists(st.integers(0, 200))


@given(numbers)
def test_ranges_cover_exactly_the_numbers(given_numbers: list[int]) -> None:
    ranges = to_ranges(given_numbers)
    assert {n for first, last in ranges for n in range(first, last + 1)} == set(given_numbers)
    assert length(ranges) == len(set(given_numbers))
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(ranges))


@given(numbers, st.integers(0, 220))
def test_gaps_are_what_is_not_covered(given_numbers: list[int], count: int) -> None:
    found = gaps(to_ranges(given_numbers), count)
    assert {n for first, last in found for n in range(first, last + 1)} == set(range(count)) - set(given_numbers)


def test_an_example() -> None:
    assert to_ranges([43, 0, 1, 2, 2]) == [(0, 2), (43, 43)]
    assert gaps([(0, 2), (43, 43)], 50) == [(3, 42), (44, 49)]
