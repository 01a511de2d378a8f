"""What the bucket alone tells of a recording: `recording.json` and `manifest.json`, read back and checked. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from control_plane.domain.keys import MAX_SEGMENT, MAX_SEQ, ChunkKey
from control_plane.domain.models import Source
from control_plane.domain.ranges import Range

Kind = TypeVar("Kind", str, int)

_HEX = frozenset("0123456789abcdef")


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
    share_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Manifested:
    """A recording as its `manifest.json` tells it: complete, with these chunks (None where there were too many to list)."""

    id: UUID
    chunk_count: int
    total_bytes: int
    completed_at: datetime
    lost: Sequence[Range]
    chunks: Sequence[ChunkKey] | None


def described(body: bytes, recording_id: UUID) -> Described | None:
    """The content of `recording.json`, None where it is not what we write, or is another recording's."""
    try:
        told = _object(body, recording_id)
        return Described(
            id=recording_id,
            owner=_filled(told, "owner"),
            recorder_id=UUID(_filled(told, "recorder_id")),
            source=Source(told["source"]),
            mime_type=_filled(told, "mime_type"),
            title=None if told["title"] is None else _of(str, told["title"]),
            expected_bytes=None if told["expected_bytes"] is None else _count(told, "expected_bytes"),
            share_id=_filled(told, "share_id"),
            created_at=_time(told, "created_at"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def manifested(body: bytes, recording_id: UUID) -> Manifested | None:
    """The content of `manifest.json`, None where it is not what we write, or is another recording's."""
    try:
        told = _object(body, recording_id)
        count = _count(told, "chunk_count")
        chunks = None if told["chunks"] is None else [_chunk(recording_id, entry) for entry in told["chunks"]]
        if chunks is not None and [chunk.seq for chunk in chunks] != sorted({chunk.seq for chunk in chunks}):
            return None
        return Manifested(
            id=recording_id,
            chunk_count=count,
            total_bytes=_count(told, "total_bytes"),
            completed_at=_time(told, "completed_at"),
            lost=[(_of(int, first), _of(int, last)) for first, last in told["lost"]],
            chunks=None if chunks is None else [chunk for chunk in chunks if chunk.seq < count],
        )
    except (KeyError, TypeError, ValueError):
        return None


def _object(body: bytes, recording_id: UUID) -> Mapping[str, Any]:
    told = json.loads(body)
    if not isinstance(told, dict) or told["version"] != 1 or told["id"] != str(recording_id):
        raise ValueError("not of this recording, or of a version that we do not know")
    return told


def _chunk(recording_id: UUID, entry: Sequence[object]) -> ChunkKey:
    seq, segment, size, sha256 = entry
    key = ChunkKey(recording_id, _of(int, seq), _of(int, segment), _of(int, size), _of(str, sha256))
    if not (0 <= key.seq <= MAX_SEQ and 0 <= key.segment <= MAX_SEGMENT and key.size > 0):
        raise ValueError("no chunk has these numbers")
    if len(key.sha256) != 64 or not _HEX.issuperset(key.sha256):  # hex digits of a SHA-256
        raise ValueError("not a SHA-256")
    return key


def _of(kind: type[Kind], value: object) -> Kind:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"not {kind.__name__}")
    return value


def _filled(told: Mapping[str, Any], name: str) -> str:
    if not (text := _of(str, told[name])) or "\0" in text:
        raise ValueError(f"{name} is empty, or no text that a database takes")
    return text


def _count(told: Mapping[str, Any], name: str) -> int:
    if (number := _of(int, told[name])) < 0:
        raise ValueError(f"{name} is negative")
    return number


def _time(told: Mapping[str, Any], name: str) -> datetime:
    found = datetime.fromisoformat(_of(str, told[name]))
    if found.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return found
