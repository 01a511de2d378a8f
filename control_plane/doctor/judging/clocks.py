"""Clocks: a signature is good from the signer's `now` on, and S3 refuses one that is too far from its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from control_plane.doctor.findings import Check, Finding, ok, warning, wrong

# Synchronised clocks differ by milliseconds; the Date header has whole seconds, and a call takes some time.
WARN = timedelta(seconds=5)
# S3 refuses 15 minutes; a clock that is a minute off is not being set, and will get there.
FAIL = timedelta(minutes=1)
MEND = "Synchronise the clocks (chronyd, systemd-timesyncd; containers have their host's): `timedatectl` shows this machine's."


@dataclass(frozen=True, slots=True)
class Reading:
    """Another clock's time, read between two readings of this machine's. `resolution`: it was cut off to that."""

    asked_at: datetime
    answered_at: datetime
    theirs: datetime
    resolution: timedelta = timedelta(0)

    @property
    def offset(self) -> timedelta:
        """How far the other clock is ahead of this machine's: the middle of what is possible."""
        return self.theirs + self.resolution / 2 - (self.asked_at + (self.answered_at - self.asked_at) / 2)


def bucket_clock(reading: Reading | None) -> Finding:
    """This machine signs; the bucket judges the signature's time."""
    return _judged(
        Check.BUCKET_CLOCK, "this machine's clock beside the bucket's (Date)", reading, "no Date that can be read"
    )


def database_clock(reading: Reading | None) -> Finding:
    """Settle times and expiries are by the database's clock, signatures by this machine's."""
    return _judged(Check.DATABASE_CLOCK, "this machine's clock beside the database's", reading, "it could not be read")


def _judged(check: Check, tried: str, reading: Reading | None, unread: str) -> Finding:
    if reading is None:
        return warning(check, tried, unread, "See for yourself that both clocks are synchronised.")
    seconds = reading.offset.total_seconds()
    if abs(reading.offset) <= WARN:
        return ok(check, tried, f"{abs(seconds):.1f} s apart")
    seen = f"this machine is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead'}"
    return (wrong if abs(reading.offset) > FAIL else warning)(check, tried, seen, MEND)
