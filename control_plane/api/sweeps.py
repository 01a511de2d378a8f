"""`/v1/admin/sweeps`: reports of sweeps, and sweeps run now. For tokens with the scope `admin`."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Count, Id, Time, answer, maybe_rfc3339, rfc3339
from control_plane.api.auth import ADMIN, administrator_of
from control_plane.api.bodies import SweepBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import Cursor, OneOf, PathId, WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.errors import SweepUnknown
from control_plane.domain.keys import SHARDS
from control_plane.domain.limits import MAX_PAGE
from control_plane.domain.models import SweepKind
from control_plane.domain.work import AuditRound, StoredSweep, SweepStanding

SWEEP_ID = PathId(name="id", description="The sweep's id.", example="7d0c1f3a-52b8-4a0e-9f43-0c8f1d2e3b4a")
KIND = OneOf(name="kind", description="Only sweeps of this kind.", words=SweepKind, example=SweepKind.AUDIT)
OUTCOME = OneOf(
    name="outcome",
    description="Only sweeps that came to this; `waiting`: those asked for that have not run yet.",
    words=SweepStanding,
    example=SweepStanding.UNDECIDED,
)
CURSOR = Cursor(
    name="cursor",
    description="`next_cursor` of the page before; left out: the newest.",
    example="MjAyNi0xMS0wMlQxMDowMDowMCswMDowMCA3ZDBjMWYzYS01MmI4LTRhMGUtOWY0My0wYzhmMWQyZTNiNGE=",
)
LIMIT = WholeNumber(name="limit", description="How many sweeps a page has at most.", default=100, low=1, high=MAX_PAGE)


class SweepAnswer(TypedDict):
    """A sweep over the shards `first_shard` to `last_shard` (0 to 255 is everything). `outcome`: `decided` applied what it found;
    `undecided` did not trust what it saw, for the `cause`, and applied nothing; `waiting` has not run yet. `round` is that of the
    audit which it was a part of, `worker` the process that ran it. What it found is in `report`.
    """

    id: Id
    kind: SweepKind
    dry_run: bool
    outcome: SweepStanding
    cause: str | None
    started_at: Time
    finished_at: Time | None
    first_shard: Count
    last_shard: Count
    round: Count | None
    worker: str | None
    looked_at: Count
    report: Mapping[str, Any]


class RoundAnswer(TypedDict):
    """One pass of the audit over all shards. `given_up`: no part of it was finished for long, and another one began."""

    id: Count
    began_at: Time
    finished_at: Time | None
    shards_done: Count
    shards: Count
    given_up: bool


class SweepList(TypedDict):
    """Sweeps, newest first, and the round of the audit that runs, or else the last one."""

    sweeps: list[SweepAnswer]
    next_cursor: str | None
    audit_round: RoundAnswer | None


class SweepsAsked(TypedDict):
    """Where the reports will be: one sweep for each part of the bucket."""

    sweeps: list[Id]


async def sweeps(request: Request[State]) -> Response:
    """Newest first. Confirmations that had nothing to look at are not kept; others for `SAFEREEL_SWEEP_REPORTS_DAYS`."""
    await administrator_of(request)
    limit = LIMIT.read(request)
    reports = services(request).sweep_reports
    found = await reports.page(
        kind=KIND.read(request),
        outcome=OUTCOME.read(request),
        before=CURSOR.read(request),
        limit=limit,
    )
    following = Cursor.after(found[-1].started_at, found[-1].id) if len(found) == limit else None
    told: SweepList = {
        "sweeps": [sweep_answer(sweep) for sweep in found],
        "next_cursor": following,
        "audit_round": round_answer(await reports.newest_round()),
    }
    return answer(told)


async def sweep(request: Request[State]) -> Response:
    """One sweep with its report; `waiting` until a worker has run it."""
    await administrator_of(request)
    return answer(sweep_answer(await services(request).sweep_reports.read(request.path_params["id"])))


async def run_sweep(request: Request[State]) -> Response:
    """Has a sweep run now by whichever worker is free, beside those of the clock. A large bucket is audited in parts, each with a
    report of its own. With `dry_run`, the report says what would be done, and nothing is.
    """
    await administrator_of(request)
    body = await read(request, SweepBody)
    asked = await services(request).dispatch.run_now(SweepKind(body.kind), dry_run=body.dry_run)
    told: SweepsAsked = {"sweeps": [str(sweep_id) for sweep_id in asked]}
    return answer(told, 202)


def sweep_answer(found: StoredSweep) -> SweepAnswer:
    """A sweep."""
    return {
        "id": str(found.id),
        "kind": found.kind,
        "dry_run": found.dry_run,
        "outcome": found.standing,
        "cause": found.cause,
        "started_at": rfc3339(found.started_at),
        "finished_at": maybe_rfc3339(found.finished_at),
        "first_shard": found.first_shard,
        "last_shard": found.last_shard,
        "round": found.round,
        "worker": found.worker or None,
        "looked_at": found.looked_at,
        "report": found.report,
    }


def round_answer(found: AuditRound | None) -> RoundAnswer | None:
    """A round of the audit."""
    if found is None:
        return None
    return {
        "id": found.id,
        "began_at": rfc3339(found.began_at),
        "finished_at": maybe_rfc3339(found.finished_at),
        "shards_done": found.shards_done,
        "shards": SHARDS,
        "given_up": found.given_up,
    }


EXAMPLE: SweepAnswer = {
    "id": SWEEP_ID.example,
    "kind": SweepKind.AUDIT,
    "dry_run": False,
    "outcome": SweepStanding.DECIDED,
    "cause": None,
    "started_at": examples.NOW,
    "finished_at": "2026-11-02T10:00:01.250Z",
    "first_shard": 0,
    "last_shard": 255,
    "round": 17,
    "worker": "worker-1:7",
    "looked_at": 48_210,
    "report": {"discrepancies": {"missing": 1}, "first_sightings": 0, "tickets_opened": 1},
}
ROUND: RoundAnswer = {
    "id": 17,
    "began_at": examples.NOW,
    "finished_at": "2026-11-02T10:00:01.300Z",
    "shards_done": SHARDS,
    "shards": SHARDS,
    "given_up": False,
}

calls = [
    Call(
        id="listSweeps",
        method="GET",
        path="/v1/admin/sweeps",
        handler=sweeps,
        summary="List sweeps",
        tag="Administration",
        scope=ADMIN,
        query=[KIND, OUTCOME, CURSOR, LIMIT],
        answers=[
            Answer(
                SweepList,
                {"sweeps": [EXAMPLE], "next_cursor": None, "audit_round": ROUND},
                description="A page of them.",
            )
        ],
    ),
    Call(
        id="runSweep",
        method="POST",
        path="/v1/admin/sweeps",
        handler=run_sweep,
        summary="Run a sweep now",
        tag="Administration",
        scope=ADMIN,
        body=SweepBody,
        example={"kind": "audit", "dry_run": True},
        answers=[Answer(SweepsAsked, {"sweeps": [SWEEP_ID.example]}, 202, "It waits for a worker.")],
    ),
    Call(
        id="getSweep",
        method="GET",
        path="/v1/admin/sweeps/{id:uuid}",
        handler=sweep,
        summary="Get the report of a sweep",
        tag="Administration",
        scope=ADMIN,
        path_parameters=[SWEEP_ID],
        answers=[Answer(SweepAnswer, EXAMPLE, description="The sweep.")],
        problems=[SweepUnknown],
    ),
]
