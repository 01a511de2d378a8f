"""Hostile values over real HTTP: each refused with the right problem, that tells nothing, and the process as well as before.

Each table is walked against one control plane; what differs from it is named all at once.
"""

import gzip
import json
import zlib
from uuid import uuid4

import pytest

from tests.support.attack import RECORDER, SHA, START, UNKNOWN, Attack
from tests.support.plane import Running
from tests.support.raw_http import chunked, exchange, request

pytestmark = pytest.mark.anyio


@pytest.fixture
async def attack(running: Running) -> Attack:
    """A control plane with one recording."""
    found = Attack(running)
    await found.start()
    return found


NOT_FOUND = (404, "not_found")


async def test_ids_in_addresses(running: Running, attack: Attack) -> None:
    mine = attack.recording_id
    for part in (
        "..",
        "../..",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fmeta%2fdeployment.json",
        f"{mine}%2f..%2f{UNKNOWN}",
        f"{mine}/../{UNKNOWN}",
        f"{mine}%00",
        f"%00{mine}",
        f"{mine}.",
        f"{mine}%20",
        f"%09{mine}",
        f"{mine}%0d%0aset-cookie:%20injected=1",
        f"{mine}%0a",
        f"{mine};a=b",
        f"{{{mine}}}",
        f"urn:uuid:{mine}",
        "%ff%fe",
        "%ed%a0%80",
        "%",
        "%zz",
        "%252e%252e%252f",
        "1",
        "-1",
        "' or 1=1 --".replace(" ", "%20"),
        "${jndi:ldap:x}",
        "a" * 4_000,
        "%D9%A3" * 8 + "-0000-4000-8000-000000000000",
    ):
        for method, path in (
            ("GET", f"/v1/recordings/{part}"),
            ("PUT", f"/v1/recordings/{part}"),
            ("POST", f"/v1/recordings/{part}/grants"),
        ):
            await attack.expect_call(f"{method} {path[:80]}", NOT_FOUND, method, path, {})
    await attack.expect_call("too long", (414, "address_too_long"), "GET", "/v1/recordings/" + "a" * 9_000)
    for path in (
        "/v1//recordings",
        "//v1/me",
        "/v1/me/",
        "/v1/me%2f",
        "/V1/me",
        "/v1/./me",
        "/v1/x/../me",
        "/.git/config",
    ):
        await attack.expect_call(path, NOT_FOUND, "GET", path)
    # Other spellings of the same UUID are the same recording, and make no second one.
    for spelled in (mine.upper(), mine.replace("-", "")):
        status, told = await attack.call("GET", f"/v1/recordings/{spelled}")
        assert (status, told["id"]) == (200, mine)
        assert (await attack.call("PUT", f"/v1/recordings/{spelled}", START))[0] == 200
    assert len(await running.sql("select * from recordings")) == 1
    await attack.survived()


async def test_numbers_in_queries(attack: Attack) -> None:
    for value in (
        "-1",
        "0",
        "1001",
        "9" * 30,
        "1e400",
        "NaN",
        "Infinity",
        "1.0",
        "0x10",
        "+5",
        "%205",
        "%D9%A3",
        "",
        "%00",
        "1_0",
    ):
        await attack.expect_call(f"limit={value}", (422, "limit_out_of_range"), "GET", f"/v1/recordings?limit={value}")
    path = f"/v1/recordings/{attack.recording_id}/chunks"
    for value in ("-2", "9" * 30, "1e400", "NaN", "1.5", "%00", "%0d%0a", "' or 1=1 --".replace(" ", "%20")):
        await attack.expect_call(f"after={value}", (422, "after_out_of_range"), "GET", f"{path}?after={value}")
    for value in ("..", "%00", "%ff", "a" * 7_000, "e30=", "MA==", "null"):
        await attack.expect_call(
            f"cursor={value[:20]}", (422, "cursor_malformed"), "GET", f"/v1/recordings?cursor={value}"
        )
    await attack.survived()


