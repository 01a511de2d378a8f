"""`S3Bucket`: HEAD, GET, PUT and multipart over a connection pool, LIST through obstore where it can, versions through boto3.

The hot path is HEAD, one for each ack. It goes out signed in the query (fewer headers than a signature in
`Authorization`) on a URL that is escaped once and not parsed for escapes again.

Every call is bounded in time. What a store may answer is a short list (200, 404, and 412 to a write-once
PUT); anything else, a redirect included, raises `BucketUnreachable`, since nothing may be concluded from it.
No message holds a signed URL: in a log it would be a permission.
"""

import asyncio
import hashlib
from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aiohttp

from control_plane.bucket.listing import PAGE_BYTES, Lister, listing_store
from control_plane.bucket.multipart import Multipart
from control_plane.bucket.presign import Address, Addressing, Credentials, Form, Signer
from control_plane.bucket.sending import (
    CONNECT_S,
    READ_STEP_BYTES,
    SIGNATURE_TTL_S,
    SLOWEST_BYTES_PER_S,
    Sender,
    body_of,
    error_code,
    is_there,
)
from control_plane.bucket.streaming import GET, streamed
from control_plane.bucket.versions import VersionStore
from control_plane.domain.bucket import (
    Body,
    BucketUnreachable,
    KeptVersion,
    ListedObject,
    NotRemoved,
    ObjectExists,
    ObjectHead,
    ObjectVersion,
    ReadBack,
    UploadedPart,
)

# HEAD and small PUTs take milliseconds; a store that is slower than this is not there for us.
CALL_S = 10.0
# Enough to keep a store busy from one process, well below what stores allow.
CONNECTIONS = 128
SHA256_BYTES = 32

HEAD = Form("HEAD", "host;x-amz-checksum-mode", SIGNATURE_TTL_S)
HEAD_BUCKET = Form("HEAD", "host", SIGNATURE_TTL_S)
PUT_OVER = Form("PUT", "content-length;content-type;host;x-amz-checksum-sha256", SIGNATURE_TTL_S)
PUT_ONCE = Form("PUT", "content-length;content-type;host;if-none-match;x-amz-checksum-sha256", SIGNATURE_TTL_S)
# Without it, HEAD does not tell the SHA-256.
CHECKSUM_MODE = {"x-amz-checksum-mode": "ENABLED"}
MONTHS = {
    name: at
    for at, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}


