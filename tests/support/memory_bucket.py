"""A bucket in memory that can be told to lose, damage, hang up and die: the double for the state machine of faults.

It keeps to the contract of `domain.bucket.Bucket` (tests/contract/test_memory_bucket.py), with versions or without.
"""

import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from control_plane.domain.bucket import (
    MOST_PARTS,
    SMALLEST_PART_BYTES,
    Body,
    BucketUnreachable,
    KeptVersion,
    ListedObject,
    NotRemoved,
    ObjectExists,
    ObjectHead,
    ObjectVersion,
    PartsRefused,
    ReadBack,
    SourceChanged,
    UploadedPart,
    UploadUnknown,
)

# What S3 lists and removes at once.
PAGE = 1_000
REMOVED_AT_ONCE = 500
NO_VERSION = "null"
STREAM_STEP_BYTES = 64 * 1024


class Crashed(Exception):
    """The process that called is no more: nobody handles this."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One call that goes wrong: the one after `calls` others; `after` it took effect, or before; `crash` ends the caller too."""

    calls: int
    after: bool
    crash: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody was shown of a key, and when, counted in calls and changes: its bytes' digest, None where it was absent."""

    at: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class _Version:
    id: str
    body: bytes | None  # None: a delete marker
    at: datetime

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body or b"").hexdigest()

    @property
    def etag(self) -> str:
        return "" if self.body is None else hashlib.md5(self.body).hexdigest()

    @property
    def size(self) -> int:
        return len(self.body or b"")


@dataclass(frozen=True, slots=True)
class _Upload:
    key: str
    parts: dict[int, bytes] = field(default_factory=dict)


