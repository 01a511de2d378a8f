"""Recorders by the dozen: each records, PUTs straight to the bucket, and at its end compares what it sent with the ledger.

    make run &
    .venv/bin/locust --headless --host http://localhost:8000 --users 20 --spawn-rate 5 --run-time 30s --stop-timeout 60

A user starts a recording, asks for grants in batches ahead of its PUTs, acks, beats and completes; then it waits until every
chunk was confirmed and released to it. A chunk that is lost, or released before its time or with another digest, is a
failure in locust's report, and the process ends with a status that is not 0. When the time is up, recordings under way
are finished first: give them `--stop-timeout`.

From the environment: `SAFEREEL_TOKEN` (without it, each user asks `POST /v1/session`, which only `safereel up` answers),
`SAFEREEL_LOAD_CHUNKS` (at most so many chunks a recording), `SAFEREEL_LOAD_CHUNK_BYTES` (at most so many bytes a chunk).
"""

import hashlib
import os
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gevent
from locust import FastHttpUser, between, events, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment
from locust.exception import StopUser

MAX_CHUNKS = int(os.environ.get("SAFEREEL_LOAD_CHUNKS", "12"))
MAX_CHUNK_BYTES = int(os.environ.get("SAFEREEL_LOAD_CHUNK_BYTES", "262144"))
# So many grants are asked for at once: a recorder on a good line is always some chunks ahead.
BATCH = 4
# A release needs a sweep after the settle time; under load a few of them.
RELEASED_WITHIN_S = 60.0
FIRST_BEAT_S = 0.5


class Broken(Exception):
    """A promise of the protocol was not kept; the message says which."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A sealed chunk."""

    seq: int
    data: bytes
    sha256: str

    @classmethod
    def of_random_size(cls, seq: int) -> "Chunk":
        """Random bytes: no two users send the same."""
        data = os.urandom(random.randint(1, MAX_CHUNK_BYTES))
        return cls(seq, data, hashlib.sha256(data).hexdigest())


