"""Fixity: what reading a chunk back proves, and how much may be read. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from control_plane.domain.bucket import ReadBack
from control_plane.domain.models import Chunk, Verdict

# After a pause, what was not read meanwhile is not made up for in one go.
CATCH_UP = timedelta(minutes=10)
# Beats are seconds apart; a recorder that has been silent for this long will not be told to delete anything soon.
RECORDER_ALIVE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """How much is read, and how often each chunk."""

    bytes_per_hour: int
    reread_after: timedelta
    recorder_alive: timedelta = RECORDER_ALIVE

    @property
    def most_at_once(self) -> int:
        """Bytes that one run may take, however long ago the last one was."""
        return round(self.bytes_per_hour * (CATCH_UP / timedelta(hours=1)))


def judge_reading(chunk: Chunk, found: ReadBack | None) -> Verdict:
    """The verdict on an object that was read to its end; None: it was not there."""
    if found is None:
        return Verdict.MISSING
    if found.size != chunk.size:
        return Verdict.SIZE_DIFFERS
    return Verdict.MATCH if found.sha256 == chunk.sha256 else Verdict.DIGEST_DIFFERS
