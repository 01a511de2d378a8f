"""The life of some chunks between recorder, network, bucket and ledger, in which each step may fail before or after its effect.

What may happen is a rule; what must hold after each step an invariant; `teardown` lets faults cease and asks for the end of all
chunks: safe and released, lost and said so, or deleted. A new kind of sweep or fault is one more rule.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, LiteralString, TypeVar
from uuid import UUID, uuid4

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg.rows import dict_row

from control_plane.domain.bucket import BucketUnreachable, ObjectExists
from control_plane.domain.errors import RecordingDeleted, RecordingUnknown, StorageUnavailable
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import AckClaim, Beat, ChunkClaim, GrantRequest, Holding, NewRecording, Source
from control_plane.domain.ranges import to_ranges
from control_plane.services.granting import Granted
from control_plane.services.heartbeats import BeatAnswer
from control_plane.wiring import ControlPlane
from tests.support.memory_bucket import Crashed, MemoryBucket, Strike

Result = TypeVar("Result")

OWNER = "alice"
RECORDINGS = 2
CHUNKS = 2
# Enough for: found missing, seen again, asked for, sent, confirmed, released.
ROUNDS = 6
MIME = "video/webm"
# What the services raise when the other side fails; anything else is a fault of ours.
TOLD = (BucketUnreachable, StorageUnavailable, RecordingDeleted, RecordingUnknown, Crashed)

EMPTY: LiteralString = """
truncate recordings, chunks, sightings, tickets, recorders, holdings, gone_reports, owners, freezes, fixity, sweeps,
         audit_rounds, audited_shards cascade;
