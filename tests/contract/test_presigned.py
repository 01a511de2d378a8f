"""What a grant permits, and that the bucket itself refuses everything else. The statuses are those of the docs."""

import asyncio
import hashlib
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.file_names import attachment
from tests.support.buckets import MIME, PAGE_ORIGIN, Place, grant, send

pytestmark = pytest.mark.anyio

BODY = b"the bytes that were granted"
OTHER = b"the bytes that were swapped"
assert len(BODY) == len(OTHER)


def checksum(body: bytes) -> str:
    return b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}00000000-0000-{len(BODY)}-{hashlib.sha256(BODY).hexdigest()}"


async def test_a_grant_permits_its_bytes(bucket: S3Bucket, place: Place, key: str) -> None:
    granted = grant(place, key, BODY)

    answer = await send("PUT", granted.url, granted.headers, BODY)

    head = await bucket.head(key)
    assert answer.status == 200
    assert head is not None
    assert head.etag == answer.headers["ETag"].strip('"')
    assert head.sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("overwrite", [False, True])
async def test_other_bytes_are_refused(bucket: S3Bucket, place: Place, key: str, overwrite: bool) -> None:
    granted = grant(place, key, BODY, overwrite=overwrite)

    answer = await send("PUT", granted.url, granted.headers, OTHER)

    assert answer.status == 400
    assert b"BadDigest" in answer.body
    assert await bucket.head(key) is None


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"!", b""])
async def test_another_length_is_refused(bucket: S3Bucket, place: Place, key: str, body: bytes) -> None:
    granted = grant(place, key, BODY)

    answer = await send("PUT", granted.url, granted.headers, body)

    assert answer.status == 403
    assert await bucket.head(key) is None


async def test_a_second_write_is_refused(bucket: S3Bucket, place: Place, key: str) -> None:
    granted = grant(place, key, BODY)
    await send("PUT", granted.url, granted.headers, BODY)

    again = await send("PUT", granted.url, granted.headers, BODY)
    swapped = grant(place, key, OTHER)
    other = await send("PUT", swapped.url, swapped.headers, OTHER)

    assert (again.status, other.status) == (412, 412)
    assert await bucket.read(key, limit=100) == BODY


async def test_of_racing_writes_one_wins(place: Place, key: str) -> None:
    granted = grant(place, key, BODY)

    answers = await asyncio.gather(*(send("PUT", granted.url, granted.headers, BODY) for _ in range(8)))

    statuses = sorted(answer.status for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {409, 412}


async def test_an_overwriting_grant_overwrites(bucket: S3Bucket, place: Place, key: str) -> None:
    for body in (BODY, OTHER):
        granted = grant(place, key, body, overwrite=True)
        answer = await send("PUT", granted.url, granted.headers, body)
        assert answer.status == 200

    assert await bucket.read(key, limit=100) == OTHER


@pytest.mark.parametrize(
    "changed",
    [
        {"x-amz-checksum-sha256": checksum(OTHER)},
        {"x-amz-checksum-sha256": None},
        {"if-none-match": None},
        {"content-type": "text/html"},
    ],
    ids=lambda changed: "-".join(f"{name}={value is not None}" for name, value in changed.items()),
)
async def test_other_headers_are_refused(
    bucket: S3Bucket, place: Place, key: str, changed: dict[str, str | None]
) -> None:
    granted = grant(place, key, BODY)
    headers = {name: value for name, value in {**granted.headers, **changed}.items() if value is not None}

    answer = await send("PUT", granted.url, headers, OTHER)

    assert answer.status in {400, 403}
    assert await bucket.head(key) is None


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"/00000000-", "/00000001-"),
        (r"X-Amz-Expires=300", "X-Amz-Expires=3000"),
        (r"X-Amz-Date=\d{8}", "X-Amz-Date=20300101"),
        (r"content-length%3B", ""),
        (r"%3Bx-amz-checksum-sha256", ""),
        (r"X-Amz-Signature=..", "X-Amz-Signature=zz"),
        (r"X-Amz-Signature=.*", ""),
    ],
)
async def test_another_url_is_refused(bucket: S3Bucket, place: Place, key: str, pattern: str, replacement: str) -> None:
    granted = grant(place, key, BODY)
    url = re.sub(pattern, replacement, granted.url)
    assert url != granted.url

    answer = await send("PUT", url, granted.headers, BODY)

    assert answer.status in {400, 403}
    assert await bucket.head(key) is None
    assert await bucket.head(key.replace("/00000000-", "/00000001-")) is None


