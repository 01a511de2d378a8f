"""Files made in the bucket: of parts that are sent, of objects that are copied, and streamed again."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.bucket import (
    SMALLEST_PART_BYTES,
    Body,
    Bucket,
    BucketUnreachable,
    PartsRefused,
    SourceChanged,
    UploadedPart,
    UploadUnknown,
)
from tests.contract.test_bucket import BODY, HANGS_S, SHORT_S, server, write
from tests.support.buckets import MIME, Place

pytestmark = pytest.mark.anyio

FIRST, SECOND, LAST = (random.Random(seed).randbytes(size) for seed, size in enumerate((5 * 2**20, 6 * 2**20 + 7, 11)))
UNKNOWN = "0" * 32


def md5(body: Body) -> str:
    return hashlib.md5(body).hexdigest()


async def begin(bucket: Bucket, key: str) -> str:
    return await bucket.begin_upload(key, content_type=MIME)


async def streamed(bucket: Bucket, key: str) -> bytes | None:
    async with bucket.stream(key) as pieces:
        return None if pieces is None else b"".join([piece async for piece in pieces])


async def stored(bucket: Bucket, key: str, body: bytes) -> str:
    """Writes an object, and answers its ETag as a ledger has it."""
    await write(bucket, key, body)
    head = await bucket.head(key)
    assert head is not None
    return head.etag


async def test_parts_become_one_object(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    # In any order, and from memory of any kind.
    last = await bucket.upload_part(key, upload, 3, bytearray(LAST))
    second = await bucket.upload_part(key, upload, 2, memoryview(SECOND))
    first = await bucket.upload_part(key, upload, 1, FIRST)
    assert await bucket.head(key) is None, "nothing is seen before the end"

    await bucket.complete_upload(key, upload, [last, first, second])

    assert [first, second, last] == [
        UploadedPart(number, len(body), md5(body)) for number, body in enumerate((FIRST, SECOND, LAST), 1)
    ]
    head = await bucket.head(key)
    assert head is not None
    assert head.size == len(FIRST + SECOND + LAST)
    assert await streamed(bucket, key) == FIRST + SECOND + LAST
    assert await bucket.uploaded_parts(key, upload) is None


async def test_objects_are_joined_in_the_bucket(bucket: Bucket, prefix: str) -> None:
    key, bodies = f"{prefix}file", (FIRST, SECOND, LAST)
    etags = [await stored(bucket, f"{prefix}{number}", body) for number, body in enumerate(bodies, 1)]
    upload = await begin(bucket, key)

    parts = [
        await bucket.copy_part(key, upload, number, source=f"{prefix}{number}", etag=etag)
        for number, etag in enumerate(etags, 1)
    ]
    listed = await bucket.uploaded_parts(key, upload)
    await bucket.complete_upload(key, upload, parts)

    assert listed == parts
    assert [part.size for part in parts] == [len(body) for body in bodies]
    assert await streamed(bucket, key) == FIRST + SECOND + LAST


@pytest.mark.parametrize("body", [FIRST, LAST], ids=["long", "short"])
async def test_another_source_is_not_copied(bucket: Bucket, prefix: str, body: bytes) -> None:
    source, key = f"{prefix}source", f"{prefix}file"
    before = await stored(bucket, source, body)
    upload = await begin(bucket, key)
    await write(bucket, source, bytes(len(body)), overwrite=True)

    with pytest.raises(SourceChanged):
        await bucket.copy_part(key, upload, 1, source=source, etag=before)
    with pytest.raises(SourceChanged, match="absent"):
        await bucket.copy_part(key, upload, 1, source=f"{prefix}none", etag=before)

    assert await bucket.uploaded_parts(key, upload) == []


async def test_parts_that_are_there_are_told(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    assert await bucket.uploaded_parts(key, upload) == []

    await bucket.upload_part(key, upload, 7, LAST)
    await bucket.upload_part(key, upload, 2, FIRST)

    assert await bucket.uploaded_parts(key, upload) == [
        UploadedPart(2, len(FIRST), md5(FIRST)),
        UploadedPart(7, len(LAST), md5(LAST)),
    ]
    assert await bucket.uploaded_parts(f"{prefix}other", UNKNOWN) is None


async def test_a_part_may_be_sent_twice(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    once, again = [await bucket.upload_part(key, upload, 1, FIRST) for _ in range(2)]
    last = await bucket.upload_part(key, upload, 2, LAST)

    assert once == again
    assert await bucket.uploaded_parts(key, upload) == [once, last]
    await bucket.complete_upload(key, upload, [again, last])
    assert await streamed(bucket, key) == FIRST + LAST


async def test_a_part_may_take_the_place_of_another(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    await bucket.upload_part(key, upload, 1, SECOND)
    part = await bucket.upload_part(key, upload, 1, FIRST)

    await bucket.complete_upload(key, upload, [part])

    assert await streamed(bucket, key) == FIRST


async def test_more_parts_than_a_page_has_are_all_told(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    waiting = iter(range(1, 1_102))

    async def send() -> None:
        for number in waiting:
            await bucket.upload_part(key, upload, number, b"%d" % number)

    await asyncio.gather(*(send() for _ in range(16)))

    parts = await bucket.uploaded_parts(key, upload)
    assert parts is not None
    assert [(part.number, part.etag) for part in parts] == [(n, md5(b"%d" % n)) for n in range(1, 1_102)]
    await bucket.abort_upload(key, upload)


async def test_what_was_completed_stays_when_it_is_completed_again(bucket: Bucket, prefix: str) -> None:
    """The answer was lost: the store says so, or that it does not know the upload."""
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    part = await bucket.upload_part(key, upload, 1, BODY)
    await bucket.complete_upload(key, upload, [part])

    with suppress(UploadUnknown):
        await bucket.complete_upload(key, upload, [part])

    assert await streamed(bucket, key) == BODY


async def test_what_was_aborted_is_unknown(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    part = await bucket.upload_part(key, upload, 1, BODY)
    etag = await stored(bucket, f"{prefix}source", BODY)

    for _ in range(2):
        await bucket.abort_upload(key, upload)
    await bucket.abort_upload(key, UNKNOWN)

    assert await bucket.uploaded_parts(key, upload) is None
    with pytest.raises(UploadUnknown):
        await bucket.complete_upload(key, upload, [part])
    with pytest.raises(UploadUnknown):
        await bucket.upload_part(key, upload, 1, BODY)
    with pytest.raises(UploadUnknown):
        await bucket.copy_part(key, upload, 1, source=f"{prefix}source", etag=etag)
    assert await bucket.head(key) is None


async def test_parts_that_are_not_there_are_not_joined(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    first = await bucket.upload_part(key, upload, 1, FIRST)

    for wrong in (UploadedPart(2, 11, md5(LAST)), UploadedPart(1, len(FIRST), UNKNOWN)):
        with pytest.raises(PartsRefused):
            await bucket.complete_upload(key, upload, [first, wrong] if wrong.number == 2 else [wrong])

    assert await bucket.head(key) is None
    await bucket.abort_upload(key, upload)


async def test_a_part_that_is_too_small_is_not_joined(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)
    bodies = (bytes(SMALLEST_PART_BYTES - 1), LAST)
    parts = [await bucket.upload_part(key, upload, number, body) for number, body in enumerate(bodies, 1)]

    with pytest.raises(PartsRefused):
        await bucket.complete_upload(key, upload, parts)

    await bucket.abort_upload(key, upload)


async def test_an_upload_of_nothing_is_refused(bucket: Bucket, prefix: str) -> None:
    key = f"{prefix}file"
    upload = await begin(bucket, key)

    with pytest.raises(ValueError, match="at least one part"):
        await bucket.complete_upload(key, upload, [])
    with pytest.raises(ValueError, match="from 1 to 10000"):
        await bucket.upload_part(key, upload, 0, BODY)

    empty = await bucket.upload_part(key, upload, 1, b"")
    await bucket.complete_upload(key, upload, [empty])
    assert await streamed(bucket, key) == b""


async def test_an_object_is_streamed(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a", SECOND)
    await write(bucket, f"{prefix}empty", b"")

    assert await streamed(bucket, f"{prefix}a") == SECOND
    assert await streamed(bucket, f"{prefix}empty") == b""
    assert await streamed(bucket, f"{prefix}none") is None


async def test_a_stream_may_be_left_early(bucket: Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a", SECOND)

    async with bucket.stream(f"{prefix}a") as pieces:
        assert pieces is not None
        async for piece in pieces:
            assert SECOND.startswith(piece)
            break

    assert await streamed(bucket, f"{prefix}a") == SECOND


# What follows is of stores in trouble.

PART = UploadedPart(1, 5, md5(b"hello"))
Call = Callable[[S3Bucket], Awaitable[object]]
CALLS: dict[str, Call] = {
    "stream": lambda bucket: streamed(bucket, "v1/a"),
    "begin": lambda bucket: begin(bucket, "downloads/a"),
    "upload": lambda bucket: bucket.upload_part("downloads/a", "u", 1, b"hello"),
    "copy": lambda bucket: bucket.copy_part("downloads/a", "u", 1, source="v1/a", etag="e"),
    "parts": lambda bucket: bucket.uploaded_parts("downloads/a", "u"),
    "complete": lambda bucket: bucket.complete_upload("downloads/a", "u", [PART]),
    "abort": lambda bucket: bucket.abort_upload("downloads/a", "u"),
}
EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def error(code: str, status: str = "404 Not Found") -> bytes:
    return answer(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status)


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def script(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Gives these answers, one to each request, and keeps the requests with their bodies. Nothing more is expected."""
    asked, waiting = list[bytes](), iter(answers)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
            )
            asked.append(head + await reader.readexactly(length))
            writer.write(next(waiting, b""))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked


