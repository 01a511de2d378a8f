"""What recorders recorded, as far as joining it needs to know: containers, formats, and which segments make one file.

Nothing here reads media: `control_plane.media` does, in a process of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# Only what lies before this is ever written a second time (duration, seek head): an uploader holds back so much until the end.
REWRITTEN_BYTES = 1024 * 1024
# So much of a segment's beginning is enough to probe it: headers are some hundred bytes, and the first picture makes sure.
PROBED_BYTES = 1024 * 1024


class Container(StrEnum):
    """How a recorder packs its streams; files are delivered in the same."""

    WEBM = "webm"
    MP4 = "mp4"
    OGG = "ogg"


class Kind(StrEnum):
    """What a stream is to be perceived with. Others are not carried over."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a decoder is set up with; streams of equal formats can follow each other.

    `codec` is FFmpeg's name (`vp9`, `opus`, `h264`). What does not apply is 0. `extradata` is the SHA-256, lower-case hex, of the
    codec's own header, without what may differ from run to run of one encoder (Opus: pre-skip and the device's rate).
    """

    kind: Kind
    codec: str
    width: int
    height: int
    sample_rate: int
    channels: int
    extradata: str


@dataclass(frozen=True, slots=True)
class SegmentFormat:
    """A segment's container and its streams, in the order in which they come."""

    container: Container
    streams: tuple[StreamFormat, ...]


@dataclass(frozen=True, slots=True)
class FileType:
    """What a finished file is called and served as. `muxer` is FFmpeg's name of what writes it."""

    extension: str
    content_type: str
    muxer: str


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes of the file that is being made, and where they belong.

    Each lies where the file ended so far, or, at the very end, within its first `REWRITTEN_BYTES`.
    """

    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remuxed:
    """What became of the segments. `damaged` are those, counted from 0, of which not everything could be read."""

    duration_ms: int
    packets: int
    damaged: tuple[int, ...]


class MediaUnreadable(Exception):
    """These bytes are no such media, and will never be. The message is fit for their owner.

    `segment` counts from 0; None where the fault is not one segment's.
    """

    def __init__(self, message: str, segment: int | None = None) -> None:
        super().__init__(message)
        self.segment = segment


class MediaFailed(Exception):
    """The child crashed, hung, was killed or ran out of memory: nothing is known about the media. May be tried again."""


class ScratchFull(MediaFailed):
    """The file does not fit into the scratch space that is allowed or left; to be tried again when there is more."""


_CONTAINERS = {
    "webm": Container.WEBM,
    "x-matroska": Container.WEBM,
    "matroska": Container.WEBM,
    "mp4": Container.MP4,
    "x-m4a": Container.MP4,
    "quicktime": Container.MP4,
    "ogg": Container.OGG,
    "opus": Container.OGG,
}
# https://www.webmproject.org/docs/container/: other codecs make it Matroska.
_WEBM_CODECS = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})
_EBML = b"\x1a\x45\xdf\xa3"
# The boxes that files of ISO/IEC 14496-12 begin with; the name stands behind four bytes of length.
_MP4_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"free", b"skip", b"wide", b"mdat"})


def container_of(mime_type: str) -> Container | None:
    """The container that a MIME type names, with or without parameters; None if it names none that is read here."""
    kind, _, subtype = mime_type.partition(";")[0].strip().lower().partition("/")
    return _CONTAINERS.get(subtype) if kind in {"video", "audio"} else None


def container_of_bytes(head: bytes) -> Container | None:
    """The container that a segment's first bytes show, whatever its recorder called it; None if they show none."""
    if head.startswith(_EBML):
        return Container.WEBM
    if head.startswith(b"OggS"):
        return Container.OGG
    return Container.MP4 if head[4:8] in _MP4_BOXES else None


def joinable(formats: Sequence[SegmentFormat]) -> bool:
    """Whether these segments can be one file: equal formats. The order of streams within a segment does not count."""
    return len({_unordered(each) for each in formats}) <= 1


def groups(formats: Sequence[SegmentFormat]) -> Sequence[Sequence[int]]:
    """Which segments become one file each: runs of equal neighbours, as indices into `formats`, in their order."""
    found: list[list[int]] = []
    for index, each in enumerate(formats):
        if found and joinable((formats[found[-1][-1]], each)):
            found[-1].append(index)
        else:
            found.append([index])
    return found


def file_type(form: SegmentFormat) -> FileType:
    """What segments of this format become: as they were, and Matroska where WebM does not allow their codecs."""
    kind = Kind.VIDEO if any(stream.kind is Kind.VIDEO for stream in form.streams) else Kind.AUDIO
    match form.container:
        case Container.MP4:
            return FileType("mp4" if kind is Kind.VIDEO else "m4a", f"{kind}/mp4", "mp4")
        case Container.OGG:
            return FileType("ogv" if kind is Kind.VIDEO else "ogg", f"{kind}/ogg", "ogg")
        case Container.WEBM if all(stream.codec in _WEBM_CODECS for stream in form.streams):
            return FileType("webm", f"{kind}/webm", "webm")
        case Container.WEBM:
            return FileType("mkv" if kind is Kind.VIDEO else "mka", f"{kind}/x-matroska", "matroska")


def _unordered(form: SegmentFormat) -> tuple[Container, tuple[StreamFormat, ...]]:
    return form.container, tuple(sorted(form.streams, key=lambda stream: stream.kind))
