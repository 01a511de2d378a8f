"""Bad input over real HTTP: each with its status, its code, and nothing changed."""

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.wiring import token_issuer
from tests.support.plane import Running, running_plane

pytestmark = pytest.mark.anyio

CHUNK = {"seq": 0, "segment": 0, "size": 1, "sha256": "a" * 64}
# Nobody has it. The same in each process: parts of a run that are done by several must agree on the names of their tests.
UNKNOWN = "01920000-0000-7000-8000-0000000000aa"
START = {"recorder_id": str(uuid4()), "source": "recorder", "mime_type": "video/webm"}
BEAT: dict[str, Any] = {"recorder_id": str(uuid4()), "counter": 1, "sdk": "", "storage": {}, "holding": []}


@pytest.fixture(scope="module")
async def running(stack: EmbeddedStack, shared_settings: Settings) -> AsyncIterator[Running]:
    """One for all: what is refused leaves nothing behind that the next test could meet."""
    async with running_plane(stack, shared_settings) as found:
        yield found


async def ask(
    running: Running, method: str, path: str, body: bytes | object = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and problem document; asserts that it is one."""
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"authorization": f"Bearer {running.token()}", "content-type": "application/json", **headers}
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, running.endpoint + path, data=raw and io.BytesIO(raw), headers=sent) as answer,
    ):
        told = json.loads(await answer.read())
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert told["status"] == answer.status
            assert told["type"] == f"urn:safereel:problem:{told['code']}"
            assert told["title"]
            assert told["detail"]
        return answer.status, told


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "json_malformed"),
        (b"", 400, "json_malformed"),
        (b"\xff\xfe", 400, "json_malformed"),
        (b'{"chunks": "\\ud800"}', 400, "json_malformed"),
        (b"[" * 10_000, 400, "json_malformed"),
        (b"[]", 422, "wrong_type"),
        (b"null", 422, "wrong_type"),
        (b"x" * 1_100_000, 413, "body_too_large"),
        ({"chunks": []}, 422, "batch_size_out_of_range"),
        ({"chunks": [CHUNK, CHUNK]}, 422, "duplicate_seq"),
        ({"chunks": [{**CHUNK, "key": "v1/../../etc"}]}, 422, "unknown_member"),
        ({"chunks": [{**CHUNK, "sha256": "../" * 21 + "a"}]}, 422, "digest_malformed"),
        ({"chunks": [{**CHUNK, "size": 2**40}]}, 422, "size_out_of_range"),
        ({"chunks": [{**CHUNK, "seq": 2**31}]}, 422, "seq_out_of_range"),
    ],
)
async def test_bad_bodies(running: Running, body: bytes | object, status: int, code: str) -> None:
    recording_id = uuid4()
    await ask(running, "PUT", f"/v1/recordings/{recording_id}", START)
    found, told = await ask(running, "POST", f"/v1/recordings/{recording_id}/grants", body)
    assert (found, told["code"]) == (status, code)
    assert await running.sql("select * from chunks") == []


async def test_bodies_must_say_that_they_are_json(running: Running) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"content-type": content_type}
        found, told = await ask(running, "PUT", f"/v1/recordings/{uuid4()}", START, **headers)
        assert (found, told["code"]) == (415, "content_type_unsupported")


async def test_a_body_without_a_length_is_bounded_too(running: Running) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    async with (
        aiohttp.ClientSession() as client,
        client.put(
            f"{running.endpoint}/v1/recordings/{uuid4()}",
            data=endless(),
            headers={"authorization": f"Bearer {running.token()}", "content-type": "application/json"},
        ) as answer,
    ):
        assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/recordings/not-a-uuid", 404, "not_found"),
        ("GET", "/v1/recordings/..%2f..%2fmeta", 404, "not_found"),
        ("GET", f"/v1/recordings/{UNKNOWN}", 404, "recording_unknown"),
        ("GET", f"/v1/recordings/{UNKNOWN}/chunks", 404, "recording_unknown"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("PATCH", "/v1/heartbeat", 405, "method_not_allowed"),
        ("GET", "/v1/recordings?limit=0", 422, "limit_out_of_range"),
        ("GET", "/v1/recordings?limit=1e3", 422, "limit_out_of_range"),
        ("GET", "/v1/recordings?limit=%D9%A3", 422, "limit_out_of_range"),
        ("GET", "/v1/recordings?cursor=%00", 422, "cursor_malformed"),
        ("GET", "/v1/recordings?cursor=MjAyNi0wMS0wMSBub3QtYS11dWlk", 422, "cursor_malformed"),
        ("GET", f"/v1/recordings/{UNKNOWN}/chunks?after=-2", 422, "after_out_of_range"),
    ],
)
async def test_bad_addresses(running: Running, method: str, path: str, status: int, code: str) -> None:
    found, told = await ask(running, method, path)
    assert (found, told["code"]) == (status, code)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"mime_type": "application/x-msdownload"}, "mime_type_not_allowed"),
        ({"title": "a\x00b"}, "title_malformed"),
        ({"title": 5}, "wrong_type"),
        ({"recorder_id": "x"}, "id_malformed"),
        ({"owner": "bob"}, "unknown_member"),
        ({"expected_bytes": 2**63}, "value_out_of_range"),
    ],
)
async def test_bad_starts(running: Running, changed: dict[str, object], code: str) -> None:
    recording_id = uuid4()
    found, told = await ask(running, "PUT", f"/v1/recordings/{recording_id}", {**START, **changed})
    assert (found, told["code"]) == (422, code)
    assert (await ask(running, "GET", f"/v1/recordings/{recording_id}"))[1]["code"] == "recording_unknown"


@pytest.mark.parametrize(
    ("holding", "code"),
    [
        ([{"recording_id": str(uuid4()), "ranges": [[5, 4]], "open": True}], "range_malformed"),
        ([{"recording_id": str(uuid4()), "ranges": [[0]], "open": True}], "range_malformed"),
        ([{"recording_id": str(uuid4()), "ranges": [["0", 1]], "open": True}], "wrong_type"),
        ([{"recording_id": str(uuid4()), "ranges": [], "open": 1}], "wrong_type"),
        (
            [{"recording_id": "00000000-0000-4000-8000-000000000000", "ranges": [], "open": True}] * 2,
            "duplicate_recording",
        ),
    ],
)
async def test_bad_heartbeats(running: Running, holding: object, code: str) -> None:
    found, told = await ask(running, "POST", "/v1/heartbeat", {**BEAT, "holding": holding})
    assert (found, told["code"]) == (422, code)


async def test_tokens_that_are_refused(running: Running) -> None:
    secret = running.settings.safereel_token_secret.get_secret_value()
    now = datetime.now(UTC)
    good = {"iss": "safereel", "aud": "safereel", "sub": "alice", "scope": "record", "exp": now + timedelta(hours=1)}

    def token(**changed: object) -> str:
        claims = {name: value for name, value in {**good, **changed}.items() if value is not None}
        return jwt.encode(claims, secret, algorithm="HS256")

    expired = token_issuer(secret).issue("alice", ["record"], now - timedelta(hours=2))[0]
    for authorization, status, code in [
        ("", 401, "token_missing"),
        ("Basic YTpi", 401, "token_missing"),
        ("Bearer", 401, "token_missing"),
        ("Bearer nonsense", 401, "token_invalid"),
        (f"Bearer {expired}", 401, "token_expired"),
        (f"Bearer {jwt.encode(good, 'another secret of thirty-two bytes!', algorithm='HS256')}", 401, "token_invalid"),
        (f"Bearer {jwt.encode(good, '', algorithm='none')}", 401, "token_invalid"),
        (f"Bearer {token(aud='somebody-else')}", 401, "token_invalid"),
        (f"Bearer {token(iss='somebody-else')}", 401, "token_invalid"),
        (f"Bearer {token(exp=None)}", 401, "token_invalid"),
        (f"Bearer {token(sub=None)}", 401, "token_invalid"),
        (f"Bearer {token(sub='')}", 401, "token_invalid"),
        (f"Bearer {token(scope='')}", 403, "scope_missing"),
    ]:
        found, told = await ask(running, "GET", "/v1/me", authorization=authorization)
        assert (found, told["code"]) == (status, code), authorization
    assert (await ask(running, "GET", "/v1/me", authorization=f"Bearer {token()}"))[0] == 200


async def test_only_our_own_page_gets_a_session(running: Running) -> None:
    found, told = await ask(running, "POST", "/v1/session", authorization="", **{"sec-fetch-site": "cross-site"})
    assert (found, told["code"]) == (403, "origin_forbidden")
    found, told = await ask(running, "POST", "/v1/session", authorization="", **{"sec-fetch-site": "same-origin"})
    assert found == 200
    assert (await ask(running, "GET", "/v1/me", authorization=f"Bearer {told['token']}"))[1]["owner"] == told["owner"]


async def test_a_fault_of_ours_tells_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("control_plane.services.recordings.RecordingService.status", broken)
    found, told = await ask(running, "GET", f"/v1/recordings/{uuid4()}")
    assert (found, told["code"]) == (500, "internal")
    assert "hunter2" not in json.dumps(told)


async def test_another_name_for_this_machine_gets_no_session(running: Running) -> None:
    """DNS rebinding: a foreign name that points here, and browsers that send no Fetch Metadata."""
    for headers in ({"host": "evil.example"}, {"host": "localhost:1", "origin": "http://evil.example"}):
        found, told = await ask(running, "POST", "/v1/session", authorization="", **headers)
        assert (found, told["code"]) == (403, "origin_forbidden")
