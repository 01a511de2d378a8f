"""Which of an object's versions could bring a chunk back, and how. Pure: the bytes are read by the caller."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from control_plane.domain.bucket import KeptVersion

# Each is read whole; a chunk is written once, and a few times more where it was sent again.
VERSIONS_TRIED = 5


@dataclass(frozen=True, slots=True)
class Remedy:
    """A version to read, and what has to be done if its bytes are right.

    `is_current`: nothing, a GET sees it already. `markers`: only these delete markers hide it. Neither: it is copied over what
    lies before it.
    """

    version: KeptVersion
    is_current: bool
    markers: Sequence[str]


def remedies(history: Sequence[KeptVersion], *, size: int) -> Iterator[Remedy]:
    """Versions of the right size, newest first, at most some; `history` is newest first and begins with what a GET sees."""
    markers: list[str] = []
    hidden_by_markers_alone = True
    tried = 0
    for at, version in enumerate(history):
        if version.is_marker:
            markers.append(version.version_id)
            continue
        if version.size == size:
            yield Remedy(version, at == 0, tuple(markers) if hidden_by_markers_alone else ())
            tried += 1
            if tried == VERSIONS_TRIED:
                return
        hidden_by_markers_alone = False
