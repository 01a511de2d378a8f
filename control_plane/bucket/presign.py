"""Signature Version 4 in the query string: the permission to make one request, as a URL.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

Equal byte for byte to what botocore makes (the tests say so), some forty times faster: everything but key,
length, type and digest stays the same for a second or for a day, and is kept.

What is signed cannot be changed by whoever holds the URL: method, key, expiry, and the headers named in
`X-Amz-SignedHeaders`. A checksum counts only as a signed header, never as a query parameter.
`x-amz-sdk-checksum-algorithm` is not signed: browsers do not send it.
"""

import hashlib
import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self
from urllib.parse import quote, urlsplit

from control_plane.domain.bucket import PresignedRequest
from control_plane.domain.file_names import attachment

# X-Amz-Expires, in seconds: the limits that AWS documents for query signatures.
LONGEST_TTL_S = 7 * 24 * 3600
HMAC_BLOCK_BYTES = 64
DEFAULT_PORTS = {"http": 80, "https": 443}
# What S3 takes as a host name: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# Keys that look the same when escaped, such as all of ours: asking is twice as fast as escaping.
PLAIN_KEY = re.compile(r"[A-Za-z0-9._~/-]*")


class Addressing(StrEnum):
    """Where the bucket stands in the URL: first part of the path, or first part of the host name."""

    PATH = "path"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair; `session_token` goes with temporary ones (URLs die when it does, whatever their expiry says)."""

    access_key: str
    secret_key: str
    session_token: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket as one kind of client sees it.

    `endpoint` is what to give to S3 libraries beside the bucket's name and `virtual`. `host` is signed. `root` is the
    part of the path before the key, escaped, with its `/`.
    """

    endpoint: str
    virtual: bool
    origin: str
    host: str
    root: str

    @classmethod
    def of(cls, endpoint: str, bucket: str, addressing: Addressing = Addressing.PATH) -> Self:
        """`endpoint` is a URL such as `https://s3.example.com:9000`. `ValueError` if it is not one.

        As botocore does, a name that cannot be part of a host name goes into the path even if `VIRTUAL`; so
        does one with dots under https (no certificate fits), and any under an IP address.
        """
        url = urlsplit(endpoint)
        if url.scheme not in DEFAULT_PORTS or not url.hostname or url.query or url.fragment or url.username:
            raise ValueError(f"not an S3 endpoint (http://host[:port] or https://host[:port]): {endpoint!r}")
        authority = url.netloc
        root = f"{url.path.rstrip('/')}/"
        virtual = addressing is Addressing.VIRTUAL and _fits_host_name(bucket, url.scheme, url.hostname)
        if virtual:
            authority = f"{bucket}.{authority}"
        else:
            root += f"{quote(bucket, safe='')}/"
        name = authority if url.port is None else authority.rpartition(":")[0]
        implied = url.port is None or url.port == DEFAULT_PORTS[url.scheme]
        host = name.lower() if implied else f"{name.lower()}:{url.port}"
        origin = f"{url.scheme}://{authority}"
        endpoint = f"{origin}{root}".rstrip("/") if virtual else endpoint.rstrip("/")
        return cls(endpoint=endpoint, virtual=virtual, origin=origin, host=host, root=root)


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity: it is looked up for every signature
class Form:
    """What requests of one kind have in common: method, names of the signed headers (sorted), seconds of validity."""

    method: str
    signed_headers: str
    ttl_s: int

    def __post_init__(self) -> None:
        if not 1 <= self.ttl_s <= LONGEST_TTL_S:
            raise ValueError(f"a signature is valid for 1 to {LONGEST_TTL_S} seconds, not {self.ttl_s}")


@dataclass(frozen=True, slots=True)
class _Stamp:
    """All of a signature that depends on form and second alone."""

    epoch_s: int
    expires_at: datetime
    query: str
    canonical_query: str
    canonical_end: str
    to_sign: str
    inner: "hashlib._Hash"
    outer: "hashlib._Hash"