@asynccontextmanager
async def scripted(place: Place, *answers: bytes) -> AsyncIterator[S3Bucket]:
    async with script(*answers) as (endpoint, _), place.client(endpoint=endpoint, call_s=SHORT_S) as bucket:
        yield bucket


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


TROUBLE = [
    error("SlowDown", "503 Slow Down"),
    error("InternalError", "500 Internal Server Error"),
    error("AccessDenied", "403 Forbidden"),
    error("NoSuchBucket"),
    answer(b"<html>not here</html>", "404 Not Found"),
    answer(b"", "307 Temporary Redirect", Location="http://127.0.0.1:1/"),
    b"what is this\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("said", TROUBLE, ids=lambda said: said[9:12].decode() + str(TROUBLE.index(said)))
@EVERY_CALL
async def test_any_other_answer_is_unreachable(place: Place, call: Call, said: bytes) -> None:
    # Of a copy the HEAD was right: its 404 says that nothing is there.
    before = [looked("e")] if call is CALLS["copy"] else []
    async with scripted(place, *before, said) as bucket, asyncio.timeout(HANGS_S):
        with pytest.raises(BucketUnreachable) as caught:
            await call(bucket)
    assert "X-Amz" not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        error("InternalError", "200 OK"),
        answer(b"  \n" + b"<Error><Code>SlowDown</Code></Error>"),
        answer(b""),
        answer(b"OK"),
        answer(b"<!DOCTYPE x><CompleteMultipartUploadResult/>"),
        answer(b"<ListPartsResult/>"),
        answer(b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")[:-9],
        answer(b"", "204 No Content"),
    ],
)
@pytest.mark.parametrize("name", ["begin", "copy", "parts", "complete"])
async def test_an_error_inside_a_200_is_an_error(place: Place, name: str, said: bytes) -> None:
    before = [looked("e")] if name == "copy" else []
    async with scripted(place, *before, said) as bucket:
        with pytest.raises(BucketUnreachable):
            await CALLS[name](bucket)


