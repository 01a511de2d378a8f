"""What the rest of the control plane may ask of a bucket: one narrow interface, one contract suite.

Errors: every method raises `BucketUnreachable` where the bucket failed, was too slow or answered what S3 does not
promise. An absent object is an answer, never an error: callers must be able to tell "not there" from "could not look".
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class BucketUnreachable(Exception):
    """The bucket gave no trustworthy answer: nothing may be concluded from this call."""


class ObjectTooLong(BucketUnreachable):
    """The object is longer than what was to be read: it is there, and not what the caller expects under this key."""


class ObjectExists(Exception):
    """A write-once PUT found its key taken (412)."""


class SourceChanged(Exception):
    """What was to be copied is absent, or is not what it was: nothing of it may be joined."""


class UploadUnknown(Exception):
    """The store does not know this multipart upload (any more): it was completed, or aborted, by whomever.

    After an answer that was lost, a HEAD of the key tells which.
    """


class PartsRefused(BucketUnreachable):
    """The store will not join these parts: it has none or others under their numbers, or one but the last is too small."""


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


Body = bytes | bytearray | memoryview
"""Bytes to be sent as they lie in memory; who hands them over leaves them as they are until the call has ended."""

SMALLEST_PART_BYTES = 5 * 1024 * 1024
"""Of every part but the last: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
LARGEST_PART_BYTES = 5 * 1024**3
"""Of a part, uploaded or copied (as above)."""
MOST_PARTS = 10_000
"""Of one upload, numbered from 1 (as above)."""


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part that the store has: `number` from 1 to 10,000, `size` in bytes, `etag` opaque and without quotes.

    Of a part that was uploaded the ETag is the MD5 of its bytes, unless the store encrypts with keys of its own (KMS). Of a
    copied one it may be anything: SeaweedFS makes a composite one (`…-2`) of more than 4 MiB.
    """

    number: int
    size: int
    etag: str


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

    def stream(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes] | None]:
        """The bytes of an object as they come, to be read in the context; None if absent. Memory stays flat.

        An iteration that ends without raising brought all of them: one that is cut, or waits too long, raises. Leaving the
        context early gives up the rest.
        """
        ...

    async def begin_upload(self, key: str, *, content_type: str) -> str:
        """Begins a multipart upload of an object of our own (under `downloads/`); answers its id.

        Nothing is seen under `key` until the upload is completed. Each call begins another one: after an answer that was lost,
        the store forgets the first by itself (`safereel provision` sets that).
        """
        ...

    async def upload_part(self, key: str, upload_id: str, number: int, body: Body) -> UploadedPart:
        """Stores a part, its MD5 proven by the store; sent again it takes the place of the earlier one.

        Every part but the last needs `SMALLEST_PART_BYTES`. Raises `UploadUnknown`.
        """
        ...

    async def copy_part(self, key: str, upload_id: str, number: int, *, source: str, etag: str) -> UploadedPart:
        """Makes the whole object `source` a part, inside the bucket, if its ETag is `etag`.

        `SourceChanged` where it is absent or another one, before or while it was copied: the part then counts as not made, though
        the store may have it. Raises `UploadUnknown`.
        """
        ...

    async def uploaded_parts(self, key: str, upload_id: str) -> Sequence[UploadedPart] | None:
        """The parts that the store has, in order of number, the newest of each; None if it does not know the upload."""
        ...

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """Joins these parts, at least one, in order of number, and makes them the object.

        Each must be what the store has under its number. Raises `UploadUnknown` (which is no failure where an earlier call was
        not answered: HEAD the key), `PartsRefused` (begin anew), and `BucketUnreachable` for an error inside a 200 as for any.
        """
        ...

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Forgets the upload and its parts; an upload that is unknown counts as aborted. A part under way may outlive it."""
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

    def get(
        self, key: str, *, now: datetime, file_name: str | None = None, content_type: str | None = None
    ) -> PresignedRequest:
        """Permits GETs of `key`, with range requests, until `expires_at`.

        With `file_name` (any text, see `domain.file_names`) browsers save the object under that name; `content_type` takes the
        place of the stored one. Both are signed.
        """
        ...
