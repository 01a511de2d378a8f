"""A purge that fails is tried again, later each time, and never given up."""

from datetime import timedelta
from itertools import pairwise

from control_plane.domain.purging import FIRST_WAIT, LONGEST_WAIT, wait_after


def test_waits_double_up_to_a_limit() -> None:
    waits = [wait_after(failures) for failures in range(1, 60)]
    assert waits[0] == FIRST_WAIT
    assert all(later in {2 * sooner, LONGEST_WAIT} for sooner, later in pairwise(waits))
    assert waits[-1] == LONGEST_WAIT
    assert wait_after(10**9) == LONGEST_WAIT
    assert sum(waits[:5], timedelta()) < timedelta(minutes=3), "a bucket that was restarted is purged soon after"