async def test_numbers_in_bodies(running: Running, attack: Attack) -> None:
    out, mistyped, malformed = (422, "seq_out_of_range"), (422, "wrong_type"), (400, "json_malformed")
    for number, expected in {
        "-1": out,
        "2147483648": out,
        "9223372036854775808": out,
        "18446744073709551616": out,
        "1" + "0" * 400: out,
        "1e400": mistyped,
        "-1e400": mistyped,
        "1.0": mistyped,
        "1.5": mistyped,
        "1e2": mistyped,
        '"1"': mistyped,
        "true": mistyped,
        "null": mistyped,
        "[]": mistyped,
        "{}": mistyped,
        "1" + "0" * 10_000: malformed,
        "NaN": mistyped,
        "Infinity": mistyped,
        "-Infinity": mistyped,
        "0x10": malformed,
        "01": malformed,
        "+1": malformed,
        ".5": malformed,
        "1_000": malformed,
    }.items():
        body = f'{{"chunks": [{{"seq": {number}, "segment": 0, "size": 1, "sha256": "{SHA}"}}]}}'.encode()
        path = f"/v1/recordings/{attack.recording_id}/grants"
        await attack.expect_call(f"seq {number[:30]}", expected, "POST", path, body)
    assert await running.sql("select * from chunks") == []
    await attack.survived()


KEPT = {
    "right to left": "\u202egnp.exe\u202c \u2066x\u2069",
    "hebrew and arabic": "הקלטה تسجيل",
    "combining": "Z\u0351\u036b\u0343" * 40,
    "joined": "👩‍👩‍👧‍👦" * 20,
    "invisible": "\u200b\ufeff\u2060\u00ad",
    "line separators": "a\u2028b\u2029c",
    "beyond the plane": "\U0010ffff\U0001f4a9",
    "noncharacters": "\ufffe\uffff",
    "markup": "<script>alert(1)</script>\"'&<!--",
    "a format": "%s%n{0}${x}{{7*7}}",
    "a statement": "'; drop table recordings; --",
    "a path": "../../etc/passwd",
    "not normal": "e\u0301 \u00e9 ﬀ",
    "blank": "   ",
    "empty": "",
}


async def test_titles_that_are_odd_come_back_as_they_went(running: Running) -> None:
    for name, title in KEPT.items():
        attack = Attack(running)
        await attack.start(title=title[:200])
        status, told = await attack.call("GET", f"/v1/recordings/{attack.recording_id}")
        assert (status, told["title"]) == (200, title[:200]), name
        await attack.survived()


async def test_titles_that_are_no_text(running: Running, attack: Attack) -> None:
    refused = (422, "title_malformed")
    head, tail = json.dumps({**START, "title": "X"}).split("X")
    for title, expected in {
        r"\u0000": refused,
        r"a\r\nset-cookie: injected=1": refused,
        r"\u001b[2J": refused,
        r"\u007f": refused,
        r"\u0085": refused,
        r"\u009b31m": refused,
        "x" * 201: refused,
        "👩" * 201: refused,
        r"\ud800": (400, "json_malformed"),
        r"\udc00\ud800": (400, "json_malformed"),
        "\r\n": (400, "json_malformed"),
        "\x00": (400, "json_malformed"),
    }.items():
        body = (head + title + tail).encode()
        await attack.expect_call(repr(title[:30]), expected, "PUT", f"/v1/recordings/{uuid4()}", body)
    for raw in (b"\xed\xa0\x80", b"\xff", b"\xc0\x80", b"\xf5\x80\x80\x80"):
        body = head.encode() + raw + tail.encode()
        await attack.expect_call(repr(raw), (400, "json_malformed"), "PUT", f"/v1/recordings/{uuid4()}", body)
    assert len(await running.sql("select * from recordings")) == 1
    await attack.survived()


async def test_text_that_becomes_a_header(running: Running, attack: Attack) -> None:
    """The MIME type is signed as a header of the PUT; an ETag is compared with one; ids are answered in one."""
    for mime_type in (
        "video/webm\r\nx-amz-acl: public-read",
        "video/webm\n",
        'video/webm; codecs="a\r\nb"',
        "video/webm; charset=x",
        "text/html",
        "VIDEO/WEBM",
        " video/webm",
        "video/webm;" + "x" * 500,
        "video/webm\u0000",
        "video/wеbm",
    ):
        path = f"/v1/recordings/{uuid4()}"
        await attack.expect_call(
            repr(mime_type[:40]), (422, "mime_type_not_allowed"), "PUT", path, {**START, "mime_type": mime_type}
        )
    for etag in ('"a"\r\nx: y', "a b", "", "\u0000", "é", "x" * 201):
        body = {"acks": [{"seq": 0, "etag": etag}]}
        path = f"/v1/recordings/{attack.recording_id}/acks"
        await attack.expect_call(repr(etag[:20]), (422, "etag_malformed"), "POST", path, body)
    assert len(await running.sql("select * from recordings")) == 1
    await attack.survived()


