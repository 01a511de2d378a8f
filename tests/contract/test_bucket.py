"""What every `Bucket` keeps to."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.bucket.s3 import S3Bucket, _sha256
from control_plane.domain.bucket import (
    Bucket,
    BucketUnreachable,
    ListedObject,
    ObjectExists,
    ObjectVersion,
)
from tests.support.buckets import MIME, Place

pytestmark = pytest.mark.anyio

BODY = b"hello, bucket"
# How long a call that is bounded by SHORT_S may take on a busy machine before it counts as hanging.
SHORT_S = 0.3
HANGS_S = 8.0


async def write(bucket: Bucket, key: str, body: bytes = BODY, *, overwrite: bool = False) -> None:
    await bucket.write(key, body, content_type=MIME, overwrite=overwrite)


async def write_all(bucket: Bucket, keys: list[str]) -> None:
    waiting = iter(keys)

    async def one_after_another() -> None:
        for key in waiting:
            await write(bucket, key, key.encode())

    await asyncio.gather(*(one_after_another() for _ in range(32)))


async def listed(bucket: Bucket, prefix: str, *, start_after: str = "") -> list[ListedObject]:
    return [item async for page in bucket.list_pages(prefix, start_after=start_after) for item in page]


async def keys(bucket: Bucket, prefix: str, *, start_after: str = "") -> set[str]:
    return {item.key for item in await listed(bucket, prefix, start_after=start_after)}


async def versions(bucket: Bucket, prefix: str) -> list[ObjectVersion]:
    return [version async for page in bucket.version_pages(prefix) for version in page]


async def test_head_shows_what_was_written(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a")

    head = await bucket.head(f"{prefix}a")

    assert head is not None
    assert head.size == len(BODY)
    assert head.etag == hashlib.md5(BODY).hexdigest()
    assert head.sha256 == hashlib.sha256(BODY).hexdigest()
    assert abs(datetime.now(UTC) - head.last_modified) < timedelta(minutes=5)


async def test_head_of_what_is_absent_is_none(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}ab")

    assert await bucket.head(f"{prefix}a") is None
    assert await bucket.head(f"{prefix}abc") is None


async def test_read_answers_all_of_it(bucket: Bucket, prefix: str) -> None:
    body = random.Random(1).randbytes(1024 * 1024)
    await write(bucket, f"{prefix}a", body)
    await write(bucket, f"{prefix}empty", b"")

    assert await bucket.read(f"{prefix}a", limit=len(body)) == body
    assert await bucket.read(f"{prefix}empty", limit=0) == b""
    assert await bucket.read(f"{prefix}b", limit=1) is None


async def test_read_stops_at_its_limit(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a")

    with pytest.raises(BucketUnreachable, match=f"more than {len(BODY) - 1} bytes"):
        await bucket.read(f"{prefix}a", limit=len(BODY) - 1)


async def test_a_key_is_written_once(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a")

    with pytest.raises(ObjectExists):
        await write(bucket, f"{prefix}a", b"other")

    assert await bucket.read(f"{prefix}a", limit=100) == BODY


async def test_overwriting_takes_place_when_asked_for(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a")
    await write(bucket, f"{prefix}a", b"other", overwrite=True)

    head = await bucket.head(f"{prefix}a")

    assert head is not None
    assert head.sha256 == hashlib.sha256(b"other").hexdigest()


async def test_of_writers_that_race_one_wins(bucket: Bucket, prefix: str) -> None:
    bodies = [bytes([number]) * 100 for number in range(8)]
    writes = [write(bucket, f"{prefix}a", body) for body in bodies]

    ends = await asyncio.gather(*writes, return_exceptions=True)

    won = [body for body, end in zip(bodies, ends, strict=True) if end is None]
    assert len(won) == 1
    assert await bucket.read(f"{prefix}a", limit=100) == won[0]


async def test_list_shows_size_and_etag(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a")

    (item,) = await listed(bucket, prefix)

    assert (item.key, item.size, item.etag) == (f"{prefix}a", len(BODY), hashlib.md5(BODY).hexdigest())
    assert abs(datetime.now(UTC) - item.last_modified) < timedelta(minutes=5)


async def test_list_stays_within_its_prefix(bucket: Bucket, prefix: str) -> None:
    stem = prefix.removesuffix("/")
    await write_all(bucket, [f"{stem}/a", f"{stem}/b/c", f"{stem}-other/a", f"{stem}0"])

    assert await keys(bucket, prefix) == {f"{stem}/a", f"{stem}/b/c"}
    assert await keys(bucket, f"{stem}/nothing/") == set()


@pytest.mark.parametrize("prefix", ["v1", "v1/aa", ""])
async def test_a_prefix_without_its_slash_is_refused(bucket: Bucket, prefix: str) -> None:
    with pytest.raises(ValueError, match="ends with '/'"):
        await listed(bucket, prefix)


async def test_list_starts_after_a_key(bucket: Bucket, prefix: str) -> None:
    names = [f"{prefix}{number:08d}-0000-5-{'ab' * 32}" for number in range(5)]
    await write_all(bucket, names)

    assert await keys(bucket, prefix, start_after=names[1]) == set(names[2:])
    assert await keys(bucket, prefix, start_after=f"{prefix}00000002") == set(names[2:])
    assert await keys(bucket, prefix, start_after=names[-1]) == set()


async def test_list_is_whole_over_many_pages(bucket: Bucket, prefix: str) -> None:
    names = [f"{prefix}{number % 3}/{number:08d}" for number in range(2_100)]
    await write_all(bucket, names)

    found = await listed(bucket, prefix)

    assert len(found) == len(names)
    assert {item.key for item in found} == set(names)


async def test_probe_knows_a_bucket_from_none(bucket: Bucket, place: Place) -> None:
    await bucket.probe()
    async with place.client(bucket="safereel-is-absent") as absent:
        with pytest.raises(BucketUnreachable, match="does not exist"):
            await absent.probe()


async def test_an_absent_bucket_has_no_pages_and_takes_nothing(place: Place, prefix: str) -> None:
    async with place.client(bucket="safereel-is-absent") as absent:
        with pytest.raises(BucketUnreachable):
            await listed(absent, prefix)
        with pytest.raises(BucketUnreachable, match="NoSuchBucket"):
            await absent.read(f"{prefix}a", limit=1)
        with pytest.raises(BucketUnreachable, match="NoSuchBucket"):
            await write(absent, f"{prefix}a")
        # S3 gives HEAD no body, so this cannot be told from an absent object: the deployment marker can.
        assert await absent.head(f"{prefix}a") is None


Call = Callable[[S3Bucket], Awaitable[object]]
CALLS: dict[str, Call] = {
    "head": lambda bucket: bucket.head("v1/a"),
    "list": lambda bucket: listed(bucket, "v1/"),
    "read": lambda bucket: bucket.read("v1/a", limit=10),
    "write": lambda bucket: write(bucket, "v1/a"),
    "overwrite": lambda bucket: write(bucket, "v1/a", overwrite=True),
    "probe": lambda bucket: bucket.probe(),
    "versions": lambda bucket: versions(bucket, "v1/a/"),
    "read back": lambda bucket: bucket.read_back("v1/a"),
    "read a version back": lambda bucket: bucket.read_back("v1/a", version_id="0" * 32),
    "history": lambda bucket: bucket.history("v1/a"),
    "restore": lambda bucket: bucket.restore("v1/a", "0" * 32),
    "remove": lambda bucket: bucket.remove([ObjectVersion("v1/a", "null")]),
}
EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())

# What a store in trouble, or a proxy before it, may say; none of it may be believed.
REFUSALS = [
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"what is this\r\n\r\n",
    b"",
]
# The store will not list versions, which callers must know; and what was removed is proven by a listing, never by an answer.
TOLD_APART = {("versions", b"403"), ("history", b"403"), ("remove", b"204")}


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """Gives every request the same answer, then hangs up; with None it says nothing for as long as it is asked."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def assert_unreachable(place: Place, endpoint: str, call: Call) -> str:
    async with place.client(endpoint=endpoint, call_s=SHORT_S) as bucket, asyncio.timeout(HANGS_S):
        with pytest.raises(BucketUnreachable) as caught:
            await call(bucket)
    return str(caught.value)


