"""What the bucket alone tells of a recording: `recording.json`, `share.json` and `manifest.json`, read back and checked. Pure.

Somebody else may have written there. What passes here can be stored, indexed, read again and sent as a header: one bad file must
not stop an audit or a rebuild of all the others.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

from control_plane.domain.identity import is_owner
from control_plane.domain.keys import MAX_SEGMENT, MAX_SEQ
from control_plane.domain.limits import MAX_RECORDING_BYTES, MAX_RECORDING_MS, MAX_TITLE_LENGTH
from control_plane.domain.models import ShareLink, Source
from control_plane.domain.ranges import Range
from control_plane.domain.sharing import SHARE_ID

Kind = TypeVar("Kind", str, int)

# A title and a few names: far below. In bytes.
DESCRIPTION_LIMIT = 64 * 1024
_HEX = frozenset("0123456789abcdef")
_MIME_TYPE = re.compile(r"[ -~]{1,200}")  # sent as a header of each PUT
_NO_CONTROLS = re.compile(
    r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*"
)  # a lone surrogate is no text, and no database would take it
_MAX_BIGINT = 2**63 - 1
# No recording is older than recording in browsers; later than that, times in other zones leave the calendar.
_YEARS = range(2000, 9999)


@dataclass(frozen=True, slots=True)
class Described:
    """A recording as its `recording.json` tells it: all of its row that the keys of its chunks do not."""

    id: UUID
    owner: str
    recorder_id: UUID
    source: Source
    mime_type: str
    title: str | None
    expected_bytes: int | None
    link: ShareLink
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ManifestChunk:
    """A chunk as a manifest tells it; `start_ms` and `duration_ms` are None where its recorder told none, or the manifest is
    older than they are.
    """

    seq: int
    segment: int
    size: int
    sha256: str
    start_ms: int | None
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Manifested:
    """A recording as its `manifest.json` tells it: complete, with these chunks (None where there were too many to list)."""

    id: UUID
    chunk_count: int
    total_bytes: int
    completed_at: datetime
    lost: Sequence[Range]
    chunks: Sequence[ManifestChunk] | None


def described(body: bytes, recording_id: UUID) -> Described | None:
    """The content of `recording.json`, None where it is not what we write, or is another recording's."""
    try:
        told = _object(body, recording_id)
        return Described(
            id=recording_id,
            owner=_owner(told),
            recorder_id=UUID(_of(str, told["recorder_id"])),
            source=Source(_of(str, told["source"])),
            mime_type=_text(told, "mime_type", _MIME_TYPE),
            title=None if told["title"] is None else _text(told, "title", _NO_CONTROLS)[:MAX_TITLE_LENGTH],
            expected_bytes=None if told["expected_bytes"] is None else _count(told, "expected_bytes", _MAX_BIGINT),
            link=ShareLink(_text(told, "share_id", SHARE_ID), shared=True, expires_at=None),
            created_at=_time(told, "created_at"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def share_document(recording_id: UUID, link: ShareLink) -> Mapping[str, object]:
    """The content of `share.json`: what its owner decided last about a recording's link."""
    return {
        "version": 1,
        "id": str(recording_id),
        "share_id": link.share_id,
        "shared": link.shared,
        "expires_at": None if link.expires_at is None else link.expires_at.astimezone(UTC).isoformat(),
    }


def told_link(body: bytes, recording_id: UUID) -> ShareLink | None:
    """The content of `share.json`, None where it is not what we write, or is another recording's: then nothing is shared."""
    try:
        told = _object(body, recording_id)
        if not isinstance(told["shared"], bool):
            return None
        return ShareLink(
            share_id=_text(told, "share_id", SHARE_ID),
            shared=told["shared"],
            expires_at=None if told["expires_at"] is None else _time(told, "expires_at"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def manifested(body: bytes, recording_id: UUID) -> Manifested | None:
    """The content of `manifest.json`, None where it is not what we write, or is another recording's."""
    try:
        told = _object(body, recording_id)
        count = _count(told, "chunk_count", MAX_SEQ + 1)
        chunks = None if told["chunks"] is None else [_chunk(entry) for entry in told["chunks"]]
        if chunks is not None and [chunk.seq for chunk in chunks] != sorted({chunk.seq for chunk in chunks}):
            return None
        return Manifested(
            id=recording_id,
            chunk_count=count,
            total_bytes=_count(told, "total_bytes", _MAX_BIGINT),
            completed_at=_time(told, "completed_at"),
            lost=_ranges(told["lost"]),
            chunks=None if chunks is None else [chunk for chunk in chunks if chunk.seq < count],
        )
    except (KeyError, TypeError, ValueError):
        return None


def _object(body: bytes, recording_id: UUID) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except RecursionError as exc:
        raise ValueError("nested more deeply than anything that we write") from exc
    if not isinstance(told, dict) or told["version"] != 1 or told["id"] != str(recording_id):
        raise ValueError("not of this recording, or of a version that we do not know")
    return told


def _chunk(entry: Sequence[object]) -> ManifestChunk:
    seq, segment, size, sha256, *times = entry
    start, duration = times or (None, None)  # the first manifests told no times
    chunk = ManifestChunk(
        _of(int, seq),
        _of(int, segment),
        _of(int, size),
        _of(str, sha256),
        _milliseconds(start),
        _milliseconds(duration),
    )
    if not (0 <= chunk.seq <= MAX_SEQ and 0 <= chunk.segment <= MAX_SEGMENT and 0 < chunk.size <= MAX_RECORDING_BYTES):
        raise ValueError("no chunk has these numbers")
    if len(chunk.sha256) != 64 or not _HEX.issuperset(chunk.sha256):  # hex digits of a SHA-256
        raise ValueError("not a SHA-256")
    return chunk


def _milliseconds(told: object) -> int | None:
    if told is not None and not 0 <= _of(int, told) <= MAX_RECORDING_MS:
        raise ValueError("no recording is that long")
    return None if told is None else _of(int, told)


def _of(kind: type[Kind], value: object) -> Kind:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"not {kind.__name__}")
    return value


def _ranges(told: Sequence[Sequence[object]]) -> Sequence[Range]:
    ranges = [(_of(int, first), _of(int, last)) for first, last in told]
    if any(first > last for first, last in ranges) or any(one[1] >= next_one[0] for one, next_one in pairwise(ranges)):
        raise ValueError("not ascending, disjoint ranges")
    return ranges


def _owner(told: Mapping[str, Any]) -> str:
    if not is_owner(name := _of(str, told["owner"])):
        raise ValueError("no owner is called so")
    return name


def _text(told: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(text := _of(str, told[name])):
        raise ValueError(f"{name} is nothing that we write")
    return text


def _count(told: Mapping[str, Any], name: str, largest: int) -> int:
    if not 0 <= (number := _of(int, told[name])) <= largest:
        raise ValueError(f"{name} is negative or too large")
    return number


def _time(told: Mapping[str, Any], name: str) -> datetime:
    found = datetime.fromisoformat(_of(str, told[name]))
    if found.tzinfo is None or found.year not in _YEARS:
        raise ValueError(f"{name} has no time zone, or is of no such year")
    return found.astimezone(UTC)