@pytest.mark.parametrize(
    "line",
    [
        "x-request-id: a\r\n\tset-cookie: injected=1",
        "x-request-id: a\nset-cookie: injected=1",
        "x-request-id: a\rset-cookie: injected=1",
        "x-request-id: a%0d%0aset-cookie:%20injected=1",
        "x-request-id: a\x00b",
        "x-request-id: é",
        "x-request-id: a\r\nx-request-id: b; injected=1",
        "origin: https://a.example\r\n\tset-cookie: injected=1",
        "host: a\r\n\tinjected: 1",
    ],
)
async def test_nothing_is_injected_into_an_answer(running: Running, line: str) -> None:
    head, _ = await exchange(running.endpoint, [request("GET", "/v1/nothing", line)])
    assert head.status in {400, 404}
    assert b"injected" not in head.raw
    assert b"set-cookie" not in head.raw.lower()


async def test_names_that_stand_twice(running: Running, attack: Attack) -> None:
    chunk = f'"segment": 0, "size": 1, "sha256": "{SHA}"'
    path = f"/v1/recordings/{attack.recording_id}/grants"
    for name, body in {
        "in an item": f'{{"chunks": [{{"seq": 0, "seq": 1, {chunk}}}]}}',
        "the same value": f'{{"chunks": [{{"seq": 0, "seq": 0, {chunk}}}]}}',
        "spelled otherwise": f'{{"chunks": [{{"seq": 0, "\\u0073eq": 1, {chunk}}}]}}',
        "on top": f'{{"chunks": [{{"seq": 0, {chunk}}}], "chunks": [{{"seq": 1, {chunk}}}]}}',
    }.items():
        await attack.expect_call(name, (400, "json_malformed"), "POST", path, body.encode())
    other = '{"chunks": [{"seq": 0, "__proto__": {"size": 1}, ' + chunk + "}]}"
    await attack.expect_call("__proto__", (422, "unknown_member"), "POST", path, other.encode())
    beat = f'{{"recorder_id": "{RECORDER}", "counter": 1, "sdk": "", "storage": {{"usage": 1, "usage": 2}}, "holding": []}}'
    await attack.expect_call("in a heartbeat", (400, "json_malformed"), "POST", "/v1/heartbeat", beat.encode())
    assert await running.sql("select * from chunks") == []
    await attack.survived()


async def test_depths(attack: Attack) -> None:
    path, malformed = f"/v1/recordings/{attack.recording_id}/grants", (400, "json_malformed")
    for name, body in {
        "arrays": b"[" * 500_000,
        "arrays that end": b"[" * 500_000 + b"]" * 500_000,
        "objects": b'{"a":' * 150_000,
        "within a member": b'{"chunks":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "of an unknown member": b'{"chunks": [], "x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        "a great many items": b'{"chunks": [' + b"{}," * 300_000 + b"{}]}",
        "a great many members": b"{" + b",".join(b'"m%d":1' % n for n in range(80_000)) + b"}",
    }.items():
        many = {"a great many items": (422, "batch_size_out_of_range"), "a great many members": (422, "member_missing")}
        await attack.expect_call(name, many.get(name, malformed), "POST", path, body)
    await attack.survived()


async def test_bombs(running: Running, attack: Attack) -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    deflated = zlib.compress(b"[" * 50_000_000)
    path, packed = f"/v1/recordings/{attack.recording_id}/grants", (415, "content_encoding_unsupported")
    for coding in (
        "gzip",
        "GZIP",
        "x-gzip",
        "br",
        "zstd",
        "deflate",
        "compress",
        "gzip, gzip",
        "identity, gzip",
        "none",
        " ",
    ):
        body = deflated if coding == "deflate" else bomb
        await attack.expect_call(coding, packed, "POST", path, body, f"content-encoding: {coding}")
    await attack.expect_call("without a word", (400, "json_malformed"), "POST", path, bomb)
    twice = ("content-encoding: identity", "content-encoding: gzip")
    await attack.expect_call("two words", packed, "POST", path, bomb, *twice)
    coded = request("POST", path, f"authorization: Bearer {running.token()}", "content-type: application/json",
                    "transfer-encoding: gzip, chunked") + chunked(bomb)  # fmt: skip
    await attack.expect("as a transfer coding", (400, "json_malformed"), coded)
    await attack.survived()