class MemoryBucket:
    """Versions of each key, newest first."""

    def __init__(self, *, versioned: bool = True) -> None:
        self._versioned = versioned
        self._kept: dict[str, list[_Version]] = {}
        self._ids = itertools.count(1)
        self._uploads: dict[str, _Upload] = {}
        self.now = 0
        self.looks: dict[str, list[Look]] = {}
        self.changed: dict[str, int] = {}
        self.strike: Strike | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def clear(self) -> None:
        """Empty, as if new."""
        self._kept.clear()
        self._uploads.clear()
        self.looks.clear()
        self.changed.clear()
        self.strike = None

    def sha256_of(self, key: str) -> str | None:
        """What lies there, told to nobody: no look."""
        found = self._current(key)
        return found.sha256 if found else None

    def keys(self) -> set[str]:
        """All under which any version is kept."""
        return {key for key, versions in self._kept.items() if versions}

    def lose(self, key: str, *, marked: bool) -> None:
        """A fault, or somebody: the object is gone for good, or only under a delete marker where versions are kept."""
        if marked and self._versioned:
            self._put(key, None)
        else:
            self._kept.pop(key, None)
            self._change(key)

    def damage(self, key: str) -> None:
        """Other bytes of the same length are put there."""
        found = self._current(key)
        if found and found.body:
            self._put(key, bytes([found.body[0] ^ 1]) + found.body[1:])

    async def head(self, key: str) -> ObjectHead | None:
        """See `Bucket.head`."""
        self._before()
        found = self._current(key)
        self.looks.setdefault(key, []).append(Look(self.now, found.sha256 if found else None))
        self._after()
        return ObjectHead(found.size, found.etag, found.sha256, found.at) if found else None

    async def list_pages(self, prefix: str, *, start_after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        """See `Bucket.list_pages`."""
        _require_slash(prefix)
        keys = sorted(key for key in self._kept if key.startswith(prefix) and key > start_after)
        for first in range(0, max(len(keys), 1), PAGE):
            self._before()
            page = [(key, found) for key in keys[first : first + PAGE] if (found := self._current(key))]
            self._after()
            if page:
                yield [ListedObject(key, found.size, found.etag, found.at) for key, found in page]

    async def read(self, key: str, *, limit: int) -> bytes | None:
        """See `Bucket.read`."""
        self._before()
        found = self._current(key)
        self._after()
        if found and found.size > limit:
            raise BucketUnreachable(f"GET {key}: more than {limit} bytes")
        return found.body if found else None

    async def write(self, key: str, body: bytes, *, content_type: str, overwrite: bool) -> None:
        """See `Bucket.write`."""
        self._before()
        if not overwrite and self._current(key):
            raise ObjectExists(key)
        self._put(key, body)
        self._after()

    async def version_pages(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        """See `Bucket.version_pages`."""
        _require_slash(prefix)
        found = [
            ObjectVersion(key, version.id)
            for key in sorted(self._kept)
            if key.startswith(prefix)
            for version in self._kept[key]
        ]
        for first in range(0, max(len(found), 1), REMOVED_AT_ONCE):
            self._before()
            self._after()
            if found:
                yield found[first : first + REMOVED_AT_ONCE]

    async def remove(self, versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        """See `Bucket.remove`."""
        if len(versions) > REMOVED_AT_ONCE:
            raise ValueError(f"at most {REMOVED_AT_ONCE} at once")
        self._before()
        for version in versions:
            if version.version_id is None:
                self.lose(version.key, marked=True)
            elif version.key in self._kept:
                left = [kept for kept in self._kept[version.key] if kept.id != version.version_id]
                self._kept[version.key] = left
                self._change(version.key)
        self._after()
        return []

    async def read_back(self, key: str, *, version_id: str | None = None) -> ReadBack | None:
        """See `Bucket.read_back`."""
        self._before()
        found = self._current(key) if version_id is None else self._version(key, version_id)
        self._after()
        return ReadBack(found.size, found.sha256) if found and found.body is not None else None

    async def history(self, key: str) -> Sequence[KeptVersion]:
        """See `Bucket.history`."""
        self._before()
        kept = self._kept.get(key, [])[:100]
        self._after()
        return [KeptVersion(version.id, version.body is None, version.size, version.etag) for version in kept]

    async def restore(self, key: str, version_id: str) -> None:
        """See `Bucket.restore`."""
        self._before()
        found = self._version(key, version_id)
        if found is None or found.body is None:
            raise BucketUnreachable(f"COPY {key}: there is no such version")
        self._put(key, found.body)
        self._after()

    @asynccontextmanager
    async def stream(self, key: str) -> AsyncIterator[AsyncIterator[bytes] | None]:
        """See `Bucket.stream`."""
        self._before()
        found = self._current(key)
        self._after()
        yield None if found is None or found.body is None else _in_steps(found.body)

    async def begin_upload(self, key: str, *, content_type: str) -> str:
        """See `Bucket.begin_upload`."""
        self._before()
        upload_id = f"upload-{next(self._ids)}"
        self._uploads[upload_id] = _Upload(key)
        self._after()
        return upload_id

    async def upload_part(self, key: str, upload_id: str, number: int, body: Body) -> UploadedPart:
        """See `Bucket.upload_part`."""
        if not 1 <= number <= MOST_PARTS:
            raise ValueError(f"parts have numbers from 1 to {MOST_PARTS}, not {number}")
        self._before()
        self._upload(key, upload_id).parts[number] = bytes(body)
        self._after()
        return _part(number, bytes(body))

    async def copy_part(self, key: str, upload_id: str, number: int, *, source: str, etag: str) -> UploadedPart:
        """See `Bucket.copy_part`."""
        self._before()
        found = self._current(source)
        if found is None or found.body is None or found.etag != etag:
            raise SourceChanged(f"{source}: {'absent' if found is None else found.etag}")
        self._upload(key, upload_id).parts[number] = found.body
        self._after()
        return _part(number, found.body)

    async def uploaded_parts(self, key: str, upload_id: str) -> Sequence[UploadedPart] | None:
        """See `Bucket.uploaded_parts`."""
        self._before()
        found = self._uploads.get(upload_id)
        self._after()
        return None if found is None else [_part(number, found.parts[number]) for number in sorted(found.parts)]

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """See `Bucket.complete_upload`."""
        if not parts:
            raise ValueError("an upload is completed with at least one part")
        self._before()
        kept = self._upload(key, upload_id).parts
        named = sorted(parts, key=lambda part: part.number)
        if any(part.number not in kept or _part(part.number, kept[part.number]) != part for part in named):
            raise PartsRefused(f"{key}: InvalidPart")
        if any(part.size < SMALLEST_PART_BYTES for part in named[:-1]):
            raise PartsRefused(f"{key}: EntityTooSmall")
        self._put(key, b"".join(kept[part.number] for part in named))
        del self._uploads[upload_id]
        self._after()

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """See `Bucket.abort_upload`."""
        self._before()
        self._uploads.pop(upload_id, None)
        self._after()

    async def keeps_versions(self) -> bool | None:
        """See `Bucket.keeps_versions`."""
        return self._versioned

    async def probe(self) -> None:
        """See `Bucket.probe`."""
        self._before()
        self._after()

    def _upload(self, key: str, upload_id: str) -> _Upload:
        found = self._uploads.get(upload_id)
        if found is None or found.key != key:
            raise UploadUnknown(f"{key}: NoSuchUpload")
        return found

    def _current(self, key: str) -> _Version | None:
        kept = self._kept.get(key)
        return kept[0] if kept and kept[0].body is not None else None

    def _version(self, key: str, version_id: str) -> _Version | None:
        return next((kept for kept in self._kept.get(key, []) if kept.id == version_id), None)

    def _put(self, key: str, body: bytes | None) -> None:
        name = str(next(self._ids)) if self._versioned else NO_VERSION
        older = self._kept.get(key, []) if self._versioned else []
        self._kept[key] = [_Version(name, body, datetime.now(UTC)), *older]
        self._change(key)

    def _change(self, key: str) -> None:
        self.now += 1
        self.changed[key] = self.now

    def _before(self) -> None:
        self.now += 1
        if self.strike and self.strike.calls == 0 and not self.strike.after:
            self._fall()

    def _after(self) -> None:
        if self.strike is None:
            return
        if self.strike.calls == 0:
            self._fall()
        self.strike = Strike(self.strike.calls - 1, self.strike.after, self.strike.crash)

    def _fall(self) -> None:
        assert self.strike is not None
        crash, self.strike = self.strike.crash, None
        raise Crashed if crash else BucketUnreachable("it hung up")


def _part(number: int, body: bytes) -> UploadedPart:
    return UploadedPart(number, len(body), hashlib.md5(body).hexdigest())


async def _in_steps(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), STREAM_STEP_BYTES):
        yield body[start : start + STREAM_STEP_BYTES]


def _require_slash(prefix: str) -> None:
    if not prefix.endswith("/"):
        raise ValueError(f"a prefix to list ends with '/': {prefix!r}")
