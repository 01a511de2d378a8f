"""Removal for ever: every version and delete marker is listed, and what is removed is gone."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.bucket import BucketUnreachable, NotRemoved, ObjectVersion, VersionsHidden
from tests.contract.test_bucket import SHORT_S, server, versions, write, write_all
from tests.support.buckets import Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

pytestmark = pytest.mark.anyio


@pytest.fixture
def unversioned(place: Place, s3: "S3Client") -> Iterator[Place]:
    """A bucket that never kept versions."""
    name = f"{place.bucket}-plain"
    s3.create_bucket(Bucket=name)
    yield replace(place, bucket=name)
    for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


async def remove_all(bucket: S3Bucket, prefix: str) -> None:
    async for page in bucket.version_pages(prefix):
        assert await bucket.remove(page) == []


async def test_every_version_and_marker_is_listed_and_removed(
    bucket: S3Bucket, place: Place, s3: "S3Client", prefix: str
) -> None:
    for body in (b"one", b"two", b"three"):
        await write(bucket, f"{prefix}a", body, overwrite=True)
    s3.delete_object(Bucket=place.bucket, Key=f"{prefix}a")
    await write(bucket, f"{prefix}b")

    found = await versions(bucket, prefix)
    assert sorted(version.key for version in found) == [f"{prefix}a"] * 4 + [f"{prefix}b"]
    assert len({version.version_id for version in found}) == 5

    await remove_all(bucket, prefix)
    assert await versions(bucket, prefix) == []
    assert await bucket.head(f"{prefix}b") is None
    assert await bucket.remove(found) == [], "what is absent counts as removed"


async def test_removing_one_version_leaves_the_others(bucket: S3Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a", b"old")
    (old,) = await versions(bucket, prefix)
    await write(bucket, f"{prefix}a", b"new", overwrite=True)

    await bucket.remove([old])

    assert await bucket.read(f"{prefix}a", limit=10) == b"new"
    assert old not in await versions(bucket, prefix)


async def test_versions_stay_within_their_prefix(bucket: S3Bucket, prefix: str) -> None:
    stem = prefix.removesuffix("/")
    await write_all(bucket, [f"{stem}/a", f"{stem}-other/a", f"{stem}0"])

    assert [version.key for version in await versions(bucket, prefix)] == [f"{stem}/a"]
    with pytest.raises(ValueError, match="ends with '/'"):
        await versions(bucket, stem)


async def test_many_pages_are_listed_and_removed_whole(bucket: S3Bucket, prefix: str) -> None:
    names = [f"{prefix}{number:08d}" for number in range(1_100)]
    await write_all(bucket, names)
    for number in range(0, 1_100, 10):
        await write(bucket, names[number], b"again", overwrite=True)

    found = await versions(bucket, prefix)
    assert len(found) == 1_210
    assert {version.key for version in found} == set(names)

    await remove_all(bucket, prefix)
    assert await versions(bucket, prefix) == []


@pytest.mark.parametrize("name", ["a b+c%20d", "ü&<>\"'", "tab\there", "line\nbreak"])
async def test_keys_of_any_characters(bucket: S3Bucket, place: Place, s3: "S3Client", prefix: str, name: str) -> None:
    key = f"{prefix}{name}"
    await asyncio.to_thread(s3.put_object, Bucket=place.bucket, Key=key, Body=b"odd")

    assert [version.key for version in await versions(bucket, prefix)] == [key]
    await remove_all(bucket, prefix)
    assert await versions(bucket, prefix) == []


async def test_a_bucket_without_versions(unversioned: Place, bucket: S3Bucket, prefix: str) -> None:
    assert await bucket.keeps_versions() is True
    async with unversioned.client() as plain:
        assert await plain.keeps_versions() is False
        await write_all(plain, [f"{prefix}a", f"{prefix}b"])
        assert {version.version_id for version in await versions(plain, prefix)} == {"null"}
        await remove_all(plain, prefix)
        assert await versions(plain, prefix) == []
        await write(plain, f"{prefix}c")
        assert await plain.remove([ObjectVersion(f"{prefix}c", None)]) == []
        assert await plain.head(f"{prefix}c") is None


async def test_an_absent_bucket_lists_nothing(place: Place) -> None:
    async with place.client(bucket="safereel-is-absent") as absent:
        with pytest.raises(BucketUnreachable):
            await versions(absent, "v1/00/")
        with pytest.raises(BucketUnreachable):
            await absent.remove([ObjectVersion("v1/00/a", "null")])


def xml(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def removed(place: Place, answer: bytes, asked: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
    async with server(answer) as endpoint, place.client(endpoint=endpoint, call_s=SHORT_S) as bucket:
        return await bucket.remove(asked)


async def test_errors_within_a_success_are_told(place: Place) -> None:
    answer = xml(
        "<DeleteResult><Error><Key>v1/a</Key><VersionId>7</VersionId><Code>AccessDenied</Code></Error>"
        "<Error><Key>v1/b</Key><VersionId>8</VersionId><Code>NoSuchVersion</Code></Error></DeleteResult>"
    )
    refused = ObjectVersion("v1/a", "7")
    assert await removed(place, answer, [refused, ObjectVersion("v1/b", "8")]) == [NotRemoved(refused, "AccessDenied")]


async def test_a_key_that_xml_cannot_carry_is_removed_by_itself(place: Place) -> None:
    odd = ObjectVersion("v1/x\x01y", "7")
    answer = xml("<Error><Code>AccessDenied</Code></Error>", "403 Forbidden")
    assert await removed(place, answer, [odd]) == [NotRemoved(odd, "AccessDenied")]


@pytest.mark.parametrize("status", ["403 Forbidden", "405 Method Not Allowed", "501 Not Implemented"])
async def test_a_store_that_hides_versions_says_so(place: Place, status: str) -> None:
    answer = xml("<Error><Code>No</Code></Error>", status)
    async with server(answer) as endpoint, place.client(endpoint=endpoint, call_s=SHORT_S) as bucket:
        with pytest.raises(VersionsHidden):
            await versions(bucket, "v1/00/")
        assert await bucket.keeps_versions() is (None if "403" in status else False)


async def test_a_page_that_leads_nowhere_is_unreachable(place: Place) -> None:
    answer = xml("<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>")
    async with server(answer) as endpoint, place.client(endpoint=endpoint, call_s=SHORT_S) as bucket:
        with pytest.raises(BucketUnreachable, match="not the last"):
            await versions(bucket, "v1/00/")


async def test_an_empty_answer_is_no_empty_listing(place: Place) -> None:
    async with server(xml("")) as endpoint, place.client(endpoint=endpoint, call_s=SHORT_S) as bucket:
        with pytest.raises(BucketUnreachable):
            await versions(bucket, "v1/00/")


async def test_a_long_object_of_our_own_is_written_whole(bucket: S3Bucket, prefix: str) -> None:
    body = bytes(3_000_000)
    await bucket.write(f"{prefix}long", body, content_type="application/json", overwrite=True)
    assert await bucket.read(f"{prefix}long", limit=len(body)) == body
