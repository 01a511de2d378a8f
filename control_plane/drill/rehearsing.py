"""A drill from its start to its end: record, harm, watch, delete."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.bucket import Bucket, BucketUnreachable, ReadBack
from control_plane.domain.errors import Refusal
from control_plane.domain.events import Event, EventFilter, EventPlace
from control_plane.domain.keys import chunk_key
from control_plane.domain.models import ChunkClaim
from control_plane.domain.ranges import Range
from control_plane.drill.cases import WAYS, Case, Outcome, Report, what_lacks
from control_plane.drill.harming import harm
from control_plane.drill.recorder import DrillRecorder
from control_plane.wiring import ControlPlane

POLL_S = 0.5
# Of one drill there are a few dozen.
EVENTS = 500
# Objects of a few chunks are gone in a second; what fails is the deployment's own purge to go on with.
PURGE = timedelta(seconds=10)
TIDY_S = 20.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a drill goes: whose recording, how long each of its two waits may take, whether it runs the sweeps itself."""

    owner: str
    deadline_s: float
    beat_s: float
    sweeps: bool


async def rehearse(plane: ControlPlane, bucket: Bucket, plan: Plan, tell: Tell) -> Report:
    """Runs a drill; `tell` hears how far it is. Whatever happens, its recording is deleted in the end.

    Raises `DrillFailed`, `Refusal`, `BucketUnreachable`, `DatabaseUnreachable`, `WrongBucket`.
    """
    await plane.deployment.claim_bucket()
    async with DrillRecorder(plane.services, plan.owner, len(Case)) as recorder:
        if left := await recorder.delete_leftovers():
            tell(f"deleted {left} of an earlier drill")
        await recorder.start()
        try:
            return await _Rehearsal(plane, bucket, plan, recorder, tell).run()
        finally:
            tell("deleting the recording")
            await _tidy(plane, recorder)


async def _tidy(plane: ControlPlane, recorder: DrillRecorder) -> None:
    """Never the reason why a drill fails: the deletion is tried again by the deployment, or by the next drill."""
    with suppress(TimeoutError, Refusal, BucketUnreachable, DatabaseUnreachable):
        async with asyncio.timeout(TIDY_S):
            await recorder.delete()
            await plane.services.purges.run(within=PURGE)


class _Rehearsal:
    def __init__(self, plane: ControlPlane, bucket: Bucket, plan: Plan, recorder: DrillRecorder, tell: Tell) -> None:
        self._plane = plane
        self._bucket = bucket
        self._plan = plan
        self._recorder = recorder
        self._tell = tell
        self._beat_at = 0.0
        self._harmed_at = dict[Case, float]()
        self._undecided: str | None = None
        # An audit that comes between a PUT and its ack adopts the chunk: that repaired nothing of the drill's.
        self._before_harm = frozenset[EventPlace]()

    async def run(self) -> Report:
        etags = await self._recorder.put_all()
        self._harmed_at[Case.UNACKED] = time.monotonic()
        await self._recorder.ack({seq: etag for seq, etag in etags.items() if seq != Case.UNACKED.seq})
        outcomes = [Outcome(case) for case in Case]
        if not await self._confirmed():
            return self._report(outcomes, self._nothing_confirmed())
        self._before_harm = frozenset(event.place for event in await self._events() if event.seq != Case.UNACKED.seq)
        for case in Case:
            claim = self._recorder.claims[case.seq]
            await harm(case, self._bucket, self._key(claim), claim.size)
            self._harmed_at.setdefault(case, time.monotonic())
        await self._watch(outcomes)
        lacking = [outcome for outcome in outcomes if not outcome.recovered]
        return self._report(outcomes, self._not_recovered(lacking) if lacking else None)

    async def _confirmed(self) -> bool:
        """Whether sweeps confirmed all that was acked, in time."""
        acked = [case.seq for case in Case if case is not Case.UNACKED]
        until = time.monotonic() + self._plan.deadline_s
        while time.monotonic() < until:
            await self._turn()
            confirmed = (await self._recorder.progress()).confirmed
            if all(_within(seq, confirmed) for seq in acked):
                return True
            self._tell(f"waiting for a sweep to confirm what was sent, {until - time.monotonic():.0f} s left")
            await asyncio.sleep(POLL_S)
        return False

    async def _watch(self, outcomes: list[Outcome]) -> None:
        until = time.monotonic() + self._plan.deadline_s
        while time.monotonic() < until:
            await self._turn()
            await self._look(outcomes)
            recovered = sum(outcome.recovered for outcome in outcomes)
            if recovered == len(outcomes):
                return
            self._tell(f"{recovered} of {len(outcomes)} recovered, {until - time.monotonic():.0f} s left")
            await asyncio.sleep(POLL_S)

    async def _turn(self) -> None:
        """What goes on meanwhile: the recorder beats, and the sweeps run if they are the drill's to run."""
        if time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + self._plan.beat_s
            await self._recorder.beat()
        if self._plan.sweeps:
            for sweep in (self._plane.confirm, self._plane.audit):
                self._undecided = (await sweep.run()).cause

    async def _look(self, outcomes: list[Outcome]) -> None:
        ways = await self._ways()
        confirmed = (await self._recorder.progress()).confirmed
        for outcome in outcomes:
            since = time.monotonic() - self._harmed_at[outcome.case]
            if outcome.way is None and (way := ways.get(outcome.case.seq)):
                outcome.way, outcome.repaired_s = way, since
            if outcome.way and not outcome.recovered and _within(outcome.case.seq, confirmed):
                outcome.safe_s = since if await self._is_whole(outcome.case) else None

    async def _ways(self) -> Mapping[int, str]:
        """How chunks came back since they were harmed, by seq."""
        return {
            event.seq: WAYS[event.kind]
            for event in await self._events()
            if event.seq is not None and event.kind in WAYS and event.place not in self._before_harm
        }

    async def _events(self) -> Sequence[Event]:
        wanted = EventFilter(recording_id=self._recorder.recording_id)
        return await self._plane.services.events.page(wanted, before=None, limit=EVENTS)

    async def _is_whole(self, case: Case) -> bool:
        """Whether its own bytes can be read: that the ledger says so is what is rehearsed, not what is believed."""
        claim = self._recorder.claims[case.seq]
        return await self._bucket.read_back(self._key(claim)) == ReadBack(claim.size, claim.sha256)

    def _key(self, claim: ChunkClaim) -> str:
        return chunk_key(self._recorder.recording_id, claim.seq, claim.segment, claim.size, claim.sha256)

    def _report(self, outcomes: list[Outcome], cause: str | None) -> Report:
        return Report(str(self._recorder.recording_id), outcomes, cause)

    def _nothing_confirmed(self) -> str:
        waited = f"What was sent was not confirmed within {self._plan.deadline_s:.0f} s"
        if self._undecided:
            return f"{waited}: {self._undecided}"
        return (
            f"{waited}: the deployment's sweeps do not run, or do not keep up. Nothing was damaged. Start the control "
            "plane and a worker, look into its log, or let the drill run the sweeps with --sweep."
        )

    def _not_recovered(self, lacking: Sequence[Outcome]) -> str:
        undecided = f" The last sweep decided nothing: {self._undecided}" if self._undecided else ""
        return f"Not recovered within {self._plan.deadline_s:.0f} s: {what_lacks(lacking)}{undecided}"


def _within(seq: int, ranges: Sequence[Range]) -> bool:
    return any(first <= seq <= last for first, last in ranges)
