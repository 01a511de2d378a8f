"""`S3Bucket`: HEAD, GET and PUT over a connection pool, LIST through obstore where it can, versions through boto3.

The hot path is HEAD, one for each ack. It goes out signed in the query (fewer headers than a signature in
`Authorization`) on a URL that is escaped once and not parsed for escapes again.

Every call is bounded in time. What a store may answer is a short list (200, 404, and 412 to a write-once
PUT); anything else, a redirect included, raises `BucketUnreachable`, since nothing may be concluded from it.
No message holds a signed URL: in a log it would be a permission.
"""

import asyncio
import hashlib
import io
import re
from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from control_plane.bucket.listing import PAGE_BYTES, Lister, listing_store
from control_plane.bucket.presign import Address, Addressing, Credentials, Form, Signer
from control_plane.bucket.versions import VersionStore
from control_plane.domain.bucket import (
    BucketUnreachable,
    KeptVersion,
    ListedObject,
    NotRemoved,
    ObjectExists,
    ObjectHead,
    ObjectTooLong,
    ObjectVersion,
    ReadBack,
)

CONNECT_S = 3.0
# HEAD and small PUTs take milliseconds; a store that is slower than this is not there for us.
CALL_S = 10.0
# A whole object is read for fixity, a long manifest written: so much time per byte, beyond the call, as a slow line needs.
SLOWEST_BYTES_PER_S = 1024 * 1024
# Longer than any call may take, and room for clocks that differ.
SIGNATURE_TTL_S = 300
# Enough to keep a store busy from one process, well below what stores allow.
CONNECTIONS = 128
READ_STEP_BYTES = 256 * 1024
SHA256_BYTES = 32

