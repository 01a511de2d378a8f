"""The requests that doctor makes, signed by what production signs with."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from control_plane.bucket.multipart import COPY_PART, copy_of_part
from control_plane.bucket.presign import Address, Credentials, Form, Signer, SigV4Presigner
from control_plane.bucket.s3 import CHECKSUM_MODE, HEAD
from control_plane.bucket.sending import SIGNATURE_TTL_S
from control_plane.bucket.streaming import GET
from control_plane.doctor.asking import Request

CONTENT_TYPE = "video/webm"
DELETE = Form("DELETE", "host", SIGNATURE_TTL_S)


class Signing:
    """Requests to the bucket at one address. `clock` is this machine's: production signs by it too."""

    def __init__(
        self,
        address: Address,
        *,
        bucket: str,
        region: str,
        credentials: Credentials,
        grant_ttl: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self.address = address
        self._bucket = bucket
        self.grant_ttl = grant_ttl
        self.clock = clock
        self._host_line = f"host:{address.host}\n"
        self._signer = Signer(address, region=region, credentials=credentials)
        self._presigner = SigV4Presigner(self._signer, put_ttl=grant_ttl, get_ttl=timedelta(seconds=SIGNATURE_TTL_S))

    def put(
        self,
        key: str,
        body: bytes,
        *,
        granted: bytes | None = None,
        overwrite: bool = False,
        at: datetime | None = None,
    ) -> Request:
        """A granted PUT, as the control plane would answer it for `granted` (usually `body`), signed at `at` (now)."""
        promised = body if granted is None else granted
        signed = self._presigner.put(
            key,
            size=len(promised),
            sha256=hashlib.sha256(promised).hexdigest(),
            content_type=CONTENT_TYPE,
            overwrite=overwrite,
            now=at or self.clock(),
        )
        return Request("PUT", signed.url, signed.headers, body)

    def get(self, key: str, headers: Mapping[str, str] | None = None) -> Request:
        """A GET as a player makes it; `key` may be empty: lists the bucket."""
        url, _ = self._signer.sign(GET, key, self._host_line, self.clock())
        return Request("GET", url, headers or {})

    def named_get(self, key: str, file_name: str, content_type: str) -> Request:
        """A GET as a browser makes it that saves a download."""
        signed = self._presigner.get(key, now=self.clock(), file_name=file_name, content_type=content_type)
        return Request("GET", signed.url, signed.headers)

    def copy_part(self, key: str, upload_id: str, number: int, *, source: str, etag: str) -> Request:
        """A copy of a whole object into a multipart upload, if its ETag is `etag`."""
        query, headers = copy_of_part(self._bucket, upload_id, number, source=source, etag=etag)
        lines = self._host_line + "".join(f"{name}:{value}\n" for name, value in headers.items())
        url, _ = self._signer.sign(COPY_PART, key, lines, self.clock(), query=query)
        return Request("PUT", url, headers)

    def head(self, key: str) -> Request:
        """A HEAD in checksum mode, as every ack makes it."""
        url, _ = self._signer.sign(HEAD, key, f"{self._host_line}x-amz-checksum-mode:ENABLED\n", self.clock())
        return Request("HEAD", url, CHECKSUM_MODE)

    def delete(self, key: str) -> Request:
        """A DELETE of the current version."""
        url, _ = self._signer.sign(DELETE, key, self._host_line, self.clock())
        return Request("DELETE", url)

    def unsigned(self, method: str, key: str, body: bytes | None = None) -> Request:
        """What anybody who knows the address may send."""
        headers = {} if body is None else {"content-type": CONTENT_TYPE}
        return Request(method, f"{self.address.origin}{self.address.root}{key}", headers, body)
