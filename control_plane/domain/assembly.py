"""How a download is made: of which chunks, in which way, of which parts of an upload, under which keys. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from control_plane.domain.downloads import Gap
from control_plane.domain.keys import bulk_prefix, derived_prefix
from control_plane.domain.media import SegmentFormat, joinable
from control_plane.domain.models import IN_BUCKET, Chunk, Recording, Source
from control_plane.domain.ranges import Range

# Limits of multipart uploads: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MIN_PART_BYTES = 5 * 1024**2
MAX_PARTS = 10_000
MAX_COPIED_BYTES = 5 * 1024**3
# Some of these are in memory at once; a store takes one in a tenth of a second. Multiplied where a file would have too many.
PART_BYTES = 8 * 1024**2
# What a muxer adds to the bytes of its media is far below this share; how many parts there will be rests on it.
OVERHEAD = 1.1


class Way(StrEnum):
    """How the bytes of a file come together: copied by the bucket, passed on as they are, or remuxed."""

    COPY = "copy"
    BYTES = "bytes"
    REMUX = "remux"


@dataclass(frozen=True, slots=True)
class Segment:
    """Chunks of one run of MediaRecorder, in order, but for those that are left out."""

    number: int
    chunks: Sequence[Chunk]

    @property
    def size(self) -> int:
        """Bytes of them together."""
        return sum(chunk.size for chunk in self.chunks)


class NotThere(Exception):
    """Chunks that were to be packed are not in the bucket (any more); they are asked for again, or lost."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        super().__init__(f"{len(chunks)} chunks are not in the bucket")
        self.chunks = chunks


def prefix_of(download_id: UUID, recording_ids: Sequence[UUID]) -> str:
    """Where everything of a download lies, and nothing else: below the recording, or apart where it is of several."""
    if len(recording_ids) == 1:
        return f"{derived_prefix(recording_ids[0])}{download_id}/"
    return bulk_prefix(download_id)


def wanted(chunks: Sequence[Chunk], expected: int, absent: Sequence[Range]) -> Sequence[Chunk]:
    """Those that are to be packed, in order of `seq`: what was there when the download was asked for. Raises `NotThere`."""
    left_out = {seq for first, last in absent for seq in range(first, last + 1)}
    found = {chunk.seq: chunk for chunk in chunks if chunk.seq < expected and chunk.seq not in left_out}
    gone = [chunk for chunk in found.values() if chunk.state not in IN_BUCKET]
    if gone or len(found) < expected - len(left_out):
        raise NotThere(gone)
    return [found[seq] for seq in sorted(found)]


def way_of(source: Source, chunks: Sequence[Chunk]) -> Way:
    """A file's bytes are copied where the bucket can join parts of these sizes; what was recorded live is remuxed."""
    if source is Source.RECORDER:
        return Way.REMUX
    fits = len(chunks) <= MAX_PARTS and all(chunk.size <= MAX_COPIED_BYTES for chunk in chunks)
    return Way.COPY if fits and all(chunk.size >= MIN_PART_BYTES for chunk in chunks[:-1]) else Way.BYTES


def part_bytes(total: int) -> int:
    """Bytes of each part of an upload of about `total`, the last one's apart."""
    return PART_BYTES * max(1, -(-int(total * OVERHEAD) // (PART_BYTES * MAX_PARTS)))


def segments_of(chunks: Sequence[Chunk]) -> Sequence[Segment]:
    """Chunks in order of `seq`, by their segments."""
    found: list[list[Chunk]] = []
    for chunk in chunks:
        if found and found[-1][-1].segment == chunk.segment:
            found[-1].append(chunk)
        else:
            found.append([chunk])
    return [Segment(one[0].segment, one) for one in found]


def runs_of(forms: Sequence[SegmentFormat | None]) -> Sequence[Sequence[int]]:
    """Which segments become one file each, as indices: neighbours of equal formats. One that cannot be read (None) stays alone:
    its bytes behind another's are no file.
    """
    found: list[list[int]] = []
    for at, form in enumerate(forms):
        before = forms[at - 1] if at else None
        if form is not None and before is not None and joinable((before, form)):
            found[-1].append(at)
        else:
            found.append([at])
    return found


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in a ZIP: its name there, and which segments of which recording it holds."""

    name: str
    recording_id: UUID
    segments: Sequence[int]
    remuxed: bool


def manifest_of(
    recordings: Sequence[tuple[Recording, Sequence[Chunk]]], gaps: Sequence[Gap], files: Sequence[Packed]
) -> bytes:
    """`manifest.json` of a ZIP: what is in it, of which recordings, and what is not."""
    missing = {gap.recording_id: gap.missing for gap in gaps}
    told: dict[str, Any] = {
        "version": 1,
        "recordings": [
            {
                "id": str(recording.id),
                "title": recording.title,
                "source": recording.source.value,
                "mime_type": recording.mime_type,
                "created_at": recording.created_at.isoformat(),
                "completed_at": recording.completed_at.isoformat() if recording.completed_at else None,
                "bytes": sum(chunk.size for chunk in chunks),
                "missing_chunks": missing.get(recording.id, []),
                "files": [
                    {
                        "name": file.name,
                        "segments": list(file.segments),
                        "start_ms": _start_ms(chunks, file.segments),
                        "remuxed": file.remuxed,
                    }
                    for file in files
                    if file.recording_id == recording.id
                ],
                "chunks": [[chunk.seq, chunk.segment, chunk.size, chunk.sha256] for chunk in chunks],
            }
            for recording, chunks in recordings
        ],
    }
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


def _start_ms(chunks: Sequence[Chunk], segments: Sequence[int]) -> int | None:
    """Where in the recording the file begins, None where no recorder has said."""
    return next((chunk.start_ms for chunk in chunks if chunk.segment in segments), None)