insert into audited_shards (shard) select generate_series(0, 255);
update deployment set doubted_at = 'epoch'
"""


class Network(StrEnum):
    """What becomes of a call."""

    WORKS = "works"
    LOST_BEFORE = "lost before"
    LOST_AFTER = "lost after"


@dataclass(frozen=True, slots=True)
class Parts:
    """What lives are made of."""

    runner: asyncio.Runner
    plane: ControlPlane
    bucket: MemoryBucket
    database_url: str


@dataclass(slots=True)
class Known:
    """What nobody in the system knows of a chunk, and what its recorder does."""

    recording: UUID
    seq: int
    body: bytes
    held: bool = True
    over: bool | None = None  # what the PUT that was granted last may do
    under_way: list[bool] = field(default_factory=list)
    harmed: bool = False  # a fault took bytes of it away
    acked_at: int = 0
    generation: int = -1

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def key(self) -> str:
        return chunk_key(self.recording, self.seq, 0, len(self.body), self.sha256)

    @property
    def claim(self) -> ChunkClaim:
        return ChunkClaim(self.seq, 0, len(self.body), self.sha256)


strikes = st.one_of(
    st.none(), st.none(), st.builds(Strike, calls=st.integers(0, 4), after=st.booleans(), crash=st.booleans())
)
networks = st.sampled_from([Network.WORKS, Network.WORKS, Network.LOST_BEFORE, Network.LOST_AFTER])
picks = st.integers(0, RECORDINGS * CHUNKS - 1)


class FaultyLife(RuleBasedStateMachine):
    """To be subclassed with `made_of`."""

    made_of: ClassVar[Parts]

    @initialize()
    def begin(self) -> None:
        """Empty, with two recordings begun."""
        self.bucket, self.plane = self.made_of.bucket, self.made_of.plane
        self.bucket.clear()
        self.connection = psycopg.connect(self.made_of.database_url, autocommit=True, row_factory=dict_row)
        self.connection.execute(EMPTY)
        self.recorder_id, self.counter = uuid4(), 0
        self.chunks: list[Known] = []
        self.deleted: set[UUID] = set()
        self.gone: set[UUID] = set()
        self.answer: BeatAnswer | None = None
        self.beaten_at = 0
        self.cut_short: set[int] = set()
        self.recordings = [uuid4() for _ in range(RECORDINGS)]
        self._run(self.plane.deployment.claim_bucket())
        for recording_id in self.recordings:
            new = NewRecording(recording_id, OWNER, self.recorder_id, Source.RECORDER, MIME, None, None)
            self._run(self.plane.services.recordings.start(new))

    # The recorder ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.chunks) < RECORDINGS * CHUNKS)
    @rule(number=st.integers(0, RECORDINGS - 1))
    def record(self, number: int) -> None:
        """A chunk is sealed and read back."""
        recording = self.recordings[number]
        seq = sum(chunk.recording == recording for chunk in self.chunks)
        if recording not in self.deleted and seq < CHUNKS:
            self.chunks.append(Known(recording, seq, f"{recording}/{seq}".encode()))

    @precondition(lambda self: len(self.chunks) < RECORDINGS * CHUNKS)
    @rule(number=st.integers(0, RECORDINGS - 1))
    def record_and_settle(self, number: int) -> None:
        """As most chunks live: sealed, sent, confirmed, and not yet released."""
        before = len(self.chunks)
        self.record(number)
        if len(self.chunks) > before:
            self._send(self.chunks[-1])
            self._run(self.plane.confirm.run())

    @rule(pick=picks, network=networks, strike=strikes)
    def grant(self, pick: int, network: Network, strike: Strike | None) -> None:
        """Asks for one grant."""
        if chunk := self._held(pick):
            self._grant(chunk, network, strike)

    @rule(pick=picks, network=networks)
    def put(self, pick: int, network: Network) -> None:
        """PUTs what was granted; what is lost before its effect may arrive late."""
        chunk = self._held(pick)
        if chunk is None or chunk.over is None:
            return
        if network is Network.LOST_BEFORE:
            chunk.under_way.append(chunk.over)
        else:
            self._arrive(chunk, chunk.over)

    @rule(pick=picks)
    def arrive_late(self, pick: int) -> None:
        """A PUT that nobody waits for any more."""
        chunk = self._picked(pick)
        if chunk and chunk.under_way:
            self._arrive(chunk, chunk.under_way.pop())

    @rule(pick=picks, network=networks, strike=strikes)
    def ack(self, pick: int, network: Network, strike: Strike | None) -> None:
        """Claims one chunk."""
        if chunk := self._held(pick):
            self._ack(chunk, network, strike)

    @rule(pick=picks)
    def send(self, pick: int) -> None:
        """All of it, and nothing goes wrong."""
        if chunk := self._held(pick):
            self._send(chunk)

    @rule(network=networks)
    def beat(self, network: Network) -> None:
        """What was answered before is not waited for any more."""
        self.answer = self._beat(network)

    @precondition(lambda self: self.answer is not None)
    @rule()
    def obey(self) -> None:
        """Acts on the answer to the latest beat, however late."""
        self._obey()

    @rule()
    def beat_and_obey(self) -> None:
        """As most beats go."""
        self.answer = self._beat(Network.WORKS)
        self._obey()

    @rule(pick=picks)
    def evict(self, pick: int) -> None:
        """The device loses a chunk."""
        if chunk := self._held(pick):
            chunk.held, chunk.harmed = False, True

    # The bucket -----------------------------------------------------------------------------------------------------

    @rule(pick=picks, marked=st.booleans())
    def vanish(self, pick: int, marked: bool) -> None:
        """For good, or under a delete marker."""
        chunk = self._picked(pick)
        if chunk and self.bucket.sha256_of(chunk.key):
            self.bucket.lose(chunk.key, marked=marked)
            chunk.harmed = True

    @rule(pick=picks)
    def damage(self, pick: int) -> None:
        """Other bytes lie there."""
        chunk = self._picked(pick)
        if chunk and self.bucket.sha256_of(chunk.key):
            self.bucket.damage(chunk.key)
            chunk.harmed = True

    # The scheduler --------------------------------------------------------------------------------------------------

    @rule(strike=strikes)
    def confirm(self, strike: Strike | None) -> None:
        """A confirm sweep."""
        self._struck(strike, self.plane.confirm.run)

    @rule(strike=strikes)
    def audit(self, strike: Strike | None) -> None:
        """An audit."""
        self._struck(strike, self.plane.audit.run)

    @rule()
    def two_sweeps(self) -> None:
        """Of two machines at once."""

        async def both() -> None:
            await asyncio.gather(self.plane.confirm.run(), self.plane.audit.run(), self.plane.audit.run())

        self._run(both())

    @rule()
    def judge_tickets(self) -> None:
        """Whether anybody can serve those that are open."""
        self._run(self.plane.services.tickets.run())

    # The owner ------------------------------------------------------------------------------------------------------

    @rule(number=st.integers(0, RECORDINGS * 4))
    def delete(self, number: int) -> None:
        """Seldom."""
        if number < RECORDINGS and self.recordings[number] not in self.deleted:
            self._run(self.plane.services.deletions.delete(OWNER, self.recordings[number]))
            self.deleted.add(self.recordings[number])

    @rule(strike=strikes)
    def purge(self, strike: Strike | None) -> None:
        """What is due."""
        self._struck(strike, self.plane.services.purges.run)

    # What must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def a_chunk_is_missing_as_long_as_its_ticket_is_open(self) -> None:
        """And there is one."""
        rows = self._sql("""
            select c.recording_id, c.seq, c.state, count(t.id) as open
              from chunks c join recordings r on r.id = c.recording_id
              left join tickets t on (t.recording_id, t.seq) = (c.recording_id, c.seq) and t.state = 'open'
             where r.state in ('open', 'expired', 'complete')
             group by c.recording_id, c.seq, c.state""")
        wrong = [row for row in rows if row["open"] != (row["state"] == "missing")]
        assert not wrong, f"state and tickets do not agree: {wrong}"

    @invariant()
    def every_ticket_ends_with_a_cause(self) -> None:
        """And a time."""
        assert self._sql("select * from tickets where state <> 'open' and (closed_at is null or cause is null)") == []

    @invariant()
    def nothing_of_a_deleted_recording_is_acked(self) -> None:
        """Nor asked for."""
        for row in self._ledger():
            if row["recording_id"] in self.deleted:
                known = self._of(row)
                assert row["generation"] <= max(known.generation, 0)

    @invariant()
    def counters_are_what_the_ledger_says(self) -> None:
        """DESIGN's rule of quotas: used and reserved."""
        rows = self._sql("""
            select o.used_bytes, o.reserved_bytes,
                   coalesce(sum(c.size) filter (where c.state in ('acked', 'confirmed', 'missing')), 0) as used,
                   coalesce(sum(c.size) filter (where c.reserved), 0) as reserved
              from owners o
              left join recordings r on r.owner = o.id and r.state in ('open', 'expired', 'complete')
              left join chunks c on c.recording_id = r.id
             group by o.id""")
        for row in rows:
            assert (row["used_bytes"], row["reserved_bytes"]) == (row["used"], row["reserved"])

    @invariant()
    def bytes_that_no_fault_took_are_somewhere(self) -> None:
        """On the device or in the bucket."""
        for chunk in self._alive():
            assert chunk.harmed or chunk.held or self.bucket.sha256_of(chunk.key) == chunk.sha256

    @invariant()
    def acks_are_remembered(self) -> None:
        """When the ledger took which: no invariant, but what `_obey` judges by."""
        for row in self._ledger():
            if row["recording_id"] not in self.deleted:
                known = self._of(row)
                if row["state"] == "acked" and row["generation"] != known.generation:
                    known.acked_at = self.bucket.now
                known.generation = row["generation"]

    def teardown(self) -> None:
        """Faults cease."""
        if not hasattr(self, "recordings"):
            return  # it never began
        try:
            self._converge()
            self._all_ends_are_good()
        finally:
            self.connection.close()

    def _converge(self) -> None:
        for chunk in self.chunks:
            chunk.under_way.clear()
        for _ in range(ROUNDS):
            if self._has_ended():
                return
            for chunk in self._alive():
                if chunk.held:
                    self._send(chunk)
            self._run(self.plane.confirm.run())
            self._run(self.plane.audit.run())
            self.answer = self._beat(Network.WORKS)
            self.acks_are_remembered()
            self._obey()
            self._sql("update tickets set opened_at = opened_at - interval '1 year' where state = 'open'")
            self._run(self.plane.services.tickets.run())
            self._sql("update recordings set purge_after = now(), purge_until = now() where state = 'deleting'")
            self._run(self.plane.services.purges.run())
        self.answer = self._beat(Network.WORKS)
        self._obey()

    def _has_ended(self) -> bool:
        """What a fault took may have been seen by no sweep so far."""
        under_way = "select 1 from chunks where state not in ('confirmed', 'lost')"
        return (
            not any(chunk.held or chunk.harmed for chunk in self.chunks)
            and not self.deleted
            and not self._sql(under_way)
        )

    def _all_ends_are_good(self) -> None:
        states = {(row["recording_id"], row["seq"]): row["state"] for row in self._ledger()}
        for chunk in self.chunks:
            state = states.get((chunk.recording, chunk.seq))
            there = self.bucket.sha256_of(chunk.key) == chunk.sha256
            if chunk.recording in self.deleted:
                assert (state, chunk.held, self.bucket.sha256_of(chunk.key)) == (None, False, None)
            elif there:
                assert (state, chunk.held) == ("confirmed", False)
            else:
                assert not chunk.held
                assert state in {"lost", "granted", None}, "what was acked is gone, and nobody says so"
        assert self._sql("select * from tickets where state = 'open'") == []

    # Steps ----------------------------------------------------------------------------------------------------------

    def _grant(self, chunk: Known, network: Network, strike: Strike | None) -> None:
        request = GrantRequest(OWNER, chunk.recording, [chunk.claim])
        answers = self._called(network, strike, lambda: self.plane.services.grants.grant(request))
        chunk.over = None
        if answers and isinstance(answers[0], Granted):
            chunk.over = "if-none-match" not in answers[0].put.headers

    def _arrive(self, chunk: Known, over: bool) -> None:
        if chunk.recording in self.deleted and not self._sql("select 1 from recordings where state = 'deleting'"):
            return  # no URL lives any more
        with suppress(ObjectExists):
            self._run(self.bucket.write(chunk.key, chunk.body, content_type=MIME, overwrite=over))

    def _ack(self, chunk: Known, network: Network, strike: Strike | None) -> None:
        claims = [AckClaim(chunk.seq, None)]
        self._called(network, strike, lambda: self.plane.services.acks.ack(OWNER, chunk.recording, claims))

    def _send(self, chunk: Known) -> None:
        self._grant(chunk, Network.WORKS, None)
        if chunk.over is not None:
            self._arrive(chunk, chunk.over)
            self._ack(chunk, Network.WORKS, None)

    def _beat(self, network: Network) -> BeatAnswer | None:
        self.counter += 1
        self.beaten_at = self.bucket.now
        holding = [
            Holding(recording, to_ranges(seqs), open=True)
            for recording in self.recordings
            if (seqs := [chunk.seq for chunk in self.chunks if chunk.recording == recording and chunk.held])
        ]
        beat = Beat(self.recorder_id, self.counter, None, None, None, "test", holding, list(self.gone))
        return self._called(network, None, lambda: self.plane.services.heartbeats.beat(OWNER, beat))

    def _obey(self) -> None:
        answer, self.answer = self.answer, None
        if answer is None:
            return
        for chunk in self.chunks:
            if chunk.recording in answer.discard:
                chunk.held = False
            if chunk.held and (chunk.recording, chunk.seq, chunk.sha256) in {
                (release.recording_id, release.seq, release.sha256) for release in answer.releases
            }:
                self._require_proof(chunk)
                chunk.held = False
        for ticket in answer.tickets:
            (chunk,) = [c for c in self.chunks if (c.recording, c.seq) == (ticket.recording_id, ticket.seq)]
            if chunk.held:
                chunk.over = "if-none-match" not in ticket.put.headers
            else:
                self.gone.add(ticket.id)

    def _require_proof(self, chunk: Known) -> None:
        """The bucket has shown it since its ack; and had it at the last look, which no fault cut short."""
        proofs = [look for look in self.bucket.looks.get(chunk.key, []) if look.sha256 == chunk.sha256]
        assert proofs, "never seen"
        assert proofs[-1].at > chunk.acked_at, "not seen since it was acked"
        right = self.bucket.sha256_of(chunk.key) == chunk.sha256
        assert right or self._nobody_knew(chunk), "it was known to be gone"

    def _nobody_knew(self, chunk: Known) -> bool:
        """Whether, when the answer was computed, the newest look that was told to the ledger showed the chunk."""
        told = [
            look for look in self.bucket.looks[chunk.key] if look.at <= self.beaten_at and look.at not in self.cut_short
        ]
        return bool(told) and told[-1].sha256 == chunk.sha256

    def _called(
        self, network: Network, strike: Strike | None, call: Callable[[], Coroutine[Any, Any, Result]]
    ) -> Result | None:
        """A call of the recorder: its answer, where one arrives."""
        if network is Network.LOST_BEFORE:
            return None
        answer = self._struck(strike, call)
        return None if network is Network.LOST_AFTER else answer

    def _struck(self, strike: Strike | None, call: Callable[[], Coroutine[Any, Any, Result]]) -> Result | None:
        """What the bucket's fault leaves of a call's answer."""
        self.bucket.strike = strike
        began = self.bucket.now
        try:
            return self._run(call())
        except TOLD:
            return None
        finally:
            if strike is not None and self.bucket.strike is None:
                # It was cut short: what it had seen by then it may never have told.
                self.cut_short |= set(range(began, self.bucket.now + 1))
            self.bucket.strike = None

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.made_of.runner.run(work)

    # What is there --------------------------------------------------------------------------------------------------

    def _picked(self, pick: int) -> Known | None:
        return self.chunks[pick % len(self.chunks)] if self.chunks else None

    def _held(self, pick: int) -> Known | None:
        chunk = self._picked(pick)
        return chunk if chunk and chunk.held else None

    def _alive(self) -> Sequence[Known]:
        return [chunk for chunk in self.chunks if chunk.recording not in self.deleted]

    def _of(self, row: dict[str, Any]) -> Known:
        (found,) = [c for c in self.chunks if (c.recording, c.seq) == (row["recording_id"], row["seq"])]
        return found

    def _ledger(self) -> list[dict[str, Any]]:
        return self._sql("select recording_id, seq, state, generation from chunks")

    def _sql(self, statement: LiteralString) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
