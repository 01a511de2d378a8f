"""A bucket to test against: the embedded SeaweedFS, or whatever S3 the environment names.

With `S3_ENDPOINT` set, the contract suite runs against that store (MinIO, RustFS, R2, AWS …) instead: it also reads
`S3_ACCESS_KEY_ID`, `S3_SECRET_ACCESS_KEY`, `S3_REGION`, `S3_ADDRESSING` and `S3_BUCKET_NAME`.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
from yarl import URL

from control_plane.bucket.presign import Address, Addressing, Credentials, Signer, SigV4Presigner
from control_plane.bucket.s3 import CALL_S, S3Bucket
from control_plane.domain.bucket import PresignedRequest
from control_plane.embedded import EmbeddedStack

PAGE_ORIGIN = "http://page.example.com"
MIME = "video/webm"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket's coordinates."""

    endpoint: str
    bucket: str
    region: str
    credentials: Credentials
    addressing: Addressing = Addressing.PATH

    def client(self, *, bucket: str | None = None, endpoint: str | None = None, call_s: float = CALL_S) -> S3Bucket:
        """A client of this bucket, or of another name or address with the same keys; to be opened."""
        return S3Bucket(
            endpoint=endpoint or self.endpoint,
            bucket=bucket or self.bucket,
            region=self.region,
            credentials=self.credentials,
            addressing=self.addressing,
            call_s=call_s,
        )

    def presigner(self, *, ttl: timedelta = timedelta(minutes=5)) -> SigV4Presigner:
        address = Address.of(self.endpoint, self.bucket, self.addressing)
        signer = Signer(address, region=self.region, credentials=self.credentials)
        return SigV4Presigner(signer, put_ttl=ttl, get_ttl=ttl)


def place_of(stack: EmbeddedStack, *, bucket: str | None = None) -> Place:
    s3 = stack.s3
    return Place(s3.endpoint, bucket or s3.bucket, s3.region, Credentials(s3.access_key, s3.secret_key))


def place_in_environment() -> Place | None:
    if "S3_ENDPOINT" not in os.environ:
        return None
    return Place(
        endpoint=os.environ["S3_ENDPOINT"],
        bucket=os.environ["S3_BUCKET_NAME"],
        region=os.environ.get("S3_REGION", "us-east-1"),
        credentials=Credentials(os.environ["S3_ACCESS_KEY_ID"], os.environ["S3_SECRET_ACCESS_KEY"]),
        addressing=Addressing(os.environ.get("S3_ADDRESSING", "path")),
    )


def grant(
    place: Place, key: str, body: bytes, *, overwrite: bool = False, now: datetime | None = None
) -> PresignedRequest:
    """What the control plane would answer for these bytes."""
    return place.presigner().put(
        key,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        content_type=MIME,
        overwrite=overwrite,
        now=now or datetime.now(UTC),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def send(method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
    """One request as a browser would make it."""
    timeout = aiohttp.ClientTimeout(total=CALL_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, URL(url, encoded=True), headers=headers, data=body) as answer,
    ):
        return Answer(answer.status, answer.headers, await answer.read())