class Signer:
    """Signs requests to one bucket at one address. Safe to share between threads: its caches are replaced whole."""

    def __init__(self, address: Address, *, region: str, credentials: Credentials) -> None:
        self.address = address
        self._region = region
        self._credentials = credentials
        self._stamps: dict[Form, _Stamp] = {}

    def sign(self, form: Form, key: str, header_lines: str, now: datetime, *, query: str = "") -> tuple[str, datetime]:
        """The URL, and when it expires.

        `header_lines` are the signed headers in canonical form, in the order of `form.signed_headers`:
        `name:value\\n` each, `host` among them. `now` is aware; fractions of a second are dropped. `query`: more of it, escaped,
        in order of name, each of which begins in lower case, which sorts after the `X-Amz-…` of every signature.
        """
        stamp = self._stamps.get(form)
        epoch_s = int(now.timestamp())
        if stamp is None or stamp.epoch_s != epoch_s:
            stamp = self._stamps[form] = self._stamp(form, epoch_s)
        path = self.address.root + (key if PLAIN_KEY.fullmatch(key) else quote(key, safe="/~"))
        more = query and f"&{query}"
        canonical = f"{form.method}\n{path}\n{stamp.canonical_query}{more}\n{header_lines}{stamp.canonical_end}"
        inner = stamp.inner.copy()
        inner.update(f"{stamp.to_sign}{hashlib.sha256(canonical.encode()).hexdigest()}".encode())
        outer = stamp.outer.copy()
        outer.update(inner.digest())
        first = query and f"{query}&"
        return f"{self.address.origin}{path}?{first}{stamp.query}{outer.hexdigest()}", stamp.expires_at

    def _stamp(self, form: Form, epoch_s: int) -> _Stamp:
        at = datetime.fromtimestamp(epoch_s, UTC)
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        start = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential={quote(f'{self._credentials.access_key}/{scope}', safe='-_.~')}"
            f"&X-Amz-Date={moment}&X-Amz-Expires={form.ttl_s}"
        )
        names = f"&X-Amz-SignedHeaders={quote(form.signed_headers, safe='-_.~')}"
        inner, outer = _hmac_states(self._derived_key(moment[:8]))
        return _Stamp(
            epoch_s=epoch_s,
            expires_at=at + timedelta(seconds=form.ttl_s),
            query=f"{start}{names}{self._token()}&X-Amz-Signature=",
            # Sorted by name, as the server will sort them.
            canonical_query=f"{start}{self._token()}{names}",
            canonical_end=f"\n{form.signed_headers}\nUNSIGNED-PAYLOAD",
            to_sign=f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n",
            inner=inner,
            outer=outer,
        )

    def _token(self) -> str:
        token = self._credentials.session_token
        return "" if token is None else f"&X-Amz-Security-Token={quote(token, safe='-_.~')}"

    def _derived_key(self, day: str) -> bytes:
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in (day, self._region, "s3", "aws4_request"):
            inner, outer = _hmac_states(key)
            inner.update(part.encode())
            outer.update(inner.digest())
            key = outer.digest()
        return key


class SigV4Presigner:
    """`Presigner` for the address under which browsers see the bucket."""

    def __init__(self, signer: Signer, *, put_ttl: timedelta, get_ttl: timedelta) -> None:
        self._signer = signer
        self._host_line = f"host:{signer.address.host}\n"
        put_s, get_s = int(put_ttl.total_seconds()), int(get_ttl.total_seconds())
        once = "content-length;content-type;host;if-none-match;x-amz-checksum-sha256"
        self._put_once = Form("PUT", once, put_s)
        self._put_over = Form("PUT", once.replace("if-none-match;", ""), put_s)
        self._get = Form("GET", "host", get_s)

    def put(
        self, key: str, *, size: int, sha256: str, content_type: str, overwrite: bool, now: datetime
    ) -> PresignedRequest:
        """See `Presigner.put`. `sha256` is hex; the header wants base64. `ValueError` if it is not hex."""
        checksum = b64encode(bytes.fromhex(sha256)).decode()
        # Runs of white space count as one space in a signature, and a line break would end the header.
        mime = " ".join(content_type.split())
        start = f"content-length:{size}\ncontent-type:{mime}\n{self._host_line}"
        headers = {"content-type": mime, "x-amz-checksum-sha256": checksum}
        if overwrite:
            form, lines = self._put_over, f"{start}x-amz-checksum-sha256:{checksum}\n"
        else:
            form, lines = self._put_once, f"{start}if-none-match:*\nx-amz-checksum-sha256:{checksum}\n"
            headers["if-none-match"] = "*"
        url, expires_at = self._signer.sign(form, key, lines, now)
        return PresignedRequest(url, headers, expires_at)

    def get(
        self, key: str, *, now: datetime, file_name: str | None = None, content_type: str | None = None
    ) -> PresignedRequest:
        """See `Presigner.get`. `Range` is not signed, so that players may ask for any."""
        wanted = {
            "response-content-disposition": None if file_name is None else attachment(file_name),
            "response-content-type": None if content_type is None else " ".join(content_type.split()),
        }
        query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in wanted.items() if value is not None)
        url, expires_at = self._signer.sign(self._get, key, self._host_line, now, query=query)
        return PresignedRequest(url, {}, expires_at)


def _hmac_states(key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """HMAC (RFC 2104) up to its message: copying the two states costs a third of `hmac.digest`."""
    block = (hashlib.sha256(key).digest() if len(key) > HMAC_BLOCK_BYTES else key).ljust(HMAC_BLOCK_BYTES, b"\0")
    return hashlib.sha256(bytes(b ^ 0x36 for b in block)), hashlib.sha256(bytes(b ^ 0x5C for b in block))


def _fits_host_name(bucket: str, scheme: str, host: str) -> bool:
    labels = bucket.split(".")
    if len(bucket) < 3 or len(bucket) > 63 or not all(DNS_LABEL.fullmatch(label) for label in labels):
        return False
    if _is_ip(host) or _is_ip(bucket):
        return False
    return len(labels) == 1 or scheme == "http"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
