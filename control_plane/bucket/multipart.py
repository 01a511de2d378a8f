"""Multipart uploads: files made in the bucket, of parts that are sent or of objects that lie there.

By requests of our own over the pool that HEADs go out on, not by boto3: parts of 8 MiB are sent as they lie in memory, many at a
time, without a thread for each; and what a store may answer is a short list here as everywhere in this package. An error may
come inside a 200, for a copy as for a completion.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

A copy is conditional on the source's ETag. As stores exist that pass over conditions, that alone is not believed: the source
is looked at before, and after unless the part's own ETag proves it. (SeaweedFS 4.48 heeds the condition.)

What it needs beyond reading and writing objects: `s3:AbortMultipartUpload`, `s3:ListMultipartUploadParts`.
"""

import asyncio
import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

import aiohttp

from control_plane.bucket.documents import document, name_of, told_in
from control_plane.bucket.presign import Form
from control_plane.bucket.sending import SIGNATURE_TTL_S, SLOWEST_BYTES_PER_S, Sender, body_of, code_in, error_code
from control_plane.domain.bucket import (
    MOST_PARTS,
    Body,
    BucketUnreachable,
    PartsRefused,
    SourceChanged,
    UploadedPart,
    UploadUnknown,
)

# What S3 lists at once.
PAGE_PARTS = 1000
# Of a page of parts: some 300 bytes each, more where a store tells checksums, and as much again.
PAGE_BYTES = 1024 * 1024
# Joining takes S3 "several minutes" at worst, says its documentation.
LONGEST_JOIN_S = 600.0

BEGIN = Form("POST", "content-type;host", SIGNATURE_TTL_S)
PUT_PART = Form("PUT", "content-length;content-md5;host", SIGNATURE_TTL_S)
COPY_PART = Form("PUT", "host;x-amz-copy-source;x-amz-copy-source-if-match", SIGNATURE_TTL_S)
LOOK = Form("HEAD", "host", SIGNATURE_TTL_S)
LIST = Form("GET", "host", SIGNATURE_TTL_S)
COMPLETE = Form("POST", "content-length;host", SIGNATURE_TTL_S)
ABORT = Form("DELETE", "host", SIGNATURE_TTL_S)

MD5 = re.compile(r"[0-9a-f]{32}")
# The parts named are not those that the store has, or they cannot be joined.
NOT_THESE = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})


@dataclass(frozen=True, slots=True)
class _Source:
    """What a HEAD showed of what is to be copied."""

    size: int
    etag: str
    md5: str | None