async def test_white_space_may_come_before_the_answer(place: Place) -> None:
    """S3 sends it while it joins, so that the connection stays open."""
    body = b'\n  <?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>'
    async with scripted(place, answer(body)) as bucket:
        await bucket.complete_upload("downloads/a", "u", [PART])


@pytest.mark.parametrize("status", ["404 Not Found", "200 OK"])
async def test_a_completion_whose_answer_was_lost_is_told_apart(place: Place, status: str) -> None:
    async with scripted(place, b"", error("NoSuchUpload", status)) as bucket:
        with pytest.raises(BucketUnreachable):
            await bucket.complete_upload("downloads/a", "u", [PART])
        with pytest.raises(UploadUnknown):
            await bucket.complete_upload("downloads/a", "u", [PART])


@pytest.mark.parametrize("code", ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"])
async def test_refused_parts_are_told_apart(place: Place, code: str) -> None:
    async with scripted(place, error(code, "400 Bad Request")) as bucket:
        with pytest.raises(PartsRefused, match=code):
            await bucket.complete_upload("downloads/a", "u", [PART])


async def test_what_is_sent_is_what_s3_documents(place: Place) -> None:
    done = answer(b"<CompleteMultipartUploadResult/>")
    async with (
        script(done, looked("5d41402abc4b2a76b9719d911017c592")) as (endpoint, asked),
        place.client(endpoint=endpoint) as bucket,
    ):
        await bucket.complete_upload("downloads/a", "u/1+", [UploadedPart(2, 5, 'b"<'), PART])
        await bucket.upload_part("downloads/a", "u/1+", 1, b"hello")

    completed, uploaded = asked
    assert b"uploadId=u%2F1%2B" in completed.split(b"\r\n")[0]
    assert completed.endswith(
        b'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Part><PartNumber>1</PartNumber><ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag></Part>"
        b'<Part><PartNumber>2</PartNumber><ETag>&quot;b"&lt;&quot;</ETag></Part></CompleteMultipartUpload>'
    )
    assert b"content-md5: XUFAKrxLKna5cZ2REBfFkg==" in uploaded
    assert uploaded.endswith(b"\r\n\r\nhello")


def copied(etag: str, **headers: str) -> bytes:
    return answer(f'<CopyPartResult><ETag>"{etag}"</ETag></CopyPartResult>'.encode(), **headers)


def looked(etag: str) -> bytes:
    return answer(b"", ETag=f'"{etag}"')


OLD, NEW = md5(b"old"), md5(b"new")


@pytest.mark.parametrize(
    "answers",
    [
        [error("PreconditionFailed", "412 Precondition Failed")],
        [error("NoSuchKey")],
        [copied(NEW)],  # the store passed over the condition
        [copied(f"{OLD}-2"), looked(NEW)],
        [copied(f"{OLD}-2"), answer(b"", "404 Not Found")],
        [copied(NEW, x_amz_server_side_encryption="aws:kms"), looked(NEW)],
    ],
)
async def test_a_source_that_changes_meanwhile_is_noticed(place: Place, answers: Sequence[bytes]) -> None:
    async with scripted(place, looked(OLD), *answers) as bucket:
        with pytest.raises(SourceChanged):
            await bucket.copy_part("downloads/a", "u", 1, source="v1/a", etag=OLD)


@pytest.mark.parametrize(
    "answers",
    [
        [copied(OLD)],
        [copied(f"{NEW}-2"), looked(OLD)],
        [copied(NEW, x_amz_server_side_encryption="aws:kms"), looked(OLD)],  # no MD5, though it looks like one
    ],
)
async def test_an_etag_that_proves_nothing_is_no_change(place: Place, answers: Sequence[bytes]) -> None:
    async with scripted(place, looked(OLD), *answers) as bucket:
        part = await bucket.copy_part("downloads/a", "u", 1, source="v1/a", etag=OLD)
    assert part.number == 1


async def test_a_part_that_the_store_has_otherwise_is_not_taken(place: Place) -> None:
    for said in (looked(NEW), answer(b"")):
        async with scripted(place, said) as bucket:
            with pytest.raises(BucketUnreachable, match="not that of the bytes"):
                await bucket.upload_part("downloads/a", "u", 1, b"old")


def listing(*parts: tuple[int, str, int], more: str = "<IsTruncated>false</IsTruncated>") -> bytes:
    told = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag><Size>3</Size>'
        f"<LastModified>2026-11-22T08:00:{second:02}.000Z</LastModified></Part>"
        for number, etag, second in parts
    )
    return answer(f"<ListPartsResult>{more}{told}</ListPartsResult>".encode())


