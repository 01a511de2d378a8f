"""Every call of the application as nobody, as a forger, as another owner, and without the scope; see tests/support/access.py."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest

from control_plane.api.auth import ADMIN, RECORD
from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.services.shared_secret import TokenIssuer
from tests.support.access import ROUTES, Access, filled, path_of
from tests.support.plane import Running, running_plane
from tests.support.recorder import Recorder

pytestmark = pytest.mark.anyio

GUARDED = {route: access for route, access in ROUTES.items() if access.scope}
OF_A_RECORDING = {route: access for route, access in ROUTES.items() if access.strangers}
OTHERS = {RECORD: ADMIN, ADMIN: RECORD}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller sees. `told` is the body without what differs from call to call."""

    status: int
    told: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes calls of the table."""

    running: Running
    client: aiohttp.ClientSession

    async def call(
        self, route: str, recording_id: object, authorization: str | None, body: bytes | None = None
    ) -> Answer:
        """`body`: instead of the one in the table. The authorization None is no such header."""
        method, path = route.partition(" ")[0], path_of(route, str(recording_id))
        given = ROUTES[route].body
        sent = body if body is not None or given is None else filled(given, recording_id)
        headers = {"content-type": "application/json"} if sent is not None else {}
        if authorization is not None:
            headers["authorization"] = authorization
        async with self.client.request(method, self.running.endpoint + path, data=sent, headers=headers) as answer:
            endless = answer.content_type == "text/event-stream"
            told = {} if endless else json.loads(await answer.read() or b"{}")
            if answer.status >= 400:
                assert answer.headers["content-type"] == "application/problem+json", route
            for named in ("request_id", "recording_id"):  # which the caller named itself
                told.pop(named, None)
            return Answer(answer.status, told, answer.headers)

    def bearer(self, owner: str, *scopes: str) -> str:
        return f"Bearer {self.running.token(owner, scopes=scopes)}"


@pytest.fixture
async def caller(running: Running) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as client:
        yield Caller(running, client)


@asynccontextmanager
async def alices_recording(running: Running) -> AsyncIterator[Recorder]:
    """A recording of alice with a chunk in the bucket."""
    async with running.recorder("alice") as alice:
        await alice.start(title="Private")
        await alice.send([alice.chunk(0, size=100)])
        yield alice


async def ledger(running: Running) -> Mapping[str, object]:
    """All that calls could have changed, but for bob's own row."""
    return {
        "recordings": await running.sql("select * from recordings order by id"),
        "chunks": await running.sql("select * from chunks order by recording_id, seq"),
        "owners": await running.sql("select * from owners where id <> 'bob' order by id"),
    }


def bad_tokens(running: Running) -> Mapping[str, str]:
    """Headers that show nobody, with the code of their refusal."""
    now = datetime.now(UTC)
    secret = running.settings.safereel_token_secret.get_secret_value()
    good = running.token("alice", scopes=[RECORD, ADMIN])
    claims = jwt.decode(good, options={"verify_signature": False})
    head, payload, signature = good.split(".")
    forged, _ = TokenIssuer("f" * 32, ttl=timedelta(hours=1)).issue("alice", [RECORD, ADMIN], now)
    expired, _ = TokenIssuer(secret, ttl=timedelta(hours=1)).issue("alice", [RECORD, ADMIN], now - timedelta(days=1))
    return {
        "": "token_missing",
        "Bearer": "token_missing",
        f"Basic {good}": "token_missing",
        good: "token_missing",
        "Bearer nonsense": "token_invalid",
        f"Bearer {forged}": "token_invalid",
        f"Bearer {head}.{payload}.": "token_invalid",
        f"Bearer {head}.{payload}.{signature[::-1]}": "token_invalid",
        f"Bearer {jwt.encode(claims, '', 'none')}": "token_invalid",
        f"Bearer {jwt.encode({**claims, 'aud': 'others'}, secret)}": "token_invalid",
        f"Bearer {jwt.encode({**claims, 'iss': 'others'}, secret)}": "token_invalid",
        f"Bearer {expired}": "token_expired",
    }


