"""Hostile framing over real HTTP: heads, bodies and connections that are not as they should be do no harm."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from control_plane import http_protocol
from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.support.attack import SHA, Attack
from tests.support.plane import Running, running_plane
from tests.support.raw_http import chunked, exchange, problem_of, request

pytestmark = pytest.mark.anyio


@pytest.fixture
async def attack(running: Running) -> Attack:
    """A control plane with one recording."""
    found = Attack(running)
    await found.start()
    return found


def framed(running: Running, path: str, *headers: str) -> bytes:
    """The head of a POST with a good token."""
    return request("POST", path, f"authorization: Bearer {running.token()}", "content-type: application/json", *headers)


async def test_framing(running: Running, attack: Attack) -> None:
    path, malformed = f"/v1/recordings/{attack.recording_id}/acks", (400, "http_malformed")
    body = b'{"acks": [{"seq": 0}]}'
    head = framed(running, path, "transfer-encoding: chunked")
    await attack.expect("chunked", 200, head + chunked(body))
    await attack.expect("chunked byte by byte", 200, head + chunked(body, size=1))
    await attack.expect("with extensions", 200, head + chunked(body, extension=b";a=b"))
    await attack.expect(
        "larger than allowed", (413, "body_too_large"), head, *[b"10000\r\n" + b" " * 65_536 + b"\r\n"] * 20
    )
    await attack.expect("no such size", malformed, head + b"zz\r\n")
    await attack.expect("a negative size", malformed, head + b"-1\r\n")
    await attack.expect("a size without end", malformed, head + b"F" * 17 + b"\r\n")
    await attack.expect("longer than it says", malformed, head + b"1\r\nab\r\n0\r\n\r\n")
    both = framed(running, path, "content-length: 22", "transfer-encoding: chunked")
    await attack.expect("two framings", malformed, both + chunked(body))
    other = framed(running, path, "transfer-encoding: chunked, identity")
    await attack.expect("chunked not last", malformed, other + chunked(body))
    for length in ("-1", "1e1", "0x10", "22, 22", "9" * 40, "22\r\ncontent-length: 23", "+22", ""):
        await attack.expect(f"length {length!r}", malformed, framed(running, path, f"content-length: {length}") + body)
    await attack.expect("less than it says", malformed, framed(running, path, "content-length: 10") + body)
    far = framed(running, path, "content-length: 99999999999")
    await attack.expect("far more than allowed", (413, "body_too_large"), far + body)
    await attack.survived()


async def test_heads_and_methods(running: Running, attack: Attack) -> None:
    malformed, not_allowed = (400, "http_malformed"), (405, "method_not_allowed")
    for method in ("TRACE", "OPTIONS", "PATCH", "PROPFIND", "PURGE", "POST"):
        await attack.expect(method, not_allowed, request(method, "/v1/me", f"authorization: Bearer {running.token()}"))
    await attack.expect("HEAD", 401, request("HEAD", "/v1/me"))
    await attack.expect("HEAD nowhere", 404, request("HEAD", "/v1/nothing"))
    for method in ("FOO", "get", "GETT", "G\x00T", "é", " GET"):
        await attack.expect(repr(method), malformed, request(method, "/v1/me"))
    for raw in (
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3.0\r\nhost: x\r\n\r\n",
        b"GET /v1/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n host: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"\x00" * 1_000,
    ):
        await attack.expect(repr(raw[:40]), malformed, raw)
    await attack.expect("of the server", (404, "not_found"), b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n")
    await attack.expect("1.0", (401, "token_missing"), b"GET /v1/me HTTP/1.0\r\n\r\n")
    await attack.expect("absolute", (404, "not_found"), b"GET http://evil.example/x HTTP/1.1\r\nhost: x\r\n\r\n")
    upgrade = ("connection: upgrade", "upgrade: websocket", "sec-websocket-key: x", "sec-websocket-version: 13")
    await attack.expect("a socket", (401, "token_missing"), request("GET", "/v1/me", *upgrade))
    await attack.expect("h2c", (401, "token_missing"), request("GET", "/v1/me", "connection: upgrade", "upgrade: h2c"))
    many = [f"x-{n}: y" for n in range(200)]
    await attack.expect("many headers", (431, "headers_too_large"), request("GET", "/v1/me", *many))
    await attack.expect("a large one", (431, "headers_too_large"), request("GET", "/v1/me", "x: " + "y" * 40_000))
    await attack.expect("a long name", (431, "headers_too_large"), request("GET", "/v1/me", "x" * 40_000 + ": y"))
    await attack.survived()


async def test_trailers_have_an_end(running: Running, attack: Attack) -> None:
    path = f"/v1/recordings/{attack.recording_id}/acks"
    head = framed(running, path, "transfer-encoding: chunked") + b"1\r\n{\r\n0\r\n"
    one = b"x-trailer: " + b"y" * 60_000 + b"\r\n"
    await attack.expect("many", (413, "body_too_large"), head, *[one] * 400)
    await attack.expect("one", (413, "body_too_large"), head + b"x: ", *[b"y" * 65_536] * 400)
    await attack.expect("extensions", (413, "body_too_large"), head[:-3] + b"1;", *[b"y" * 65_536] * 400)
    smuggled = request("POST", path, "content-type: application/json", "transfer-encoding: chunked") + (
        b"1\r\n{\r\n0\r\nauthorization: Bearer %s\r\n\r\n" % running.token().encode()
    )
    await attack.expect("a token behind the body", (401, "token_missing"), smuggled)
    await attack.survived()


async def test_a_byte_now_and_then_holds_nothing(
    stack: EmbeddedStack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slowloris: the time is counted from the first byte, not from the last."""
    monkeypatch.setattr(http_protocol, "HEAD_S", 0.3)
    async with running_plane(stack, settings.model_copy(update={"safereel_request_timeout_ms": 300})) as running:
        path = f"/v1/recordings/{uuid4()}/acks"
        lines = [b"GET /v1/me HTTP/1.1\r\nhost: x\r\n", *[b"x-a: b\r\n"] * 1_000]
        body = [framed(running, path, "content-length: 1000"), *[b" "] * 1_000]
        pieces = [framed(running, path, "transfer-encoding: chunked"), *[b"1\r\n \r\n"] * 1_000]
        for slow in (lines, body, pieces):
            asked = (exchange(running.endpoint, slow, pause_s=0.02) for _ in range(50))
            ends = await asyncio.gather(*asked, return_exceptions=True)
            # Whoever writes on after the answer may have it thrown away by a reset, which ends the connection as well.
            answers = [end for end in ends if not isinstance(end, BaseException)]
            assert all(isinstance(end, tuple | ConnectionResetError) for end in ends)
            assert len(answers) > len(ends) / 2
            assert {(head.status, problem_of(head, raw)["code"]) for head, raw in answers} == {(408, "request_timeout")}
        await Attack(running).survived()


async def test_garbage_behind_a_call_does_not_undo_it(running: Running, attack: Attack) -> None:
    body = json.dumps({"chunks": [{"seq": 0, "segment": 0, "size": 1, "sha256": SHA}]}).encode()
    head = framed(running, f"/v1/recordings/{attack.recording_id}/grants", f"content-length: {len(body)}")
    status, _ = await attack.raw(head + body, b"")
    assert status == 200
    await attack.raw(head + body + b"\x00garbage\r\n\r\n")
    chunks = await running.sql("select recording_id, seq from chunks")
    assert [(chunk["recording_id"], chunk["seq"]) for chunk in chunks] == [(UUID(attack.recording_id), 0)]
    await attack.survived()
