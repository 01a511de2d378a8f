"""Listings with keys that obstore cannot read: they are shown like any other, and keep nobody from seeing the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape

import pytest

from control_plane.bucket import listing
from control_plane.bucket.s3 import S3Bucket
from control_plane.domain.bucket import BucketUnreachable
from tests.contract.test_bucket import keys, listed, write_all
from tests.support.buckets import Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

pytestmark = pytest.mark.anyio

Query = dict[str, str]
ODD = ["v1/00//x", "v1/00/./x", "v1/00/../x", "v1/00/a\x01b", "v1/00/a\nb", "v1/00/a\0b", "v1//", "v1/./"]


def page(names: Sequence[str], query: Query, *, more: str | None = None) -> bytes:
    """One answer as S3 words it; keys are escaped where that was asked for."""
    escaped = query.get("encoding-type") == "url"
    told = [quote(name, safe="/").replace("%20", "+") if escaped else _as_xml(name) for name in names]
    entries = "".join(
        f"<Contents><Key>{name}</Key><LastModified>2026-11-21T09:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>3</Size></Contents>"
        for name in told
    )
    following = "" if more is None else f"<NextContinuationToken>{more}</NextContinuationToken>"
    encoding = "<EncodingType>url</EncodingType>" if escaped else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>b</Name>{encoding}<IsTruncated>{'false' if more is None else 'true'}</IsTruncated>{following}{entries}"
        "</ListBucketResult>"
    ).encode()


def _as_xml(name: str) -> str:
    return "".join(f"&#{ord(character)};" if character < " " else escape(character) for character in name)


@asynccontextmanager
async def store(answer: Callable[[Query], bytes]) -> AsyncIterator[str]:
    """A store that answers each listing by what was asked."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            asked = {name: values[0] for name, values in parse_qs(urlsplit(line).query).items()}
            body = answer(asked)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    serving = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with serving:
        yield f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("odd", ODD, ids=ascii)
async def test_an_odd_key_hides_no_other(place: Place, odd: str) -> None:
    names = [odd, "v1/00/seen", "v1/00/white space + ü%20"]
    async with store(lambda asked: page(names, asked)) as endpoint, place.client(endpoint=endpoint) as bucket:
        found = await listed(bucket, "v1/")

    assert [item.key for item in found] == names
    assert {(item.size, item.etag, item.last_modified.isoformat()) for item in found} == {
        (3, "e", "2026-11-21T09:00:00+00:00")
    }


@pytest.mark.parametrize(("names", "size"), [(["v1/00/a", "v1/00/a/"], 3), (["v1/00/a/"], 0), (["v1/00/"], 0)])
async def test_a_folder_is_not_taken_for_what_lies_beside_it(place: Place, names: Sequence[str], size: int) -> None:
    def answer(asked: Query) -> bytes:
        return page(names, asked).replace(b"<Size>3<", b"<Size>%d<" % size)

    async with store(answer) as endpoint, place.client(endpoint=endpoint) as bucket:
        assert [item.key for item in await listed(bucket, "v1/")] == names


class Paged:
    """A store of these keys, so many on a page; `token` makes the next page's token of the last key of this one."""

    def __init__(self, names: Sequence[str], size: int, token: Callable[[str], str] = str) -> None:
        self._names = sorted(names, key=str.encode)
        self._size = size
        self._token = token

    def answer(self, asked: Query) -> bytes:
        """The page that was asked for."""
        after = asked.get("continuation-token", asked.get("start-after", ""))
        left = [name for name in self._names if name > after]
        shown = left[: self._size]
        return page(shown, asked, more=self._token(shown[-1]) if len(left) > self._size else None)


@pytest.mark.parametrize("at", range(7))
async def test_what_came_before_it_is_not_shown_again(place: Place, at: int) -> None:
    names = [f"v1/00/{number:04d}" for number in range(7)]
    names[at] += "//x"
    async with (
        store(Paged(names, 2).answer) as endpoint,
        place.client(endpoint=endpoint) as bucket,
    ):
        assert [item.key for item in await listed(bucket, "v1/")] == names
        assert await keys(bucket, "v1/", start_after="v1/00/0003") == {name for name in names if name > "v1/00/0003"}


async def test_a_token_that_xml_has_mangled_is_not_followed(place: Place) -> None:
    """SeaweedFS makes it of the page's last key, which may hold what XML cannot carry: what follows would be passed over."""
    names = ["v1/00/a\x01b", "v1/00/a\x02b", "v1/00/a\x03b", "v1/00/ab", "v1/00/ac"]
    paged = Paged(names, 2, lambda key: key.replace("\x01", "�").replace("\x02", "�"))
    async with store(paged.answer) as endpoint, place.client(endpoint=endpoint) as bucket:
        assert [item.key for item in await listed(bucket, "v1/")] == names


ANSWERS = {
    "no XML": "what is this",
    "cut off": "<ListBucketResult><IsTruncated>false",
    "another document": "<Error><Code>SlowDown</Code></Error>",
    "nothing about more": "<ListBucketResult></ListBucketResult>",
    "more, and nothing to ask with": "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    "a key elsewhere": "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>v2/a//b</Key><Size>1</Size>"
    "<LastModified>2026-11-21T09:00:00Z</LastModified></Contents></ListBucketResult>",
    "no size": "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>v1/a//b</Key>"
    "<LastModified>2026-11-21T09:00:00Z</LastModified></Contents></ListBucketResult>",
    "a time of nowhere": "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>v1/a//b</Key><Size>1</Size>"
    "<LastModified>2026-11-21T09:00:00</LastModified></Contents></ListBucketResult>",
    "an entity of its own": '<!DOCTYPE x [<!ENTITY a "v1/">]><ListBucketResult><IsTruncated>false</IsTruncated><Contents>'
    "<Key>&a;a//b</Key><Size>1</Size><LastModified>2026-11-21T09:00:00Z</LastModified></Contents></ListBucketResult>",
    "longer than any": "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    + " " * (listing.PAGE_BYTES + 1),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_what_is_no_listing_is_not_believed(place: Place, answer: str) -> None:
    def answers(asked: Query) -> bytes:
        """Sends us on from the fast way, then says this."""
        return answer.encode() if "encoding-type" in asked else page(["v1/a//b"], asked)

    async with store(answers) as endpoint, place.client(endpoint=endpoint) as bucket:
        with pytest.raises(BucketUnreachable) as caught:
            await listed(bucket, "v1/")
    assert "X-Amz-Signature" not in str(caught.value)


async def test_a_real_store_shows_them_too(
    bucket: S3Bucket, place: Place, s3: "S3Client", prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters are what SeaweedFS keeps of them; names enough for several pages, of either way of listing."""
    monkeypatch.setattr(listing, "PAGE_KEYS", 7)
    odd = [f"{prefix}0000{number}/a\nb" for number in range(5)] + [f"{prefix}00003/\x01"]
    await write_all(bucket, names := [f"{prefix}{number:05d}/{part}" for number in range(30) for part in "abc"])
    for name in odd:
        await asyncio.to_thread(s3.put_object, Bucket=place.bucket, Key=name, Body=b"x")

    found = await listed(bucket, prefix)
    assert sorted(item.key for item in found) == sorted([*names, *odd])
    assert await keys(bucket, prefix, start_after=f"{prefix}00003/a") == {
        name for name in [*names, *odd] if name > f"{prefix}00003/a"
    }
