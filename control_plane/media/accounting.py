"""How much of a segment's bytes became packets: a demuxer passes over what it cannot read, and says nothing."""

from control_plane.domain.media import Container

# What lies between two packets at most where nothing is damaged: WebM has some 10 bytes there, MP4 the index of a fragment
# (minutes of it in the longest), and Ogg tells of a packet only in which page it is.
BETWEEN_BYTES = {Container.WEBM: 1024, Container.MP4: 1024 * 1024, Container.OGG: 64 * 1024}
# A recorder that is killed leaves its last packet unfinished; the largest picture is not larger than this.
UNFINISHED_BYTES = 1024 * 1024


class Account:
    """The packets of one segment, in the order of its bytes."""

    def __init__(self, container: Container) -> None:
        self._between = BETWEEN_BYTES[container]
        self._end: int | None = None
        self._lost = 0

    def add(self, position: int | None, size: int) -> None:
        """A packet that lies at `position` (None: not known)."""
        if position is None:
            return
        if self._end is not None and position - self._end > self._between:
            self._lost += position - self._end
        self._end = max(self._end or 0, position + size)

    def lost(self, total: int) -> int:
        """So many of the segment's `total` bytes should have become packets and did not; 0 for a segment that is sound."""
        unread = total - (self._end or 0)
        return self._lost + (unread if unread > UNFINISHED_BYTES else 0)
