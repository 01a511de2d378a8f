"""Multipart uploads of other stores: what moto keeps to, and that what is no answer of S3 is never believed."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from control_plane.bucket.presign import Credentials
from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.bucket import BucketUnreachable, SourceChanged
from tests.contract.test_bucket import BODY, write
from tests.contract.test_multipart import (
    FIRST,
    begin,
    md5,
    stored,
    streamed,
    test_a_part_may_take_the_place_of_another,
    test_a_part_that_is_too_small_is_not_joined,
    test_a_stream_may_be_left_early,
    test_an_object_is_streamed,
    test_an_upload_of_nothing_is_refused,
    test_parts_become_one_object,
    test_parts_that_are_not_there_are_not_joined,
    test_what_was_completed_stays_when_it_is_completed_again,
)
from tests.support.buckets import Place
from tests.support.stores import RCLONE_KEY, RCLONE_SECRET, moto_server, rclone_server

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "test_a_part_may_take_the_place_of_another",
    "test_a_part_that_is_too_small_is_not_joined",
    "test_a_stream_may_be_left_early",
    "test_an_object_is_streamed",
    "test_an_upload_of_nothing_is_refused",
    "test_parts_become_one_object",
    "test_parts_that_are_not_there_are_not_joined",
    "test_what_was_completed_stays_when_it_is_completed_again",
]

pytestmark = pytest.mark.anyio

NAME = "elsewhere"


@pytest.fixture(scope="module")
def moto() -> Iterator[Place]:
    with moto_server() as endpoint:
        client = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        client.create_bucket(Bucket=NAME)
        client.close()
        yield Place(endpoint, NAME, "us-east-1", Credentials("a", "b"))


@pytest.fixture
async def bucket(moto: Place) -> AsyncIterator[S3Bucket]:
    async with moto.client() as opened:
        yield opened


async def test_moto_copies_what_it_was_told_to_copy(bucket: S3Bucket, prefix: str) -> None:
    source, key = f"{prefix}source", f"{prefix}file"
    etag = await stored(bucket, source, FIRST)
    upload = await begin(bucket, key)

    with pytest.raises(SourceChanged):
        await bucket.copy_part(key, upload, 1, source=source, etag=md5(BODY))
    part = await bucket.copy_part(key, upload, 1, source=source, etag=etag)
    await bucket.complete_upload(key, upload, [part])

    assert await streamed(bucket, key) == FIRST


async def test_rclone_is_not_believed(prefix: str, tmp_path: "Path") -> None:
    """It answers an upload's beginning with another document than S3, and a copy of a part with none."""
    folder = tmp_path / "buckets"
    (folder / NAME).mkdir(parents=True)
    with rclone_server(folder) as endpoint:
        place = Place(endpoint, NAME, "us-east-1", Credentials(RCLONE_KEY, RCLONE_SECRET))
        async with place.client() as bucket:
            await write(bucket, f"{prefix}a", FIRST)
            assert await streamed(bucket, f"{prefix}a") == FIRST
            assert await streamed(bucket, f"{prefix}b") is None
            with pytest.raises(BucketUnreachable, match="InitiateMultipartUpload"):
                await begin(bucket, f"{prefix}file")
