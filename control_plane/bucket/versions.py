"""Versions: listed and removed, so that what an owner deleted is gone and not only hidden.

boto3 in threads of its own: removal is not hot, and DeleteObjects is XML both ways. Every call is bounded in time. What it
needs beyond the control plane's other permissions: `s3:ListBucketVersions`, `s3:DeleteObject`, `s3:DeleteObjectVersion`,
`s3:GetBucketVersioning`.
"""

import asyncio
import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from control_plane.bucket.client import open_client
from control_plane.bucket.presign import Addressing, Credentials
from control_plane.domain.bucket import (
    BucketUnreachable,
    KeptVersion,
    NotRemoved,
    ObjectVersion,
    ReadBack,
    VersionsHidden,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CopySourceTypeDef, ListObjectVersionsOutputTypeDef, ObjectIdentifierTypeDef

# One more try, for a pooled connection that the store had closed; beyond that the next purge is the retry.
TRIES = 2
# A purge lists and removes one after the other; another may run beside it.
THREADS = 2
# Half of what S3 takes: measured, SeaweedFS removes some 300 a second on a busy machine, and a call has its time.
PAGE_VERSIONS = 500
# Of one key: a chunk is written once, and a few times more at worst.
NEWEST = 100
READ_STEP_BYTES = 256 * 1024
# Statuses with which a store says that it has no such call (S3's own 501, 405 of simpler ones) or that it is not for us.
REFUSED = frozenset({403, 405, 501})
ABSENT = frozenset({"NoSuchKey", "NoSuchVersion"})
# What XML 1.0 cannot carry, in a request for many: such keys are removed one by one, named in the URL.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Result = TypeVar("Result")


class VersionStore:
    """Lists and removes versions of one bucket."""

    def __init__(
        self,
        *,
        endpoint: str,
        bucket: str,
        region: str,
        credentials: Credentials,
        addressing: Addressing,
        call_s: float,
    ) -> None:
        self._bucket = bucket
        self._make: Callable[[], S3Client] = lambda: _client(endpoint, region, credentials, addressing, call_s)
        self._made: S3Client | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="versions")

    def close(self) -> None:
        """Lets go of the connections; a call under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._made is not None:
            self._made.close()

    async def pages(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        """See `Bucket.version_pages`."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix to list ends with '/': {prefix!r}")
        marker: dict[str, str] = {}
        while True:
            page = await self._page(prefix, marker)
            if found := _versions_of(page):
                yield found
            if not page.get("IsTruncated"):
                return
            following = {
                name: value
                for name, value in [
                    ("KeyMarker", page.get("NextKeyMarker")),
                    ("VersionIdMarker", page.get("NextVersionIdMarker")),
                ]
                if value
            }
            if not following or following == marker:
                raise BucketUnreachable(
                    f"LIST versions {prefix}: a page that is not the last one, and names no next one"
                )
            marker = following

    async def remove(self, versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        """See `Bucket.remove`."""
        if len(versions) > PAGE_VERSIONS:
            raise ValueError(f"at most {PAGE_VERSIONS} versions at once, not {len(versions)}")
        return await self._call("DELETE", lambda client: self._remove(client, versions)) if versions else []

    async def keeps(self) -> bool | None:
        """See `Bucket.keeps_versions`."""
        try:
            # "Suspended" keeps what it had kept before.
            return await self._call(
                "GET versioning", lambda client: "Status" in client.get_bucket_versioning(Bucket=self._bucket)
            )
        except _Refused as exc:
            return None if exc.status == 403 else False

    async def history(self, key: str) -> Sequence[KeptVersion]:
        """See `Bucket.history`."""
        page = await self._page(key, {})
        markers = [entry for entry in page.get("DeleteMarkers", []) if entry["Key"] == key]
        objects = [entry for entry in page.get("Versions", []) if entry["Key"] == key]
        found = [
            (
                entry.get("IsLatest", False),
                entry["LastModified"],
                KeptVersion(entry.get("VersionId", "null"), True, 0, ""),
            )
            for entry in markers
        ] + [
            (
                entry.get("IsLatest", False),
                entry["LastModified"],
                KeptVersion(entry.get("VersionId", "null"), False, entry.get("Size", 0), entry["ETag"].strip('"')),
            )
            for entry in objects
        ]
        # Two lists, each newest first, and times of a second: the mark of the latest decides between them.
        found.sort(key=lambda entry: entry[:2], reverse=True)
        return [version for _, _, version in found[:NEWEST]]

    async def read_back(self, key: str, version_id: str) -> ReadBack | None:
        """See `Bucket.read_back`."""
        return await self._call(f"GET {key}", lambda client: self._read_back(client, key, version_id))

    async def restore(self, key: str, version_id: str) -> None:
        """See `Bucket.restore`."""
        source: CopySourceTypeDef = {"Bucket": self._bucket, "Key": key, "VersionId": version_id}
        answer = await self._call(
            f"COPY {key}",
            lambda client: client.copy_object(
                Bucket=self._bucket, Key=key, CopySource=source, ChecksumAlgorithm="SHA256"
            ),
        )
        _require_ok(f"COPY {key}", answer)

    def _read_back(self, client: "S3Client", key: str, version_id: str) -> ReadBack | None:
        try:
            answer = client.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        except ClientError as exc:
            if _code(exc) in ABSENT:
                return None
            raise
        _require_ok(f"GET {key}", answer)
        size, digest = 0, hashlib.sha256()
        with closing(answer["Body"]) as body:
            for part in body.iter_chunks(READ_STEP_BYTES):
                size += len(part)
                digest.update(part)
        return ReadBack(size, digest.hexdigest())

    async def _page(self, prefix: str, marker: dict[str, str]) -> "ListObjectVersionsOutputTypeDef":
        wanted: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix, "MaxKeys": PAGE_VERSIONS, **marker}
        try:
            page = await self._call(f"LIST versions {prefix}", lambda client: client.list_object_versions(**wanted))
        except _Refused as exc:
            raise VersionsHidden(f"The store does not list versions ({exc.status}).") from exc
        if page["ResponseMetadata"]["HTTPStatusCode"] != 200 or "IsTruncated" not in page:
            # A 204, or a 200 of a proxy without a body, would else be read as “nothing is there”.
            raise BucketUnreachable(f"LIST versions {prefix}: an answer that is no listing")
        return page

    def _remove(self, client: "S3Client", versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        plain = [version for version in versions if not NOT_IN_XML.search(version.key)]
        odd = [version for version in versions if NOT_IN_XML.search(version.key)]
        return [*self._remove_together(client, plain), *self._remove_each(client, odd)]

    def _remove_together(self, client: "S3Client", versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        if not versions:
            return []
        try:
            answer = client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [_identifier(version) for version in versions], "Quiet": True}
            )
        except ClientError as exc:
            if _status(exc) not in {405, 501}:
                raise
            return self._remove_each(client, versions)  # a store without the call
        # A 200 that holds errors: each is for one key.
        return [
            NotRemoved(ObjectVersion(error.get("Key", ""), error.get("VersionId")), error.get("Code", ""))
            for error in answer.get("Errors", [])
            if error.get("Code") not in ABSENT
        ]

    def _remove_each(self, client: "S3Client", versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        refused: list[NotRemoved] = []
        for version in versions:
            try:
                if version.version_id is None:
                    client.delete_object(Bucket=self._bucket, Key=version.key)
                else:
                    client.delete_object(Bucket=self._bucket, Key=version.key, VersionId=version.version_id)
            except ClientError as exc:
                if _code(exc) not in ABSENT:
                    refused.append(NotRemoved(version, _code(exc)))
        return refused

    async def _call(self, what: str, call: "Callable[[S3Client], Result]") -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(self._client()))
        except ClientError as exc:
            if _status(exc) in REFUSED and _code(exc) not in {"SignatureDoesNotMatch", "InvalidAccessKeyId"}:
                raise _Refused(f"{what}: {_status(exc)} {_code(exc)}", _status(exc)) from exc
            raise BucketUnreachable(f"{what}: status {_status(exc)} {_code(exc)}") from exc
        except (BotoCoreError, OSError) as exc:
            raise BucketUnreachable(f"{what}: {type(exc).__name__}: {exc}") from exc

    def _client(self) -> "S3Client":
        """Made when first needed: it takes a tenth of a second, and most commands never remove anything."""
        if self._made is None:
            self._made = self._make()
        return self._made


