"""What surrounds every call: rate limits, headers, request ids, CORS, bounds on heads and on time."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from control_plane import http_protocol
from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.telemetry import JsonLines
from tests.support.http_framing import Head, answer_body, read_head
from tests.support.plane import Running, running_plane

pytestmark = pytest.mark.anyio

LISTED = "https://app.example.com"
START = {"recorder_id": str(uuid4()), "source": "recorder", "mime_type": "video/webm"}


@pytest.fixture(scope="module")
async def running(stack: EmbeddedStack, shared_settings: Settings) -> AsyncIterator[Running]:
    """One for all that change nothing."""
    async with running_plane(stack, shared_settings) as found:
        yield found


@pytest.fixture(scope="module")
async def open_to_pages(stack: EmbeddedStack, shared_settings: Settings) -> AsyncIterator[Running]:
    """A control plane that pages of one other origin may call."""
    async with running_plane(stack, shared_settings.model_copy(update={"safereel_page_origins": (LISTED,)})) as found:
        yield found


async def ask(
    running: Running, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers by lower-case name, and the JSON of an answer."""
    sent = {"authorization": f"Bearer {running.token()}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, running.endpoint + path, json=body, headers=sent) as answer,
    ):
        raw = await answer.read()
        told = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, told, json.loads(raw) if raw else None


async def send_raw(running: Running, *pieces: bytes) -> tuple[Head, Any]:
    """The first answer to these bytes, and its JSON."""
    host, _, port = running.endpoint.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        head = await asyncio.wait_for(read_head(reader), 10)
        body = b"".join([piece async for piece in answer_body(reader, head, "GET")])
        return head, json.loads(body) if body else None
    finally:
        writer.close()


# --- rate limits


async def test_an_owner_over_the_limit_is_told_when_to_come_again(stack: EmbeddedStack, settings: Settings) -> None:
    few = settings.model_copy(update={"safereel_rate_limit": 3, "safereel_rate_window_ms": 600_000})
    async with running_plane(stack, few) as running:
        path = f"/v1/recordings/{uuid4()}"
        left = []
        for _ in range(3):
            status, headers, _ = await ask(running, "PUT", path, START)
            assert status in {200, 201}
            assert headers["ratelimit-policy"] == '"owner";q=3;w=600'
            found = re.fullmatch(r'"owner";r=(\d);t=(\d+)', headers["ratelimit"])
            assert found is not None
            left.append(int(found[1]))
        assert left == [2, 1, 0]
        status, headers, told = await ask(running, "PUT", f"/v1/recordings/{uuid4()}", START)
        assert (status, told["code"]) == (429, "rate_limited")
        assert 1 <= int(headers["retry-after"]) <= 600
        assert told["retry_after_ms"] == int(headers["retry-after"]) * 1000
        assert headers["ratelimit"].startswith('"owner";r=0;t=')
        assert len(await running.sql("select * from recordings")) == 1
        async with running.recorder("bob") as bob:
            await bob.start()
        assert (await ask(running, "GET", "/health"))[0] == 200


async def test_a_batch_is_one_call(stack: EmbeddedStack, settings: Settings) -> None:
    few = settings.model_copy(update={"safereel_rate_limit": 2, "safereel_rate_window_ms": 600_000})
    async with running_plane(stack, few) as running, running.recorder() as recorder:
        await recorder.start()
        granted = await recorder.grant([recorder.chunk(seq, size=1) for seq in range(1_000)])
        assert {grant.state for grant in granted} == {"granted"}


async def test_a_store_that_is_down_is_never_an_error(stack: EmbeddedStack, shared_settings: Settings) -> None:
    update = {"safereel_rate_limit": 1, "safereel_rate_limit_store": "redis://127.0.0.1:1/0"}
    async with running_plane(stack, Settings(**{**shared_settings.model_dump(), **update})) as running:
        for _ in range(5):
            status, headers, _ = await ask(running, "GET", "/v1/me")
            assert status == 200
            assert "ratelimit" not in headers