async def test_of_a_part_that_is_listed_twice_the_newest_counts(place: Place) -> None:
    both = [(1, OLD, 1), (1, NEW, 2), (2, OLD, 1)]
    for order in (both, both[::-1]):
        async with scripted(place, listing(*order)) as bucket:
            parts = await bucket.uploaded_parts("downloads/a", "u")
        assert parts == [UploadedPart(1, 3, NEW), UploadedPart(2, 3, OLD)]


@pytest.mark.parametrize(
    "more",
    [
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>true</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker>",
        "<IsTruncated>true</IsTruncated><NextPartNumberMarker>many</NextPartNumberMarker>",
        "",
        "<IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber></Part>",
    ],
)
async def test_a_list_of_parts_that_leads_nowhere_is_none(place: Place, more: str) -> None:
    async with scripted(place, listing(more=more)) as bucket:
        with pytest.raises(BucketUnreachable):
            await bucket.uploaded_parts("downloads/a", "u")


async def test_an_upload_that_ends_between_two_pages_is_unknown(place: Place) -> None:
    first = listing((1, OLD, 1), more="<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>")
    async with scripted(place, first, error("NoSuchUpload")) as bucket:
        assert await bucket.uploaded_parts("downloads/a", "u") is None


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwithout a length",
    ],
)
async def test_a_stream_that_ends_early_is_no_object(place: Place, said: bytes) -> None:
    async with server(said) as endpoint:
        await assert_unreachable(place, endpoint, CALLS["stream"])