HEAD = Form("HEAD", "host;x-amz-checksum-mode", SIGNATURE_TTL_S)
HEAD_BUCKET = Form("HEAD", "host", SIGNATURE_TTL_S)
GET = Form("GET", "host", SIGNATURE_TTL_S)
PUT_OVER = Form("PUT", "content-length;content-type;host;x-amz-checksum-sha256", SIGNATURE_TTL_S)
PUT_ONCE = Form("PUT", "content-length;content-type;host;if-none-match;x-amz-checksum-sha256", SIGNATURE_TTL_S)
# Without it, HEAD does not tell the SHA-256.
CHECKSUM_MODE = {"x-amz-checksum-mode": "ENABLED"}
# What aiohttp would add by itself; Accept-Encoding could make a proxy answer another length than the
# object's.
UNWANTED_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
MONTHS = {
    name: at
    for at, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
ERROR_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")


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
        self._signer = Signer(address, region=region, credentials=credentials)
        self._host_line = f"host:{address.host}\n"
        self._head_lines = f"{self._host_line}x-amz-checksum-mode:ENABLED\n"
        self._name = bucket
        self._connections = connections
        self._call_s = call_s
        self._patience = aiohttp.ClientTimeout(total=call_s, sock_connect=CONNECT_S)
        self._opened: aiohttp.ClientSession | None = None
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
        self._opened = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=UNWANTED_HEADERS,
            auto_decompress=False,
        )
        return self

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None
            self._versions.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def head(self, key: str) -> ObjectHead | None:
        answer = await self._send(HEAD, key, self._head_lines, headers=CHECKSUM_MODE)
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
        answer = await self._send(GET, key, self._host_line, patience=patience)
        try:
            if answer.status == 200:
                return await _body(answer, key, limit)
            code = await _error_code(answer)
            # A 404 of a proxy, or of a bucket that is gone, says nothing about the object.
            if (answer.status, code) == (404, "NoSuchKey"):
                return None
            raise BucketUnreachable(f"GET {key}: status {answer.status} {code}")
        except (aiohttp.ClientError, OSError) as exc:
            raise _unreachable("GET", key, exc) from _told(exc)
        finally:
            answer.release()  # closes the connection if the body was not read to its end

    async def read_back(self, key: str, *, version_id: str | None = None) -> ReadBack | None:
        if version_id is not None:
            return await self._versions.read_back(key, version_id)
        # No total: how long it is, only the answer tells. A store that sends nothing for a call's time is not there.
        patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._call_s)
        answer = await self._send(GET, key, self._host_line, patience=patience)
        try:
            if answer.status == 200:
                return await _read_back(answer, key, self._call_s)
            code = await _error_code(answer)
            if (answer.status, code) == (404, "NoSuchKey"):
                return None
            raise BucketUnreachable(f"GET {key}: status {answer.status} {code}")
        except (aiohttp.ClientError, OSError) as exc:
            raise _unreachable("GET", key, exc) from _told(exc)
        finally:
            answer.release()

    async def write(self, key: str, body: bytes, *, content_type: str, overwrite: bool) -> None:
        checksum = b64encode(hashlib.sha256(body).digest()).decode()
        headers = {"content-type": content_type, "x-amz-checksum-sha256": checksum}
        lines = f"content-length:{len(body)}\ncontent-type:{content_type}\n{self._host_line}"
        if not overwrite:
            headers["if-none-match"] = "*"
            lines += "if-none-match:*\n"
        lines += f"x-amz-checksum-sha256:{checksum}\n"
        patience = aiohttp.ClientTimeout(total=self._call_s + len(body) / SLOWEST_BYTES_PER_S, sock_connect=CONNECT_S)
        form = PUT_OVER if overwrite else PUT_ONCE
        answer = await self._send(form, key, lines, headers=headers, body=body, patience=patience)
        try:
            if answer.status == 412 and not overwrite:
                raise ObjectExists(key)
            if answer.status != 200:
                raise BucketUnreachable(f"PUT {key}: status {answer.status} {await _error_code(answer)}")
        except (aiohttp.ClientError, OSError) as exc:
            raise _unreachable("PUT", key, exc) from _told(exc)
        finally:
            answer.release()

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
        answer = await self._send(HEAD_BUCKET, "", self._host_line)
        answer.release()
        if answer.status != 200:
            raise BucketUnreachable(f"bucket {self._name}: {_bucket_trouble(answer.status)}")

    async def _listing(self, query: str) -> bytes:
        """The body of one page of a listing. Raises `BucketUnreachable`."""
        answer = await self._send(GET, "", self._host_line, query=query)
        try:
            if answer.status == 200:
                return await _body(answer, "the listing", PAGE_BYTES)
            raise BucketUnreachable(f"LIST {query}: status {answer.status} {await _error_code(answer)}")
        except (aiohttp.ClientError, OSError) as exc:
            raise _unreachable("LIST", query, exc) from _told(exc)
        finally:
            answer.release()

    async def _send(
        self,
        form: Form,
        key: str,
        lines: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        patience: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        if self._opened is None:
            raise RuntimeError("the bucket is not open")
        url, _ = self._signer.sign(form, key, lines, datetime.now(UTC), query=query)
        try:
            return await self._opened.request(
                form.method,
                URL(url, encoded=True),
                headers=headers,
                data=None if body is None else io.BytesIO(body),  # sent in pieces: a manifest may be long
                allow_redirects=False,
                timeout=patience or self._patience,
            )
        except (aiohttp.ClientError, OSError) as exc:
            raise _unreachable(form.method, key, exc) from _told(exc)


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


async def _body(answer: aiohttp.ClientResponse, key: str, limit: int) -> bytes:
    """All of it, or `ObjectTooLong` as soon as it is known to be longer than `limit`."""
    body = bytearray()
    if (answer.content_length or 0) <= limit:
        async for part in answer.content.iter_chunked(READ_STEP_BYTES):
            body += part
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise ObjectTooLong(f"GET {key}: more than {limit} bytes")


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


async def _error_code(answer: aiohttp.ClientResponse) -> str:
    found = ERROR_CODE.search(await answer.content.read(4096))
    return found[1].decode() if found else ""


def _bucket_trouble(status: int) -> str:
    known = {
        403: "our credentials may not list it (403)",
        404: "it does not exist (404)",
        301: "it is in another region (301)",
    }
    return known.get(status, f"status {status}")


def _unreachable(method: str, key: str, exc: Exception) -> BucketUnreachable:
    return BucketUnreachable(f"{method} {key}: {type(exc).__name__}{'' if _told(exc) is None else f': {exc}'}")


def _told(exc: Exception) -> Exception | None:
    """The cause to show: not an error that holds the URL, whose signature is a permission."""
    return None if isinstance(exc, aiohttp.ClientResponseError | aiohttp.InvalidURL) else exc