def _require_ok(what: str, answer: Mapping[str, Any]) -> None:
    """A 204, or whatever a proxy makes of it, is not what S3 promises."""
    if (status := answer["ResponseMetadata"]["HTTPStatusCode"]) != 200:
        raise BucketUnreachable(f"{what}: status {status}")


class _Refused(BucketUnreachable):
    """The store will not do this kind of call for us."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _client(endpoint: str, region: str, credentials: Credentials, addressing: Addressing, call_s: float) -> "S3Client":
    client = open_client(endpoint, region, credentials, addressing, tries=TRIES, call_s=call_s)
    client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
    client.meta.events.register("before-call.s3", _follow_no_redirect)
    return client


def _add_md5(params: dict[str, Any], **_: object) -> None:
    """Stores older than S3's newer checksums refuse a DeleteObjects without its MD5; all others take both."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = b64encode(digest).decode()


def _follow_no_redirect(context: dict[str, Any], **_: object) -> None:
    """A redirect is no answer to believe, as everywhere here; botocore would ask another region, without end if need be."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _versions_of(page: "ListObjectVersionsOutputTypeDef") -> Sequence[ObjectVersion]:
    return [
        ObjectVersion(entry["Key"], entry.get("VersionId", "null"))
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]


def _identifier(version: ObjectVersion) -> "ObjectIdentifierTypeDef":
    if version.version_id is None:
        return {"Key": version.key}
    return {"Key": version.key, "VersionId": version.version_id}


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(exc: ClientError) -> str:
    return exc.response.get("Error", {}).get("Code", "")