class Recorder(FastHttpUser):
    """One recorder: a recording after the other."""

    wait_time = between(0.1, 1.0)
    connection_timeout = 15.0
    network_timeout = 60.0

    def on_start(self) -> None:
        """Gets a token, once."""
        self.recorder_id = str(uuid.uuid4())
        self.counter = 0
        self.token = os.environ.get("SAFEREEL_TOKEN") or self._session()

    @task
    def record(self) -> None:
        """One recording from its start until everything of it was released; compares both sides at the end."""
        recording_id = str(uuid.uuid4())
        with self._verifying("a recording kept whole"):
            self._call(
                "PUT",
                f"/v1/recordings/{recording_id}",
                {"recorder_id": self.recorder_id, "source": "recorder", "mime_type": "video/webm"},
                "PUT /v1/recordings/{id}",
            )
            chunks = [Chunk.of_random_size(seq) for seq in range(random.randint(1, MAX_CHUNKS))]
            held: dict[int, Chunk] = {}
            for start in range(0, len(chunks), BATCH):
                batch = chunks[start : start + BATCH]
                held |= {chunk.seq: chunk for chunk in batch}
                self._send(recording_id, batch)
                self._beat(recording_id, held, more_to_come=True)
            self._complete(recording_id, chunks)
            self._await_releases(recording_id, held)
            self._compare(recording_id, chunks)

    def _send(self, recording_id: str, chunks: Sequence[Chunk]) -> None:
        """Grant, PUT and ack of one batch."""
        asked = [{"seq": c.seq, "segment": 0, "size": len(c.data), "sha256": c.sha256} for c in chunks]
        path = f"/v1/recordings/{recording_id}/grants"
        grants = self._call("POST", path, {"chunks": asked}, "POST grants")["grants"]
        acks = [
            {"seq": chunk.seq, "etag": self._put(grant["put"], chunk)}
            for grant, chunk in zip(grants, chunks, strict=True)
            if grant["state"] == "granted"
        ]
        path = f"/v1/recordings/{recording_id}/acks"
        verdicts = self._call("POST", path, {"acks": acks}, "POST acks")["acks"]
        if [(v["seq"], v["verdict"]) for v in verdicts] != [(c.seq, "match") for c in chunks]:
            raise Broken(f"chunks in the bucket were not acknowledged: {verdicts}")

    def _put(self, put: Any, chunk: Chunk) -> str:
        """Straight to the bucket, with exactly the granted headers; the ETag."""
        with self.client.put(
            put["url"],
            data=chunk.data,  # type: ignore[arg-type]  # bytes are taken; locust's annotation is too narrow
            headers=put["headers"],
            name="PUT to the bucket",
            catch_response=True,
        ) as answer:
            if answer.status_code != 200:
                raise Broken(self._failed(answer, f"the bucket answered {answer.status_code}"))
            return str(answer.headers["ETag"])

    def _beat(self, recording_id: str, held: dict[int, Chunk], *, more_to_come: bool) -> float:
        """Beats, drops from `held` what is released, sends again what is asked for; seconds until the next one."""
        self.counter += 1
        holding = {"recording_id": recording_id, "ranges": [[s, s] for s in sorted(held)], "open": more_to_come}
        answer = self._call(
            "POST",
            "/v1/heartbeat",
            {
                "recorder_id": self.recorder_id,
                "counter": self.counter,
                "sdk": "locust",
                "storage": {"persisted": None, "usage": None, "quota": None},
                "holding": [holding],
                "gone": [],
            },
            "POST /v1/heartbeat",
        )
        for release in answer["releases"]:
            self._release(recording_id, release, held)
        for ticket in answer["tickets"]:
            if ticket["recording_id"] == recording_id:
                etag = self._put(ticket["put"], held[ticket["seq"]])
                path = f"/v1/recordings/{recording_id}/acks"
                self._call("POST", path, {"acks": [{"seq": ticket["seq"], "etag": etag}]}, "POST acks")
        return float(answer["next_heartbeat_ms"]) / 1000

    def _release(self, recording_id: str, release: Any, held: dict[int, Chunk]) -> None:
        """Believes a release only for a held chunk of this digest, and only if the ledger says confirmed."""
        if release["recording_id"] != recording_id:
            raise Broken(f"released of another recording: {release}")
        confirmed = self._confirmed(recording_id)
        for seq, sha256 in release["chunks"]:
            if seq not in held or held[seq].sha256 != sha256:
                raise Broken(f"released chunk {seq} with digest {sha256}, which is not held")
            if seq not in confirmed:
                raise Broken(f"released chunk {seq}, which is not confirmed")
            del held[seq]

    def _complete(self, recording_id: str, chunks: Sequence[Chunk]) -> None:
        totals = {"chunk_count": len(chunks), "total_bytes": sum(len(c.data) for c in chunks)}
        self._call("POST", f"/v1/recordings/{recording_id}/complete", totals, "POST complete")

    def _await_releases(self, recording_id: str, held: dict[int, Chunk]) -> None:
        end = time.monotonic() + RELEASED_WITHIN_S
        pause = FIRST_BEAT_S
        while held:
            if time.monotonic() > end:
                raise Broken(f"not released within {RELEASED_WITHIN_S:.0f} s: {sorted(held)}")
            gevent.sleep(pause)
            pause = min(self._beat(recording_id, held, more_to_come=False), 2 * pause)

    def _compare(self, recording_id: str, chunks: Sequence[Chunk]) -> None:
        """What was sent against what the ledger says."""
        status = self._status(recording_id)
        everything = [[0, len(chunks) - 1]]
        total = sum(len(c.data) for c in chunks)
        told = {
            name: status[name] for name in ("received", "confirmed", "received_bytes", "complete", "missing", "lost")
        }
        sent = {
            "received": everything,
            "confirmed": everything,
            "received_bytes": total,
            "complete": True,
            "missing": [],
            "lost": [],
        }
        if told != sent:
            raise Broken(f"sent {sent}, but the ledger says {told}")

    def _confirmed(self, recording_id: str) -> set[int]:
        ranges = self._status(recording_id)["confirmed"]
        return {seq for first, last in ranges for seq in range(first, last + 1)}

    def _status(self, recording_id: str) -> Any:
        return self._call("GET", f"/v1/recordings/{recording_id}", None, "GET /v1/recordings/{id}")

    def _session(self) -> str:
        with self.client.post("/v1/session", name="POST /v1/session", catch_response=True) as answer:
            if answer.status_code == 0:
                self._failed(answer, f"nobody answers at {self.host}: start the system, or name it with --host")
            elif answer.status_code != 200:
                self._failed(answer, "no session here: set SAFEREEL_TOKEN to a token of your issuer")
            if answer.status_code != 200:
                self.environment.runner.quit()
                raise StopUser
            return str(answer.json()["token"])

    def _call(self, method: str, path: str, body: Any, name: str) -> Any:
        """The answer's JSON; raises `Broken` for any other status than 200 and 201."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with self.client.request(method, path, json=body, headers=headers, name=name, catch_response=True) as answer:
            if answer.status_code not in {200, 201}:
                raise Broken(self._failed(answer, f"{name} answered {answer.status_code}: {answer.text}"))
            return answer.json()

    @staticmethod
    def _failed(answer: ResponseContextManager, why: str) -> str:
        answer.failure(why)  # type: ignore[no-untyped-call]  # locust's own
        return why

    @contextmanager
    def _verifying(self, name: str) -> Iterator[None]:
        """Reports what happens within as one entry: how long it took, and why it failed."""
        started = time.monotonic()
        failure: Broken | None = None
        try:
            yield
        except Broken as exc:
            failure = exc
        self.environment.events.request.fire(
            request_type="VERIFY",
            name=name,
            response_time=(time.monotonic() - started) * 1000,
            response_length=0,
            exception=failure,
            context={},
        )


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # locust's own
def fail_loudly(environment: Environment, **_: object) -> None:
    """Ends with status 1 if anything failed, or if nothing was verified at all."""
    verified = environment.stats.get("a recording kept whole", "VERIFY").num_requests
    if environment.stats.total.num_failures or not verified:
        environment.process_exit_code = 1
