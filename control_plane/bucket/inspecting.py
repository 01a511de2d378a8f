"""How a bucket is set up, and every version that lies in it: what `safereel doctor` looks at. Blocking (boto3).

Each call is one try, bounded in time. Raises `Refused` where the store said no, `BucketUnreachable` where it said
nothing that S3 promises.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from control_plane.bucket.client import open_client
from control_plane.bucket.presign import Addressing, Credentials
from control_plane.domain.bucket import BucketUnreachable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Result = TypeVar("Result")

# Codes that say "none is set", which is an answer.
NO_LIFECYCLE = "NoSuchLifecycleConfiguration"
NO_OBJECT_LOCK = "ObjectLockConfigurationNotFoundError"


class Refused(Exception):
    """The store answered with an error: its status and its code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of an object, or one delete marker."""

    key: str
    version_id: str
    is_marker: bool
    last_modified: datetime


class BucketInspector:
    """Looks at one bucket; close it. May be used from several threads."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @classmethod
    def open(cls, *, endpoint: str, bucket: str, region: str, credentials: Credentials, addressing: Addressing) -> Self:
        """`ValueError` if `endpoint` is none."""
        return cls(open_client(endpoint, region, credentials, addressing, tries=1), bucket)

    def close(self) -> None:
        self._client.close()

    def versioning(self) -> str:
        """`Enabled`, `Suspended`, or nothing where it was never turned on."""
        return str(_asked(lambda: self._client.get_bucket_versioning(Bucket=self._bucket)).get("Status", ""))

    def lifecycle_rules(self) -> Sequence[Mapping[str, Any]]:
        """The rules as S3 words them (`Status`, `Filter`, `Expiration` …); empty where there are none."""
        try:
            found = _asked(lambda: self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket))
        except Refused as exc:
            if exc.code == NO_LIFECYCLE:
                return []
            raise
        return list[Mapping[str, Any]](found.get("Rules", []))

    def default_retention(self) -> str | None:
        """What object lock puts on every new object, such as `GOVERNANCE 30 days`; None where nothing."""
        try:
            found = _asked(lambda: self._client.get_object_lock_configuration(Bucket=self._bucket))
        except Refused as exc:
            if exc.code == NO_OBJECT_LOCK:
                return None
            raise
        kept: Mapping[str, Any] = found.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        if not kept:
            return None
        time = f"{kept['Days']} days" if "Days" in kept else f"{kept.get('Years')} years"
        return f"{kept.get('Mode')} {time}"

    def versions(self, prefix: str) -> Sequence[StoredVersion]:
        """Every version and delete marker under `prefix`."""
        return _asked(lambda: list(self._versions(prefix)))

    def keys(self, prefix: str) -> Mapping[str, datetime]:
        """Every object under `prefix` and when it was written: for stores that cannot list versions."""
        return _asked(lambda: dict(self._keys(prefix)))

    def read_version(self, key: str, version_id: str) -> bytes:
        """The whole of one version."""

        def read() -> bytes:
            return self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)["Body"].read()

        return _asked(read)

    def remove(self, key: str, version_id: str | None = None) -> None:
        """Removes one version for ever; without `version_id`, what a plain DELETE does."""
        if version_id is None:
            _asked(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))
        else:
            _asked(lambda: self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=version_id))

    def _versions(self, prefix: str) -> Iterator[StoredVersion]:
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            for found in page.get("Versions", []):
                yield StoredVersion(found["Key"], found.get("VersionId", "null"), False, found["LastModified"])
            for marker in page.get("DeleteMarkers", []):
                yield StoredVersion(marker["Key"], marker.get("VersionId", "null"), True, marker["LastModified"])

    def _keys(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                yield found["Key"], found["LastModified"]


def _asked(call: Callable[[], Result]) -> Result:
    try:
        return call()
    except ClientError as exc:
        status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise Refused(status, str(exc.response.get("Error", {}).get("Code", ""))) from exc
    except (BotoCoreError, OSError, KeyError) as exc:
        raise BucketUnreachable(f"{type(exc).__name__}: {exc}") from exc