# --- headers and ids of every answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/v1/me", 200),
        ("GET", "/v1/nothing", 404),
        ("PATCH", "/v1/me", 405),
        ("PUT", "/v1/recordings/01920000-0000-7000-8000-0000000000aa", 415),
        ("GET", "/v1/me?" + "x" * 9_000, 414),
    ],
)
async def test_every_answer_is_guarded_and_named(running: Running, method: str, path: str, status: int) -> None:
    found, headers, told = await ask(running, method, path, x_request_id="a-1.b_2")
    assert found == status
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "strict-transport-security" not in headers
    assert headers["x-request-id"] == "a-1.b_2"
    if status >= 400:
        assert told["request_id"] == "a-1.b_2"


async def test_a_fault_is_guarded_named_and_readable_by_pages(
    open_to_pages: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("fault")

    monkeypatch.setattr("control_plane.services.recordings.RecordingService.page", broken)
    status, headers, told = await ask(open_to_pages, "GET", "/v1/recordings", origin=LISTED, x_request_id="mine")
    assert (status, told["code"], told["request_id"]) == (500, "internal", "mine")
    assert headers["x-request-id"] == "mine"
    assert headers["access-control-allow-origin"] == LISTED
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("brought", ["", "a b", "x" * 129, "a/b", "“”", "$(id)", '"', "a;b=c"])
async def test_a_malformed_id_is_replaced(running: Running, brought: str) -> None:
    _, headers, _ = await ask(running, "GET", "/health/live", x_request_id=brought)
    assert headers["x-request-id"] != brought
    assert re.fullmatch(r"[0-9a-f-]{16,40}", headers["x-request-id"])
    _, again, _ = await ask(running, "GET", "/health/live", x_request_id=brought)
    assert again["x-request-id"] != headers["x-request-id"]


async def test_the_id_stands_in_the_log(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[dict[str, Any]] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonLines().format(record)))

    async def broken(*_: object) -> None:
        raise RuntimeError("fault")

    monkeypatch.setattr("control_plane.services.recordings.RecordingService.page", broken)
    handler = Lines()
    logging.getLogger("control_plane").addHandler(handler)
    try:
        await asyncio.gather(*(ask(running, "GET", "/v1/recordings", x_request_id=f"id-{n}") for n in range(5)))
    finally:
        logging.getLogger("control_plane").removeHandler(handler)
    assert {line["request_id"] for line in lines if line["message"] == "A request failed"} == {
        f"id-{n}" for n in range(5)
    }


async def test_hsts_is_said_where_it_is_set(stack: EmbeddedStack, shared_settings: Settings) -> None:
    async with running_plane(
        stack, shared_settings.model_copy(update={"safereel_hsts_max_age_s": 31_536_000})
    ) as running:
        assert (await ask(running, "GET", "/health/live"))[1]["strict-transport-security"] == "max-age=31536000"


async def test_the_page_may_use_the_camera_and_the_bucket_and_nothing_else(
    stack: EmbeddedStack, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "worker.js").write_text("")
    async with (
        running_plane(stack, settings, page_dir=tmp_path) as running,
        aiohttp.ClientSession() as client,
    ):
        for path in ("/", "/recordings/x", "/assets/worker.js"):
            async with client.get(running.endpoint + path) as answer:
                policy = answer.headers["content-security-policy"].split("; ")
                assert f"connect-src 'self' {settings.public_endpoint}" in policy, path
                assert "script-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in answer.headers["content-security-policy"]
                assert "camera=(self)" in answer.headers["permissions-policy"]
                assert len(answer.headers.getall("content-security-policy")) == 1


# --- pages of other origins