async def test_a_put_url_permits_nothing_else(bucket: S3Bucket, place: Place, key: str) -> None:
    granted = grant(place, key, BODY)
    await send("PUT", granted.url, granted.headers, BODY)

    for method in ("GET", "DELETE"):
        assert (await send(method, granted.url, granted.headers)).status == 403
    assert await bucket.head(key) is not None


async def test_an_expired_url_is_refused(bucket: S3Bucket, place: Place, key: str) -> None:
    granted = grant(place, key, BODY, now=datetime.now(UTC) - timedelta(minutes=5, seconds=2))

    answer = await send("PUT", granted.url, granted.headers, BODY)

    assert answer.status == 403
    assert await bucket.head(key) is None


async def test_playback_may_ask_for_ranges(place: Place, key: str) -> None:
    granted = grant(place, key, BODY)
    await send("PUT", granted.url, granted.headers, BODY)
    url = place.presigner().get(key, now=datetime.now(UTC)).url

    whole = await send("GET", url)
    part = await send("GET", url, {"range": "bytes=4-8"})

    assert (whole.status, whole.body) == (200, BODY)
    assert (part.status, part.body) == (206, BODY[4:9])


@pytest.mark.parametrize(
    "name",
    [
        "a.webm",
        'Übung "1"/\r\nX-Evil: 2.webm',
        "日本語の録画 100%.webm",
        "é" * 400 + ".webm",
        "a;b=c,'d' +.mp4",
        "\0",
        "👩‍👧.webm",
    ],
)
async def test_a_download_bears_its_name_and_type(place: Place, key: str, name: str) -> None:
    granted = grant(place, key, BODY)
    await send("PUT", granted.url, granted.headers, BODY)
    url = place.presigner().get(key, now=datetime.now(UTC), file_name=name, content_type="video/mp4").url

    whole = await send("GET", url)
    part = await send("GET", url, {"range": "bytes=4-8"})

    assert (whole.status, whole.body) == (200, BODY)
    assert (part.status, part.body) == (206, BODY[4:9])
    for answer in (whole, part):
        assert answer.headers["Content-Disposition"] == attachment(name)
        assert answer.headers["Content-Type"] == "video/mp4"
        assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [("Ubung", "Andere"), (r"response-content-disposition=[^&]*&", ""), ("video%2Fwebm", "text%2Fhtml")],
)
async def test_another_name_or_type_is_refused(place: Place, key: str, pattern: str, replacement: str) -> None:
    granted = grant(place, key, BODY)
    await send("PUT", granted.url, granted.headers, BODY)
    signed = place.presigner().get(key, now=datetime.now(UTC), file_name="Übung.webm", content_type=MIME).url
    url = re.sub(pattern, replacement, signed)
    assert url != signed

    assert (await send("GET", url)).status == 403


async def test_pages_may_put_and_see_the_etag(place: Place, key: str) -> None:
    granted = grant(place, key, BODY)
    asked = {
        "origin": PAGE_ORIGIN,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type,if-none-match,x-amz-checksum-sha256",
    }

    preflight = await send("OPTIONS", granted.url, asked)
    put = await send("PUT", granted.url, {**granted.headers, "origin": PAGE_ORIGIN}, BODY)

    allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
    assert preflight.status in {200, 204}
    assert all(name in allowed for name in ("content-type", "if-none-match", "x-amz-checksum-sha256"))
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    for answer in (preflight, put):
        assert answer.headers["Access-Control-Allow-Origin"] in {PAGE_ORIGIN, "*"}
    assert "etag" in put.headers["Access-Control-Expose-Headers"].lower()


async def test_other_pages_may_not(place: Place, key: str) -> None:
    granted = grant(place, key, BODY)
    asked = {
        "origin": "http://evil.example.com",
        "access-control-request-method": "PUT",
        "access-control-request-headers": MIME,
    }

    preflight = await send("OPTIONS", granted.url, asked)

    assert "Access-Control-Allow-Origin" not in preflight.headers
