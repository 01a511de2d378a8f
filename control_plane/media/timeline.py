"""Where the packets of segments lie in the file that they become: each segment goes on where the one before it ended.

Times of the file begin at 0 and grow with every packet of a track, whatever the segments' own times do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# A packet that does not say how long it lasts is taken to last as long as the one before it, up to this.
LONGEST_GUESS_S = 1


# For so long a silent track may keep the packets of others waiting in the muxer's memory: some megabytes of sound.
LONGEST_SILENCE_S = 60


@dataclass(slots=True)
class _Track:
    """One track of the file; times in its `base`."""

    base: Fraction
    last_dts: int | None = None
    last_pts: int = 0
    lasts: int = 0  # how long a packet of it lasts, as far as is known
    end: int = 0
    # Times of the present segment become times of the file by (time * scale + shift) // divisor; a duration, without its place,
    # by (duration * scale + half) // divisor. Both to the nearest.
    scale: int = 2
    shift: int = 1
    half: int = 1
    divisor: int = 2


class Timeline:
    """The times of a file with these tracks; `bases` are their units in seconds."""

    def __init__(self, bases: Sequence[Fraction]) -> None:
        self._tracks = [_Track(base) for base in bases]
        self._segments = 0

    @property
    def end(self) -> Fraction:
        """Where the longest track ends, in seconds."""
        return max((track.end * track.base for track in self._tracks), default=Fraction(0))

    def begin_segment(self, bases: Sequence[Fraction], first: Fraction) -> None:
        """Begins a segment whose tracks count in `bases`, and whose earliest decoding time is `first`, in seconds.

        The file's first segment may begin before 0 (what an encoder needs to settle in): players leave that out.
        """
        begin = self.end - (first if self._segments else max(first, Fraction(0)))
        self._segments += 1
        for track, base in zip(self._tracks, bases, strict=True):
            scale, shift = base / track.base, begin / track.base
            track.half = scale.denominator * shift.denominator
            track.divisor = 2 * track.half
            track.scale = 2 * scale.numerator * shift.denominator
            track.shift = 2 * shift.numerator * scale.denominator + track.half

    def place(self, track_index: int, pts: int | None, dts: int | None, duration: int) -> tuple[int, int, int]:
        """(pts, dts, duration) in the file, of a packet with these in its segment; each in its own units. 0: not known."""
        track = self._tracks[track_index]
        shown = dts if pts is None else pts
        at = track.end if shown is None else (shown * track.scale + track.shift) // track.divisor
        decoded = at if dts is None or dts == shown else (dts * track.scale + track.shift) // track.divisor
        if track.last_dts is not None and decoded <= track.last_dts:
            decoded = track.last_dts + 1
        at = max(at, decoded)
        lasts = told = max((duration * track.scale + track.half) // track.divisor, 0)
        if not told and track.last_dts is not None:
            lasts = min(abs(at - track.last_pts) or track.lasts, int(LONGEST_GUESS_S / track.base))
        track.lasts = max(lasts, 1)
        track.last_dts, track.last_pts = decoded, at
        track.end = max(track.end, at + track.lasts)
        return at, decoded, told

    def fill(self, track_index: int) -> int | None:
        """When a track that has been silent for too long says so, in its own unit; None for one that has not."""
        track = self._tracks[track_index]
        now = max((each.last_dts or 0) * each.base for each in self._tracks)
        if now - (track.last_dts or 0) * track.base < LONGEST_SILENCE_S:
            return None
        # Half of it behind the others: what comes of this track yet may come a little late.
        track.last_dts = int((now - Fraction(LONGEST_SILENCE_S, 2)) / track.base)
        return track.last_dts
