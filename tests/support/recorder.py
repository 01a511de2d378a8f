"""A recorder in Python: makes the calls of docs/protocol.md, one by one, so that tests can repeat, reorder and omit them.

    async with Recorder(endpoint, token) as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=100_000)
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)
        (ack,) = await recorder.ack([(0, put.etag)])
        assert ack.verdict == "match"

An answer of 400 or more raises `Refused`, which carries the problem document. A connection that breaks raises aiohttp's
own errors: lost answers are what many tests are about.
"""

import hashlib
import io
import os
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

Ranges = list[list[int]]
CALL_S = 30.0


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 9457); `members` holds all of it. Inside a batch there is no status of its own (0)."""

    status: int
    code: str
    detail: str
    members: Mapping[str, Any]


class Refused(Exception):
    """The control plane refused a call."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem


@dataclass(frozen=True)
class Chunk:
    """A sealed chunk and its bytes."""

    seq: int
    segment: int
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Permission:
    """A signed PUT: the URL and exactly the headers to send."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer for one chunk: `put` where it is `granted`, `problem` where it is `refused`."""

    seq: int
    state: str
    put: Permission | None
    expires_at: str | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Put:
    """What the bucket answered. `etag` is None where it told none."""

    status: int
    etag: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """The verdict on one chunk; None, with a `problem`, where it was refused."""

    seq: int
    verdict: str | None
    state: str
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request to send one chunk again."""

    id: str
    recording_id: str
    seq: int
    sha256: str
    reason: str
    put: Permission
    expires_at: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat's answer. `releases` by recording id: the `(seq, sha256)` that may be deleted."""

    counter: int
    next_heartbeat_ms: int
    tickets: tuple[Ticket, ...]
    releases: Mapping[str, frozenset[tuple[int, str]]]
    discard: tuple[str, ...]
    notices: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """A recording as the control plane sees it; `members` holds all that was answered."""

    id: str
    state: str
    complete: bool
    received: Ranges
    confirmed: Ranges
    missing: Ranges
    lost: Ranges
    received_chunks: int
    received_bytes: int
    next_chunk_index: int
    open_tickets: int
    members: Mapping[str, Any]


