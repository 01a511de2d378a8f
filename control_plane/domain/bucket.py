"""What the rest of the control plane may ask of a bucket: one narrow interface, one contract suite.

Errors: every method raises `BucketUnreachable` where the bucket failed, was too slow or answered what S3 does not
promise. An absent object is an answer, never an error: callers must be able to tell "not there" from "could not look".
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class BucketUnreachable(Exception):
    """The bucket gave no trustworthy answer: nothing may be concluded from this call."""


class ObjectTooLong(BucketUnreachable):
    """The object is longer than what was to be read: it is there, and not what the caller expects under this key."""


class ObjectExists(Exception):
    """A write-once PUT found its key taken (412)."""


class VersionsHidden(Exception):
    """The store refuses to list versions (it has no such call, or our credentials may not make it)."""


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """What a HEAD showed. `etag` is opaque and without quotes; `sha256` is lower-case hex, None where not told."""

    size: int
    etag: str
    sha256: str | None
    last_modified: datetime


class ListedObject(NamedTuple):
    """One line of a listing: it has an ETag (without quotes) and a size, never a SHA-256. A tuple: audits make millions."""

    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a delete marker. `version_id` is `null` in buckets that never kept versions.

    `version_id` None names no version: removing it in a bucket that keeps versions only hides the object.
    """

    key: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One version of an object, as a listing of versions tells it: or, where `is_marker`, a delete marker (size 0, no ETag)."""

    version_id: str
    is_marker: bool
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What an object is that was read to its end: its bytes, and their SHA-256 (lower-case hex)."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NotRemoved:
    """A version that the store would not remove, and the code it said why with."""

    version: ObjectVersion
    code: str


class Bucket(Protocol):
    """An S3-compatible bucket as the services see it."""

    async def head(self, key: str) -> ObjectHead | None:
        """What is stored under `key` now; None if the store says that nothing is (404).

        Note: a HEAD in a bucket that does not exist is a 404 too. Absence counts only beside the deployment marker.
        """
        ...

    def list_pages(self, prefix: str, *, start_after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        """Pages of what lies under `prefix` (which must end with `/`), keys greater than `start_after` only.

        Order is the store's own and not relied on. A page that fails raises: a listing that ends without raising was
        whole.
        """
        ...

    async def read(self, key: str, *, limit: int) -> bytes | None:
        """The whole object, None if absent; raises `ObjectTooLong` if it is longer than `limit` bytes."""
        ...

    async def write(self, key: str, body: bytes, *, content_type: str, overwrite: bool) -> None:
        """Stores an object of our own (under `meta/`), its SHA-256 signed. `ObjectExists` where not `overwrite`."""
        ...

    def version_pages(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        """Pages of all versions and delete markers under `prefix` (which must end with `/`), keys of any characters.

        Raises `VersionsHidden` where the store does not list them. A listing that ends without raising was whole.
        """
        ...

    async def remove(self, versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        """Removes these versions for ever, at most 500; answers those that the store would not remove.

        What is absent counts as removed. What is not among the answer was said to be removed: a listing is the proof.
        """
        ...

    async def read_back(self, key: str, *, version_id: str | None = None) -> ReadBack | None:
        """Reads the object, or one version of it, to its end and hashes it; None if absent. Memory stays flat.

        The only look that sees damage: HEAD and listings tell what was written once. A store that notices by itself (by its
        own checksum) answers an error: `BucketUnreachable`, as for any other failure.
        """
        ...

    async def history(self, key: str) -> Sequence[KeptVersion]:
        """The newest versions and delete markers of exactly this key, newest first: the first is what a GET sees.

        At most 100. In a bucket that keeps none: the object, if it is there. Raises `VersionsHidden`.
        """
        ...

    async def restore(self, key: str, version_id: str) -> None:
        """Copies an older version over what is there now, inside the bucket; its bytes, type and digest stay as they are."""
        ...

    async def keeps_versions(self) -> bool | None:
        """Whether the bucket may hold versions that a plain listing does not show; None where it does not tell."""
        ...

    async def probe(self) -> None:
        """Returns if the bucket exists and our credentials may list it; raises `BucketUnreachable` otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class PresignedRequest:
    """A URL that permits one request, and the headers it must be sent with (names in lower case)."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


class Presigner(Protocol):
    """Signs URLs for the address under which browsers see the bucket. Pure computation: no call is made."""

    def put(
        self, key: str, *, size: int, sha256: str, content_type: str, overwrite: bool, now: datetime
    ) -> PresignedRequest:
        """Permits one PUT of exactly these bytes: key, length, type and SHA-256 are signed.

        Unless `overwrite`, `if-none-match: *` is signed as well: a second write is answered 412.
        `content-length` is signed but not among the answered headers: browsers set it themselves.
        """
        ...

    def get(self, key: str, *, now: datetime) -> PresignedRequest:
        """Permits GETs of `key`, with range requests, until `expires_at`."""
        ...