@asynccontextmanager
async def slow_server(*, step: bytes, every_s: float) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Promises 1 MB and sends a step now and then; the event is set when whoever asked has hung up."""
    left = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        end = asyncio.ensure_future(reader.read())
        while not (await asyncio.wait([end], timeout=every_s))[0]:
            writer.write(step)
        left.set()
        writer.close()

    listening = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", left
        async with asyncio.timeout(HANGS_S):
            await left.wait()


async def test_leaving_a_stream_ends_its_connection(place: Place) -> None:
    async with slow_server(step=b"some", every_s=0.05) as (endpoint, left), place.client(endpoint=endpoint) as bucket:
        async with bucket.stream("v1/a") as pieces:
            assert pieces is not None
            assert await anext(pieces)
        async with asyncio.timeout(HANGS_S):
            await left.wait()  # while the client is still open


async def test_a_stream_that_trickles_ends_in_time(place: Place) -> None:
    """Each read is in time, and all of them together would take a day."""
    async with (
        slow_server(step=b".", every_s=0.1) as (endpoint, _),
        asyncio.timeout(60),
        place.client(endpoint=endpoint, call_s=0.5) as bucket,
    ):
        with pytest.raises(BucketUnreachable, match="TimeoutError after"):
            await streamed(bucket, "v1/a")


async def test_a_reader_may_take_its_time(bucket: S3Bucket, place: Place, prefix: str) -> None:
    """What is waited for is the store: not who reads."""
    await write(bucket, f"{prefix}a", SECOND)
    async with place.client(call_s=1.0) as hasty, hasty.stream(f"{prefix}a") as pieces:
        assert pieces is not None
        read = await anext(pieces)
        await asyncio.sleep(2.0)  # the reader's own work, longer than the store may take for a read
        async for piece in pieces:
            read += piece
    assert read == SECOND


async def test_what_the_reader_raises_stays_what_it_is(bucket: S3Bucket, prefix: str) -> None:
    await write(bucket, f"{prefix}a", BODY)
    with pytest.raises(FileNotFoundError):
        async with bucket.stream(f"{prefix}a"):
            raise FileNotFoundError("the reader's own")