async def test_nobody_gets_anywhere(running: Running, caller: Caller) -> None:
    async with alices_recording(running) as alice:
        before = await ledger(running)
        for route in GUARDED:
            # Not even that a body is wrong is told to who has no token.
            for body in (None, b"{"):
                answer = await caller.call(route, alice.recording_id, None, body)
                assert (answer.status, answer.told["code"]) == (401, "token_missing"), route
                assert answer.headers["www-authenticate"].startswith("Bearer"), route
        assert await ledger(running) == before


async def test_forgers_get_nowhere(running: Running, caller: Caller) -> None:
    async with alices_recording(running) as alice:
        before = await ledger(running)
        for header, code in bad_tokens(running).items():
            for route in GUARDED:
                answer = await caller.call(route, alice.recording_id, header)
                assert (answer.status, answer.told["code"]) == (401, code), f"{route} {header}"
                assert answer.headers["www-authenticate"].startswith("Bearer"), route
        assert await ledger(running) == before


async def test_no_scope_stands_for_another(running: Running, caller: Caller) -> None:
    """`admin` alone does not record, `record` alone does not administer, and no scope at all does nothing."""
    async with alices_recording(running) as alice:
        before = await ledger(running)
        for route, access in GUARDED.items():
            assert access.scope is not None
            for scopes in ([], [OTHERS[access.scope]], [f"{access.scope}s"]):
                answer = await caller.call(route, alice.recording_id, caller.bearer("alice", *scopes))
                assert (answer.status, answer.told["code"]) == (403, "scope_missing"), f"{route} {scopes}"
                assert f"“{access.scope}”" in answer.told["detail"], route
        assert await ledger(running) == before


@pytest.mark.parametrize("scopes", [[RECORD], [RECORD, ADMIN]])
async def test_anothers_recording_is_answered_like_none(running: Running, caller: Caller, scopes: list[str]) -> None:
    """Administrators, too, record as themselves alone."""
    bob = caller.bearer("bob", *scopes)
    async with alices_recording(running) as alice:
        before = await ledger(running)
        for route, access in OF_A_RECORDING.items():
            answer = await caller.call(route, alice.recording_id, bob)
            assert (answer.status, answer.told["code"]) == access.strangers, route
            assert "alice" not in str(answer.told), route
            assert "Private" not in str(answer.told), route
            if answer.status == 404:
                never = await caller.call(route, uuid4(), bob)
                assert (never.status, never.told) == (answer.status, answer.told), route
        assert await ledger(running) == before


async def test_the_right_token_gets_in(running: Running, caller: Caller) -> None:
    """So that what was refused above was refused for the token, and the table's bodies are good."""
    async with alices_recording(running) as alice:
        for route, access in GUARDED.items():
            assert access.scope is not None
            answer = await caller.call(route, alice.recording_id, caller.bearer("alice", access.scope))
            # The id in the address is a recording's.
            unknown = {"sweep_unknown", "download_unknown", "recording_deleted"}
            there = answer.status in {200, 201, 202, 204, 409} or answer.told["code"] in unknown
            assert there, (route, answer)


async def test_open_calls_ask_for_nothing(running: Running, caller: Caller) -> None:
    for route, access in ROUTES.items():
        if access == Access(None) and "/health" in route:
            assert (await caller.call(route, "", None)).status == 200, route


async def test_only_the_embedded_stack_gives_out_tokens(
    stack: EmbeddedStack, settings: Settings, running: Running, caller: Caller
) -> None:
    embedded = [route for route, access in ROUTES.items() if access.embedded_only]
    assert embedded == ["POST /v1/session"]
    async with running_plane(stack, settings, issues_tokens=False) as served:
        for route in embedded:
            assert (await caller.call(route, "", None)).status == 200
            for authorization in (None, caller.bearer("alice", RECORD, ADMIN)):
                answer = await Caller(served, caller.client).call(route, "", authorization)
                assert (answer.status, answer.told["code"]) == (404, "not_found"), route
                assert "token" not in answer.told