@EVERY_CALL
async def test_nobody_listening_is_unreachable(place: Place, call: Call) -> None:
    async with server(b"") as endpoint:
        pass
    await assert_unreachable(place, endpoint, call)


@EVERY_CALL
async def test_silence_is_unreachable_in_time(place: Place, call: Call) -> None:
    async with server(None) as endpoint:
        await assert_unreachable(place, endpoint, call)


@pytest.mark.parametrize(
    ("name", "answer"),
    [(name, answer) for name in CALLS for answer in REFUSALS if (name, answer[9:12]) not in TOLD_APART],
    ids=lambda given: given if isinstance(given, str) else given[9:12].decode() or "hangs up",
)
async def test_any_other_answer_is_unreachable(place: Place, name: str, answer: bytes) -> None:
    call = CALLS[name]
    async with server(answer) as endpoint:
        said = await assert_unreachable(place, endpoint, call)

    assert "X-Amz-Signature" not in said


GOOD = {
    b"Content-Length": b"5",
    b"ETag": b'"x"',
    b"Last-Modified": b"Sat, 21 Nov 2026 09:17:53 GMT",
    b"x-amz-checksum-sha256": b"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"ETag", None),
        (b"Last-Modified", None),
        (b"Last-Modified", b"yesterday"),
        (b"x-amz-checksum-sha256", b"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmC="),
        (b"x-amz-checksum-sha256", b"AAAA"),
    ],
)
async def test_a_head_that_cannot_be_read_is_unreachable(place: Place, name: bytes, value: bytes | None) -> None:
    sent = {**GOOD, name: value}
    lines = b"".join(b"%s: %s\r\n" % (key, said) for key, said in sent.items() if said is not None)
    async with server(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n") as endpoint:
        await assert_unreachable(place, endpoint, CALLS["head"])


def test_the_checksum_of_parts_is_not_taken_for_that_of_the_bytes() -> None:
    assert _sha256("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-2") is None
    assert _sha256(None) is None


async def test_a_bucket_not_opened_says_so(place: Place) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await place.client().head("v1/a")
