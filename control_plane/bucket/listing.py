"""Listing (ListObjectsV2): through obstore, which is several times as fast as anything in Python; by ourselves where it cannot.

A key that obstore's paths cannot express (an empty part as in `a//b`, a part `.` or `..`, a control character) makes it
refuse the whole page; of one that ends with `/` it tells the name without. Anybody who may write to the bucket can put such a
key there, and it must not keep us from seeing the others: the rest of that listing is then asked for and read here. Nothing is
guessed: an answer that is not what S3 promises is no listing.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import S3Store

from control_plane.bucket.documents import document, name_of, told_in
from control_plane.bucket.presign import Address, Credentials
from control_plane.domain.bucket import BucketUnreachable, ListedObject

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

    from obstore import ObjectMeta
    from obstore.store import S3Config

# What S3 gives in one answer.
PAGE_KEYS = 1000
# A page of keys of 1,024 bytes, each of them escaped, and what is told beside them: 4 MB, and as much again.
PAGE_BYTES = 8 * 1024 * 1024
# How obstore words an answer that it could not read; its class is that of any failure.
NO_LISTING = "invalid list response"

# What an encoder of XML puts for a character that XML cannot carry.
MANGLED = "\ufffd"

Fetch = Callable[[str], Awaitable[bytes]]


class Lister:
    """Lists one bucket."""

    def __init__(self, store: S3Store, fetch: Fetch, *, page_s: float) -> None:
        """`fetch` sends a GET to the bucket with this query (escaped, sorted) and answers the body of a 200.

        `page_s` bounds the time of a page.
        """
        self._store = store
        self._fetch = fetch
        self._page_s = page_s

    async def pages(self, prefix: str, start_after: str) -> AsyncIterator[Sequence[ListedObject]]:
        """See `Bucket.list_pages`. `ValueError` for a prefix without its `/`: `v1/a` would list `v1/ab` too."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix to list ends with '/': {prefix!r}")
        last = start_after
        try:
            async for page in self._fast(prefix, start_after):
                yield page
                last = page[-1].key
        except _Unreadable:
            async for page in self._own(prefix, last):
                yield page

    async def _fast(self, prefix: str, start_after: str) -> AsyncIterator[Sequence[ListedObject]]:
        last = ""
        pages = self._store.list(prefix, offset=start_after or None, chunk_size=PAGE_KEYS)
        while True:
            try:
                async with asyncio.timeout(self._page_s):
                    page = await anext(pages, None)
            except (InvalidPathError, ValueError) as exc:
                raise _Unreadable from exc
            except (BaseError, OSError) as exc:
                if NO_LISTING in str(exc):
                    raise _Unreadable from exc
                # obstore names the place in its messages, never a credential. A bucket that does not exist is
                # FileNotFoundError, a timeout TimeoutError, both of them OSErrors.
                raise BucketUnreachable(f"LIST {prefix}: {type(exc).__name__}: {exc}") from exc
            if page is None:
                return
            if page and _may_mislead(page, last):
                raise _Unreadable
            if page:
                last = page[-1]["path"]
                yield [
                    ListedObject(item["path"], item["size"], (item["e_tag"] or "").strip('"'), item["last_modified"])
                    for item in page
                ]

    async def _own(self, prefix: str, start_after: str) -> AsyncIterator[Sequence[ListedObject]]:
        place: _Place | None = _Place(start_after)
        while place is not None:
            body = await self._fetch(_query(prefix, place))
            try:
                objects, place = _page_of(body, prefix, place)
            except ValueError as exc:
                raise BucketUnreachable(f"LIST {prefix}: an answer that is no listing: {exc}") from exc
            if objects:
                yield objects


def _may_mislead(page: Sequence["ObjectMeta"], before: str) -> bool:
    """Whether a path on the page may not be the name of its key; `before` is the last path of the page before.

    XML has mangled it, and the next page's token may be made of it. Or it ended with `/`, which obstore leaves out: then it
    looks like another key, shown twice, or of no bytes, as folders are marked. What bears a chunk's very bytes under its key
    and a `/` is not told from that chunk; reading tells.
    """
    paths = {before, *(item["path"] for item in page)}
    return len(paths) <= len(page) or any(item["size"] == 0 or MANGLED in item["path"] for item in page)


class _Unreadable(Exception):
    """The page has come, and holds what obstore cannot read, or what was not told as it is."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: after a key, or where the page before it said."""

    start_after: str
    token: str | None = None


def listing_store(
    bucket: str, region: str, credentials: Credentials, address: Address, *, connect_s: float, call_s: float
) -> S3Store:
    """obstore's client of the bucket; a call may take `call_s`, of which `connect_s` to connect, and is made twice at most."""
    config: S3Config = {"access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key}
    if credentials.session_token is not None:
        config["session_token"] = credentials.session_token
    return S3Store(
        bucket,
        endpoint=address.endpoint,
        region=region,
        config=config,
        virtual_hosted_style_request=address.virtual,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=connect_s),
            "timeout": timedelta(seconds=call_s),
        },
        # One more try, for a pooled connection that the store had closed; beyond that the next sweep is the
        # retry.
        retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=call_s)},
    )


def _query(prefix: str, place: _Place) -> str:
    """Escaped and in order of name, as it is signed. Keys are asked for escaped: XML cannot carry every character."""
    parts = {
        "continuation-token": place.token or "",
        "encoding-type": "url",
        "list-type": "2",
        "max-keys": str(PAGE_KEYS),
        "prefix": prefix,
        "start-after": "" if place.token else place.start_after,
    }
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items() if value)


def _page_of(body: bytes, prefix: str, place: _Place) -> tuple[Sequence[ListedObject], _Place | None]:
    """What lies on the page, and where the next one begins (None: this was the last).

    `ValueError` for anything but a page of this listing.
    """
    root = document(body, "ListBucketResult")
    told = told_in(root)
    escaped = told.get("EncodingType") == "url"
    objects = [_object_of(child, escaped=escaped) for child in root if name_of(child) == "Contents"]
    if any(not found.key.startswith(prefix) for found in objects):
        raise ValueError("a key that is not below the prefix")
    match told.get("IsTruncated"):
        case "false":
            return objects, None
        case "true":
            return objects, _next(objects, told.get("NextContinuationToken", ""), place)
        case other:
            raise ValueError(f"there is more: {other}")


def _next(objects: Sequence[ListedObject], token: str, place: _Place) -> _Place:
    if token and token != place.token and MANGLED not in token:
        return _Place(place.start_after, token)
    # Some stores make the token of a key and do not escape it. By bytes, as S3 orders keys.
    last = max((found.key for found in objects), key=str.encode, default="")
    if last.encode() <= place.start_after.encode():
        raise ValueError("not the last page, and no way to the next one")
    return _Place(last)


def _object_of(entry: "ET.Element", *, escaped: bool) -> ListedObject:
    told = told_in(entry)
    try:
        key, size, at = told["Key"], int(told["Size"]), datetime.fromisoformat(told["LastModified"])
    except KeyError as exc:
        raise ValueError(f"an object without its {exc}") from exc
    if size < 0 or at.tzinfo is None:
        raise ValueError("an object of no size or time")
    return ListedObject(unquote_plus(key) if escaped else key, size, told.get("ETag", "").strip('"'), at)