async def test_a_listed_origin_may_call_and_read(open_to_pages: Running) -> None:
    status, headers, _ = await ask(
        open_to_pages,
        "OPTIONS",
        "/v1/heartbeat",
        origin=LISTED,
        access_control_request_method="POST",
        access_control_request_headers="authorization, content-type",
    )
    assert status == 204
    assert headers["access-control-allow-origin"] == LISTED
    assert "POST" in headers["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in headers
    for path in ("/v1/me", "/v1/nothing"):
        _, headers, _ = await ask(open_to_pages, "GET", path, origin=LISTED)
        assert headers["access-control-allow-origin"] == LISTED
        exposed = set(headers["access-control-expose-headers"].split(", "))
        assert {"retry-after", "ratelimit", "ratelimit-policy", "x-request-id"} <= exposed
        assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://app.example.com",
        f"{LISTED}.evil.example",
        f"{LISTED}:8443",
        LISTED.upper(),
    ],
)
async def test_any_other_origin_may_not(open_to_pages: Running, origin: str) -> None:
    status, headers, told = await ask(
        open_to_pages, "OPTIONS", "/v1/heartbeat", origin=origin, access_control_request_method="POST"
    )
    assert (status, told["code"]) == (403, "origin_not_listed")
    assert not [name for name in headers if name.startswith("access-control-")]
    _, headers, _ = await ask(open_to_pages, "GET", "/v1/me", origin=origin)
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://a.example/path", "file://", "https://*.example", "https://A.example"]
)
def test_what_is_no_origin_cannot_be_listed(shared_settings: Settings, origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        Settings(**{**shared_settings.model_dump(), "safereel_page_origins": origin})


# --- bounds on heads, bodies and time


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * 9_000), 414, "address_too_long"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-a: %s\r\n\r\n" % (b"a" * 40_000), 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n%s\r\n" % (b"x-a: b\r\n" * 200), 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-a: %s" % (b"a" * 900_000), 431, "headers_too_large"),
        (b"GET /%s" % (b"a" * 900_000), 431, "headers_too_large"),
        (b"hello\r\n\r\n", 400, "http_malformed"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-a: \x00\r\n\r\n", 400, "http_malformed"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nbad header: 1\r\n\r\n", 400, "http_malformed"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400, "http_malformed"),
        (
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0",
            400,
            "http_malformed",
        ),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, "http_malformed"),
    ],
)
async def test_heads_are_bounded(running: Running, raw: bytes, status: int, code: str) -> None:
    pieces = [raw[n : n + 60_000] for n in range(0, len(raw), 60_000)]
    head, told = await send_raw(running, *pieces)
    assert (head.status, told["code"]) == (status, code)
    assert head.headers["content-type"] == "application/problem+json"
    assert head.headers["x-request-id"] == told["request_id"]
    assert (await ask(running, "GET", "/health/live"))[0] == 200


async def test_a_head_that_never_ends_is_not_waited_for(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_S", 0.2)
    head, told = await send_raw(running, b"GET / HTTP/1.1\r\nhost: x\r\n")
    assert (head.status, told["code"]) == (408, "request_timeout")
    assert head.headers["connection"] == "close"


async def test_a_body_that_stalls_is_not_waited_for(stack: EmbeddedStack, shared_settings: Settings) -> None:
    async with running_plane(stack, shared_settings.model_copy(update={"safereel_request_timeout_ms": 300})) as running:
        head, told = await send_raw(
            running,
            b"PUT /v1/recordings/%s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
            % (str(uuid4()).encode(), running.token().encode()),
        )
        assert (head.status, told["code"]) == (408, "request_timeout")
        assert head.headers["connection"] == "close"


async def test_a_handler_that_hangs_is_cut_off(
    stack: EmbeddedStack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    async with running_plane(stack, settings.model_copy(update={"safereel_request_timeout_ms": 300})) as running:
        monkeypatch.setattr("control_plane.services.recordings.RecordingService.page", hang)
        status, headers, told = await ask(running, "GET", "/v1/recordings")
        assert (status, told["code"]) == (503, "answer_timeout")
        assert int(headers["retry-after"]) > 0


async def test_a_body_that_is_announced_too_large_is_refused_unread(running: Running) -> None:
    head, told = await send_raw(
        running,
        b"PUT /v1/recordings/%s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n"
        b"content-type: application/json\r\ncontent-length: 10000000000\r\nexpect: 100-continue\r\n\r\n"
        % (str(uuid4()).encode(), running.token().encode()),
    )
    assert (head.status, told["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, identity"])
async def test_nothing_is_unpacked(running: Running, coding: str) -> None:
    status, _, told = await ask(running, "PUT", f"/v1/recordings/{uuid4()}", START, content_encoding=coding)
    assert (status, told["code"]) == (415, "content_encoding_unsupported")
