"""When a purge is tried again."""

from datetime import timedelta

# A bucket that fails is usually back within seconds; one that refuses for hours is asked a few times an hour.
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)


def wait_after(failures: int) -> timedelta:
    """How long a purge waits that has failed so often in a row: twice as long each time, up to a limit."""
    doublings = min(max(failures, 1) - 1, 16)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