class Recorder:
    """One recorder with one recording; `recording_id` and `recorder_id` may be shared to play a second one."""

    def __init__(
        self,
        endpoint: str,
        token: str,
        *,
        recording_id: str | None = None,
        recorder_id: str | None = None,
        mime_type: str = "video/webm;codecs=vp8,opus",
    ) -> None:
        self.recording_id = recording_id or uuid7()
        self.recorder_id = recorder_id or uuid7()
        self.mime_type = mime_type
        self.counter = 0
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.close()

    def move_to(self, endpoint: str) -> None:
        """Another control plane answers from now on, as after a restart on another ledger."""
        self._endpoint = endpoint.rstrip("/")

    def chunk(self, seq: int, *, size: int = 100_000, segment: int = 0, seed: int = 0) -> Chunk:
        """Bytes that are the same for the same recording, seq, size and seed."""
        return Chunk(seq, segment, random.Random(f"{self.recording_id}/{seq}/{seed}").randbytes(size))

    async def start(self, **changed: object) -> Status:
        """`PUT /v1/recordings/{id}`; `changed` replaces or adds members of the request."""
        body = {"recorder_id": self.recorder_id, "source": "recorder", "mime_type": self.mime_type, **changed}
        return _status(await self.call("PUT", f"/v1/recordings/{self.recording_id}", body))

    async def grant(self, chunks: Sequence[Chunk]) -> list[Grant]:
        """`POST …/grants`."""
        asked = [{"seq": c.seq, "segment": c.segment, "size": c.size, "sha256": c.sha256} for c in chunks]
        answer = await self.call("POST", f"/v1/recordings/{self.recording_id}/grants", {"chunks": asked})
        return [
            Grant(g["seq"], g["state"], _permission(g.get("put")), g.get("expires_at"), _inner_problem(g))
            for g in answer["grants"]
        ]

    async def put(self, permission: Grant | Ticket, chunk: Chunk, *, headers: Mapping[str, str] | None = None) -> Put:
        """The PUT to the bucket, with exactly the granted headers, or those of `headers` in their place."""
        assert self._client is not None
        signed = permission.put
        if signed is None:
            raise ValueError(f"nothing was granted for chunk {permission.seq}")
        async with self._client.put(
            URL(signed.url, encoded=True),
            data=io.BytesIO(chunk.data),
            headers=dict(headers if headers is not None else signed.headers),
        ) as answer:
            return Put(answer.status, answer.headers.get("ETag"), await answer.read())

    async def ack(self, acks: Sequence[tuple[int, str | None]]) -> list[Ack]:
        """`POST …/acks` for pairs of seq and the ETag that the PUT answered (None: lost)."""
        asked = [{"seq": seq} | ({} if etag is None else {"etag": etag}) for seq, etag in acks]
        answer = await self.call("POST", f"/v1/recordings/{self.recording_id}/acks", {"acks": asked})
        return [Ack(a["seq"], a["verdict"], a["state"], _inner_problem(a)) for a in answer["acks"]]

    async def send(self, chunks: Sequence[Chunk]) -> list[Ack]:
        """Grant, PUT and ack of all of them, one after the other, as a recorder does when nothing goes wrong."""
        claimed: list[tuple[int, str | None]] = []
        for grant, chunk in zip(await self.grant(chunks), chunks, strict=True):
            if grant.put is not None:
                claimed.append((chunk.seq, (await self.put(grant, chunk)).etag))
        return await self.ack(claimed) if claimed else []

    async def beat(self, holding: Sequence[Chunk] = (), *, more_to_come: bool = True, gone: Sequence[str] = ()) -> Beat:
        """`POST /v1/heartbeat` holding these chunks of this recording."""
        ranges = [[c.seq, c.seq] for c in sorted(holding, key=lambda c: c.seq)]
        held = [{"recording_id": self.recording_id, "ranges": ranges, "open": more_to_come}] if holding else []
        return await self.beat_holding(held, gone=gone)

    async def beat_holding(self, holding: Sequence[Mapping[str, object]], *, gone: Sequence[str] = ()) -> Beat:
        """`POST /v1/heartbeat` with `holding` as it stands in the protocol."""
        self.counter += 1
        body = {
            "recorder_id": self.recorder_id,
            "counter": self.counter,
            "sdk": "test",
            "storage": {"persisted": None, "usage": None, "quota": None},
            "holding": list(holding),
            "gone": list(gone),
        }
        return _beat(await self.call("POST", "/v1/heartbeat", body))

    async def status(self) -> Status:
        """`GET /v1/recordings/{id}`."""
        return _status(await self.call("GET", f"/v1/recordings/{self.recording_id}"))

    async def complete(self, chunks: Sequence[Chunk], *, accept_lost: bool = False) -> Status:
        """`POST …/complete` with the number and the bytes of `chunks`."""
        body = {
            "chunk_count": len(chunks),
            "total_bytes": sum(c.size for c in chunks),
            "accept_lost": accept_lost,
        }
        return _status(await self.call("POST", f"/v1/recordings/{self.recording_id}/complete", body))

    async def delete(self) -> str:
        """`DELETE /v1/recordings/{id}`: the state that is answered."""
        state: str = (await self.call("DELETE", f"/v1/recordings/{self.recording_id}"))["state"]
        return state

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Any call with this recorder's token: the answer's JSON, or `Refused`."""
        assert self._client is not None
        async with self._client.request(
            method, self._endpoint + path, json=body, headers={"Authorization": f"Bearer {self._token}"}
        ) as answer:
            told = await answer.json(content_type=None)
        if answer.status >= 400:
            raise Refused(_problem(told, answer.status))
        return told


def uuid7() -> str:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then chance."""
    bits = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    version = bits & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=version & ~(3 << 62) | 2 << 62))


def _permission(put: Mapping[str, Any] | None) -> Permission | None:
    return None if put is None else Permission(put["url"], put["headers"])


def _problem(members: Mapping[str, Any], status: int) -> Problem:
    return Problem(status, members["code"], members.get("detail", ""), members)


def _inner_problem(entry: Mapping[str, Any]) -> Problem | None:
    return _problem(entry["problem"], 0) if entry.get("problem") else None


def _beat(answer: Mapping[str, Any]) -> Beat:
    return Beat(
        counter=answer["counter"],
        next_heartbeat_ms=answer["next_heartbeat_ms"],
        tickets=tuple(
            Ticket(
                t["id"],
                t["recording_id"],
                t["seq"],
                t["sha256"],
                t["reason"],
                Permission(t["put"]["url"], t["put"]["headers"]),
                t["expires_at"],
            )
            for t in answer["tickets"]
        ),
        releases={
            r["recording_id"]: frozenset((seq, digest) for seq, digest in r["chunks"]) for r in answer["releases"]
        },
        discard=tuple(answer["discard"]),
        notices=tuple(answer["notices"]),
    )


def _status(answer: Mapping[str, Any]) -> Status:
    return Status(
        id=answer["id"],
        state=answer["state"],
        complete=answer["complete"],
        received=answer["received"],
        confirmed=answer["confirmed"],
        missing=answer["missing"],
        lost=answer["lost"],
        received_chunks=answer["received_chunks"],
        received_bytes=answer["received_bytes"],
        next_chunk_index=answer["next_chunk_index"],
        open_tickets=answer["open_tickets"],
        members=answer,
    )