class Multipart:
    """Makes objects of one bucket out of parts."""

    def __init__(self, sender: Sender, bucket: str) -> None:
        self._sender = sender
        self._bucket = bucket

    async def begin(self, key: str, content_type: str) -> str:
        """See `Bucket.begin_upload`."""
        mime = " ".join(content_type.split())  # as it is signed
        lines, headers = f"content-type:{mime}\n{self._sender.host_line}", {"content-type": mime}
        async with self._sender.exchange(BEGIN, key, lines, query="uploads=", headers=headers) as answer:
            body = await _document(answer, f"POST uploads {key}")
        upload_id = _told(body, "InitiateMultipartUploadResult", f"POST uploads {key}").get("UploadId", "")
        if not upload_id:
            raise BucketUnreachable(f"POST uploads {key}: an upload without an id")
        return upload_id

    async def put(self, key: str, upload_id: str, number: int, body: Body) -> UploadedPart:
        """See `Bucket.upload_part`."""
        what, size = f"PUT {key} part {number}", memoryview(body).nbytes
        # In a thread: 8 MiB take 13 ms, in which the loop would stand.
        digest = await asyncio.to_thread(lambda: hashlib.md5(body, usedforsecurity=False))
        checksum = b64encode(digest.digest()).decode()
        async with self._sender.exchange(
            PUT_PART,
            key,
            f"content-length:{size}\ncontent-md5:{checksum}\n{self._sender.host_line}",
            query=_part(upload_id, number),
            headers={"content-md5": checksum},
            body=body,
            patience=self._sender.patience(size),
        ) as answer:
            if answer.status != 200:
                raise _refusal(what, answer.status, await error_code(answer))
            etag = answer.headers.get("ETag", "").strip('"')
        if not etag or _md5(etag, answer.headers) not in {None, digest.hexdigest()}:
            raise BucketUnreachable(f"{what}: ETag {etag!r}, which is not that of the bytes")
        return UploadedPart(number, size, etag)

    async def copy(self, key: str, upload_id: str, number: int, *, source: str, etag: str) -> UploadedPart:
        """See `Bucket.copy_part`."""
        before = await self._look(source)
        if before is None or before.etag != etag:
            raise SourceChanged(f"{source}: {'absent' if before is None else f'ETag {before.etag}, not {etag}'}")
        part, md5 = await self._copy(key, upload_id, number, source, before)
        if md5 is not None and before.md5 is not None:
            if md5 != before.md5:
                raise SourceChanged(f"{source}: the part that was copied has the ETag {md5}, not {etag}")
        elif await self._look(source) != before:
            raise SourceChanged(f"{source}: it changed while it was copied")
        return part

    async def _copy(
        self, key: str, upload_id: str, number: int, source: str, looked: _Source
    ) -> tuple[UploadedPart, str | None]:
        what = f"COPY {source} to {key} part {number}"
        query, headers = copy_of_part(self._bucket, upload_id, number, source=source, etag=looked.etag)
        async with self._sender.exchange(
            COPY_PART,
            key,
            self._sender.host_line + "".join(f"{name}:{value}\n" for name, value in headers.items()),
            query=query,
            headers=headers,
            patience=self._sender.patience(looked.size),
        ) as answer:
            if answer.status in {404, 412}:
                code = await error_code(answer)
                if (answer.status, code) in {(412, "PreconditionFailed"), (404, "NoSuchKey")}:
                    raise SourceChanged(f"{source}: {answer.status} {code}")
                raise _refusal(what, answer.status, code)
            body = await _document(answer, what)
        etag = _told(body, "CopyPartResult", what).get("ETag", "").strip('"')
        if not etag:
            raise BucketUnreachable(f"{what}: a part without an ETag")
        return UploadedPart(number, looked.size, etag), _md5(etag, answer.headers)

    async def parts(self, key: str, upload_id: str) -> Sequence[UploadedPart] | None:
        """See `Bucket.uploaded_parts`."""
        newest: dict[int, tuple[datetime, UploadedPart]] = {}
        after: int | None = 0
        while after is not None:
            page = await self._page(key, upload_id, after)
            if page is None:
                return None
            found, after = page
            for at, part in found:
                # SeaweedFS lists a part that was sent twice twice, in any order.
                if part.number not in newest or newest[part.number][0] <= at:
                    newest[part.number] = at, part
        return [newest[number][1] for number in sorted(newest)]

    async def _page(
        self, key: str, upload_id: str, after: int
    ) -> tuple[Sequence[tuple[datetime, UploadedPart]], int | None] | None:
        what = f"LIST parts {key}"
        query = f"max-parts={PAGE_PARTS}&part-number-marker={after}&uploadId={quote(upload_id, safe='-_.~')}"
        async with self._sender.exchange(LIST, key, self._sender.host_line, query=query) as answer:
            if answer.status == 404 and (code := await error_code(answer)):
                if code == "NoSuchUpload":
                    return None
                raise _refusal(what, 404, code)
            body = await _document(answer, what)
        try:
            return _page_of(body, after)
        except ValueError as exc:
            raise BucketUnreachable(f"{what}: an answer that is no list of parts: {exc}") from exc

    async def complete(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """See `Bucket.complete_upload`. `ValueError` for no parts, or two of one number."""
        what = f"POST parts {key}"
        body = _completion(parts)
        join_s = min(sum(part.size for part in parts) / SLOWEST_BYTES_PER_S, LONGEST_JOIN_S)
        async with self._sender.exchange(
            COMPLETE,
            key,
            f"content-length:{len(body)}\n{self._sender.host_line}",
            query=f"uploadId={quote(upload_id, safe='-_.~')}",
            body=body,
            patience=self._sender.patience(join_s * SLOWEST_BYTES_PER_S),
        ) as answer:
            said = await _document(answer, what)
        _told(said, "CompleteMultipartUploadResult", what)

    async def abort(self, key: str, upload_id: str) -> None:
        """See `Bucket.abort_upload`."""
        what, query = f"DELETE parts {key}", f"uploadId={quote(upload_id, safe='-_.~')}"
        async with self._sender.exchange(ABORT, key, self._sender.host_line, query=query) as answer:
            if answer.status not in {200, 204}:
                code = await error_code(answer)
                if (answer.status, code) != (404, "NoSuchUpload"):
                    raise _refusal(what, answer.status, code)

    async def _look(self, source: str) -> _Source | None:
        answer = await self._sender.send(LOOK, source, self._sender.host_line)
        answer.release()
        if answer.status == 404:
            return None
        etag = answer.headers.get("ETag", "").strip('"')
        if answer.status != 200 or not etag or answer.content_length is None:
            raise BucketUnreachable(f"HEAD {source}: status {answer.status}, ETag {etag!r}")
        return _Source(answer.content_length, etag, _md5(etag, answer.headers))


def copy_of_part(bucket: str, upload_id: str, number: int, *, source: str, etag: str) -> tuple[str, dict[str, str]]:
    """Query and headers of a `COPY_PART` of all of `source`, if its ETag is `etag`."""
    return _part(upload_id, number), {
        "x-amz-copy-source": quote(f"/{bucket}/{source}", safe="/~"),
        "x-amz-copy-source-if-match": f'"{etag}"',
    }


def _part(upload_id: str, number: int) -> str:
    if not 1 <= number <= MOST_PARTS:
        raise ValueError(f"parts have numbers from 1 to {MOST_PARTS}, not {number}")
    return f"partNumber={number}&uploadId={quote(upload_id, safe='-_.~')}"


def _md5(etag: str, headers: Mapping[str, str]) -> str | None:
    """The MD5 that the ETag is, if it can be: of what is encrypted with keys of KMS, or of the client, it only looks like one."""
    secret = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    secret = secret or "x-amz-server-side-encryption-customer-algorithm" in headers
    return etag if MD5.fullmatch(etag) and not secret else None


async def _document(answer: aiohttp.ClientResponse, what: str) -> bytes:
    """The body of a 200, whatever it says. Raises what `_refusal` makes of anything else."""
    if answer.status != 200:
        raise _refusal(what, answer.status, await error_code(answer))
    return await body_of(answer, what, PAGE_BYTES)


def _told(body: bytes, name: str, what: str) -> dict[str, str]:
    try:
        return told_in(document(body, name))
    except ValueError as exc:
        if code := code_in(body):  # an error that came up after the 200 was sent
            raise _refusal(what, 200, code) from exc
        raise BucketUnreachable(f"{what}: an answer that is none: {exc}") from exc


def _refusal(what: str, status: int, code: str) -> Exception:
    said = f"{what}: status {status} {code}"
    if code == "NoSuchUpload" and status in {200, 404}:
        return UploadUnknown(said)
    return PartsRefused(said) if code in NOT_THESE else BucketUnreachable(said)


def _page_of(body: bytes, after: int) -> tuple[Sequence[tuple[datetime, UploadedPart]], int | None]:
    """The parts on the page, and after which number the next one begins (None: this was the last)."""
    root = document(body, "ListPartsResult")
    told = told_in(root)
    found = [_listed(told_in(child)) for child in root if name_of(child) == "Part"]
    if told.get("IsTruncated") == "false":
        return found, None
    following = int(told.get("NextPartNumberMarker", "0"))
    if told.get("IsTruncated") != "true" or following <= after:
        raise ValueError("not the last page, and no way to the next one")
    return found, following


def _listed(told: Mapping[str, str]) -> tuple[datetime, UploadedPart]:
    try:
        part = UploadedPart(int(told["PartNumber"]), int(told["Size"]), told["ETag"].strip('"'))
        return datetime.fromisoformat(told["LastModified"]), part
    except KeyError as exc:
        raise ValueError(f"a part without its {exc}") from exc


def _completion(parts: Sequence[UploadedPart]) -> bytes:
    numbers = sorted(part.number for part in parts)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"an upload is completed with at least one part, and one of each number, not {numbers}")
    named = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag></Part>"
        for part in sorted(parts, key=lambda part: part.number)
    )
    return (
        f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{named}</CompleteMultipartUpload>'
    ).encode()