class S3Bucket:
    """The `Bucket` of production. Open it (`async with`, or `open` and `close`) in the loop that uses it."""

    def __init__(
        self,
        *,
        endpoint: str,
        bucket: str,
        region: str,
        credentials: Credentials,
        addressing: Addressing = Addressing.PATH,
        connections: int = CONNECTIONS,
        call_s: float = CALL_S,
    ) -> None:
        address = Address.of(endpoint, bucket, addressing)
        signer = Signer(address, region=region, credentials=credentials)
        self._sender = Sender(signer, connections=connections, call_s=call_s)
        self._host_line = self._sender.host_line
        self._head_lines = f"{self._host_line}x-amz-checksum-mode:ENABLED\n"
        self._name = bucket
        self._call_s = call_s
        self._multipart = Multipart(self._sender, bucket)
        store = listing_store(bucket, region, credentials, address, connect_s=min(CONNECT_S, call_s), call_s=call_s)
        self._lister = Lister(store, self._listing, page_s=2 * call_s)  # with the one retry that obstore makes
        self._versions = VersionStore(
            endpoint=endpoint,
            bucket=bucket,
            region=region,
            credentials=credentials,
            addressing=addressing,
            call_s=call_s,
        )

    async def open(self) -> Self:
        await self._sender.open()
        return self

    async def close(self) -> None:
        await self._sender.close()
        self._versions.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def head(self, key: str) -> ObjectHead | None:
        answer = await self._sender.send(HEAD, key, self._head_lines, headers=CHECKSUM_MODE)
        answer.release()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise BucketUnreachable(f"HEAD {key}: status {answer.status}")
        return _object_head(key, answer.headers)

    def list_pages(self, prefix: str, *, start_after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        return self._lister.pages(prefix, start_after)

    async def read(self, key: str, *, limit: int) -> bytes | None:
        patience = aiohttp.ClientTimeout(
            total=self._call_s + limit / SLOWEST_BYTES_PER_S, sock_connect=CONNECT_S, sock_read=self._call_s
        )
        async with self._sender.exchange(GET, key, self._host_line, patience=patience) as answer:
            return await body_of(answer, key, limit) if await is_there(answer, key) else None

    async def read_back(self, key: str, *, version_id: str | None = None) -> ReadBack | None:
        if version_id is not None:
            return await self._versions.read_back(key, version_id)
        # No total: how long it is, only the answer tells. A store that sends nothing for a call's time is not there.
        patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._call_s)
        async with self._sender.exchange(GET, key, self._host_line, patience=patience) as answer:
            return await _read_back(answer, key, self._call_s) if await is_there(answer, key) else None

    def stream(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes] | None]:
        return streamed(self._sender, key, call_s=self._call_s)

    async def write(self, key: str, body: bytes, *, content_type: str, overwrite: bool) -> None:
        checksum = b64encode(hashlib.sha256(body).digest()).decode()
        headers = {"content-type": content_type, "x-amz-checksum-sha256": checksum}
        lines = f"content-length:{len(body)}\ncontent-type:{content_type}\n{self._host_line}"
        if not overwrite:
            headers["if-none-match"] = "*"
            lines += "if-none-match:*\n"
        lines += f"x-amz-checksum-sha256:{checksum}\n"
        form, patience = PUT_OVER if overwrite else PUT_ONCE, self._sender.patience(len(body))
        async with self._sender.exchange(form, key, lines, headers=headers, body=body, patience=patience) as answer:
            if answer.status == 412 and not overwrite:
                raise ObjectExists(key)
            if answer.status != 200:
                raise BucketUnreachable(f"PUT {key}: status {answer.status} {await error_code(answer)}")

    async def begin_upload(self, key: str, *, content_type: str) -> str:
        return await self._multipart.begin(key, content_type)

    async def upload_part(self, key: str, upload_id: str, number: int, body: Body) -> UploadedPart:
        return await self._multipart.put(key, upload_id, number, body)

    async def copy_part(self, key: str, upload_id: str, number: int, *, source: str, etag: str) -> UploadedPart:
        return await self._multipart.copy(key, upload_id, number, source=source, etag=etag)

    async def uploaded_parts(self, key: str, upload_id: str) -> Sequence[UploadedPart] | None:
        return await self._multipart.parts(key, upload_id)

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        await self._multipart.complete(key, upload_id, parts)

    async def abort_upload(self, key: str, upload_id: str) -> None:
        await self._multipart.abort(key, upload_id)

    def version_pages(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        return self._versions.pages(prefix)

    async def remove(self, versions: Sequence[ObjectVersion]) -> Sequence[NotRemoved]:
        return await self._versions.remove(versions)

    async def history(self, key: str) -> Sequence[KeptVersion]:
        return await self._versions.history(key)

    async def restore(self, key: str, version_id: str) -> None:
        await self._versions.restore(key, version_id)

    async def keeps_versions(self) -> bool | None:
        return await self._versions.keeps()

    async def probe(self) -> None:
        # HeadBucket: needs the permission to list, and tells an absent bucket from an absent object.
        answer = await self._sender.send(HEAD_BUCKET, "", self._host_line)
        answer.release()
        if answer.status != 200:
            raise BucketUnreachable(f"bucket {self._name}: {_bucket_trouble(answer.status)}")

    async def _listing(self, query: str) -> bytes:
        """The body of one page of a listing. Raises `BucketUnreachable`."""
        async with self._sender.exchange(GET, "", self._host_line, query=query) as answer:
            if answer.status == 200:
                return await body_of(answer, "the listing", PAGE_BYTES)
            raise BucketUnreachable(f"LIST {query}: status {answer.status} {await error_code(answer)}")


def _object_head(key: str, headers: Mapping[str, str]) -> ObjectHead:
    try:
        return ObjectHead(
            size=int(headers["Content-Length"]),
            etag=headers["ETag"].strip('"'),
            sha256=_sha256(headers.get("x-amz-checksum-sha256")),
            last_modified=_http_date(headers["Last-Modified"]),
        )
    except (KeyError, ValueError) as exc:
        raise BucketUnreachable(f"HEAD {key}: headers that S3 does not send: {exc}") from exc


def _sha256(header: str | None) -> str | None:
    """Base64 to hex. None where not told, and for `…-2`: the checksum of a multipart object's parts, not of its bytes.

    `ValueError` for anything else: a store whose proof cannot be read has proven nothing, not "nothing told".
    """
    if header is None or "-" in header:
        return None
    try:
        digest = a2b_base64(header, strict_mode=True)
    except NotBase64 as exc:
        raise ValueError(f"x-amz-checksum-sha256 {header!r}") from exc
    if len(digest) != SHA256_BYTES:
        raise ValueError(f"x-amz-checksum-sha256 {header!r}")
    return digest.hex()


def _http_date(text: str) -> datetime:
    """`Sat, 21 Nov 2026 09:17:53 GMT` (RFC 9110, 5.6.7), a tenth of the time that email.utils takes."""
    try:
        return datetime(
            int(text[12:16]), MONTHS[text[8:11]], int(text[5:7]),
            int(text[17:19]), int(text[20:22]), int(text[23:25]), tzinfo=UTC,
        )  # fmt: skip
    except KeyError as exc:
        raise ValueError(f"Last-Modified {text!r}") from exc


async def _read_back(answer: aiohttp.ClientResponse, key: str, call_s: float) -> ReadBack:
    """All of it, hashed as it passes; `BucketUnreachable` where it is slower than the slowest line we wait for."""
    size, digest = 0, hashlib.sha256()
    try:
        async with asyncio.timeout(call_s + (answer.content_length or 0) / SLOWEST_BYTES_PER_S):
            async for part in answer.content.iter_chunked(READ_STEP_BYTES):
                size += len(part)
                digest.update(part)
    except TimeoutError as exc:
        raise BucketUnreachable(f"GET {key}: too slow, {size} bytes came") from exc
    return ReadBack(size, digest.hexdigest())


def _bucket_trouble(status: int) -> str:
    known = {
        403: "our credentials may not list it (403)",
        404: "it does not exist (404)",
        301: "it is in another region (301)",
    }
    return known.get(status, f"status {status}")
