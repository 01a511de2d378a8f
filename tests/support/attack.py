"""Hostile calls over real HTTP, and what was answered otherwise than expected."""

import asyncio
import json
from typing import Any
from uuid import uuid4

from tests.support.plane import Running
from tests.support.raw_http import exchange, problem_of, request

SHA = "a" * 64
RECORDER = "00000000-0000-4000-8000-00000000000a"
START = {"recorder_id": RECORDER, "source": "recorder", "mime_type": "video/webm"}
UNKNOWN = "00000000-0000-4000-8000-000000000001"

Expected = tuple[int, str]


class Attack:
    """Sends what nobody should, and collects what was answered otherwise than expected."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._authorization = f"authorization: Bearer {running.token()}"
        self.recording_id = str(uuid4())
        self.wrong: dict[str, object] = {}

    async def start(self, **members: object) -> None:
        """A recording that is really there."""
        status, _ = await self.call("PUT", f"/v1/recordings/{self.recording_id}", {**START, **members})
        assert status in {200, 201}

    async def call(self, method: str, path: str, body: object = None, *headers: str, **framing: Any) -> tuple[int, Any]:
        """Status and JSON of a call with a good token."""
        given = (self._authorization, *headers)
        if body is None:
            raw = request(method, path, *given)
        else:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            raw = request(method, path, *given, "content-type: application/json", body=data, **framing)
        return await self.raw(raw)

    async def raw(self, *pieces: bytes) -> tuple[int, Any]:
        """Status and JSON; asserts that a refusal is a whole problem document."""
        head, body = await exchange(self._running.endpoint, pieces)
        if head.status >= 400 and body:
            return head.status, problem_of(head, body)
        return head.status, json.loads(body) if body else None

    async def expect(self, name: str, expected: Expected | int, *pieces: bytes) -> None:
        """Bytes as they are."""
        self._judge(name, expected, await self._tried(self.raw(*pieces)))

    async def expect_call(
        self, name: str, expected: Expected | int, method: str, path: str, body: object = None, *headers: str
    ) -> None:
        """A call with a good token."""
        self._judge(name, expected, await self._tried(self.call(method, path, body, *headers)))

    async def _tried(self, answer: Any) -> tuple[int, Any]:
        try:
            found: tuple[int, Any] = await answer
        except (TimeoutError, asyncio.IncompleteReadError, AssertionError) as exc:
            return 0, f"{type(exc).__name__}: {exc}"
        return found

    def _judge(self, name: str, expected: Expected | int, found: tuple[int, Any]) -> None:
        status, told = found
        seen = (status, told.get("code")) if isinstance(told, dict) and status >= 400 else status
        if seen != expected:
            self.wrong[name] = (told, "instead of", expected) if status == 0 else (seen, "instead of", expected)

    async def survived(self) -> None:
        """The process is healthy, and so was every answer."""
        status, told = await self.raw(request("GET", "/health"))
        assert (status, told["status"]) == (200, "healthy")
        assert self.wrong == {}
