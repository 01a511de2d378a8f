"""Reading back, older versions, and bringing one of them back: what fixity and healing rest on."""

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.bucket import BucketUnreachable, ReadBack
from tests.contract.test_bucket import SHORT_S, server, write
from tests.support.buckets import Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

pytestmark = pytest.mark.anyio

# Longer than one step of reading, and than what a copy does in one part.
LONG = bytes(range(256)) * 4_096 * 9


def hashed(body: bytes) -> ReadBack:
    return ReadBack(len(body), hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("body", [b"x", LONG], ids=["short", "long"])
async def test_an_object_is_read_to_its_end_and_hashed(bucket: S3Bucket, prefix: str, body: bytes) -> None:
    await write(bucket, f"{prefix}a", body)
    assert await bucket.read_back(f"{prefix}a") == hashed(body)


async def test_what_is_not_there_is_not_read(bucket: S3Bucket, place: Place, prefix: str) -> None:
    await write(bucket, f"{prefix}a")
    assert await bucket.read_back(f"{prefix}b") is None
    assert await bucket.read_back(f"{prefix}a", version_id="0" * 32) is None
    async with place.client(bucket="safereel-is-absent") as absent:
        with pytest.raises(BucketUnreachable):
            await absent.read_back(f"{prefix}a")


async def test_a_body_that_ends_early_is_no_object(place: Place) -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf"
    async with server(short) as endpoint, place.client(endpoint=endpoint, call_s=SHORT_S) as cut:
        with pytest.raises(BucketUnreachable):
            await cut.read_back("v1/a")


async def test_history_is_newest_first_and_of_one_key(
    bucket: S3Bucket, place: Place, s3: "S3Client", prefix: str
) -> None:
    await write(bucket, f"{prefix}ab", b"another key")
    for body in (b"one", b"three"):
        await write(bucket, f"{prefix}a", body, overwrite=True)
    await asyncio.to_thread(s3.delete_object, Bucket=place.bucket, Key=f"{prefix}a")

    found = await bucket.history(f"{prefix}a")

    assert [(version.is_marker, version.size) for version in found] == [(True, 0), (False, 5), (False, 3)]
    assert await bucket.read_back(f"{prefix}a") is None
    assert await bucket.read_back(f"{prefix}a", version_id=found[2].version_id) == hashed(b"one")
    assert await bucket.history(f"{prefix}none") == []


@pytest.mark.parametrize("body", [b"the one that was meant", LONG], ids=["short", "long"])
async def test_an_older_version_is_brought_back_as_it_was(bucket: S3Bucket, prefix: str, body: bytes) -> None:
    key = f"{prefix}a"
    await write(bucket, key, body)
    before = await bucket.head(key)
    await write(bucket, key, b"in its place", overwrite=True)
    (_, older) = await bucket.history(key)

    await bucket.restore(key, older.version_id)

    assert await bucket.read_back(key) == hashed(body)
    after = await bucket.head(key)
    assert before is not None
    assert after is not None
    assert (after.size, after.sha256) == (before.size, before.sha256)
    assert len(await bucket.history(key)) == 3, "nothing was removed"


async def test_a_version_that_is_gone_cannot_be_brought_back(bucket: S3Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a")
    with pytest.raises(BucketUnreachable):
        await bucket.restore(f"{prefix}a", "0" * 32)


async def test_a_version_is_brought_back_over_a_delete_marker(
    bucket: S3Bucket, place: Place, s3: "S3Client", prefix: str
) -> None:
    key = f"{prefix}a"
    await write(bucket, key, b"the one that was meant")
    await asyncio.to_thread(s3.delete_object, Bucket=place.bucket, Key=key)
    (_, older) = await bucket.history(key)

    await bucket.restore(key, older.version_id)

    assert await bucket.read_back(key) == hashed(b"the one that was meant")
