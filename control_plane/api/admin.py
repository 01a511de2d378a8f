"""`/v1/admin/…`: quotas of owners, recounts, expiry and manifests at once. For tokens with the scope `admin`."""

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Count, Id, Quota, Time, answer, maybe_rfc3339, usage_answer
from control_plane.api.auth import ADMIN, administrator_of
from control_plane.api.bodies import QuotaBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import OwnerName, WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.limits import MAX_PAGE, WORK_OF_A_CALL
from control_plane.domain.models import OwnerUsage

OWNER = OwnerName(name="owner", description="Whose quota: the subject of its tokens.", example="alice")
AFTER = OwnerName(
    name="after", description="`next_after` of the page before; left out: the first page.", example="alice"
)
RECOUNTED = OwnerName(
    name="after", description="`next_after` of the answer before; left out: from the first owner on.", example="alice"
)
LIMIT = WholeNumber(
    name="limit", description="How many owners a page has at most.", default=MAX_PAGE, low=1, high=MAX_PAGE
)


class OwnerAnswer(TypedDict):
    """An owner's quota and its number of live grants. `own_limit` is whether its limit is its own; `drift_bytes` and
    `drift_grants` by how much the last recount found its counters off, `drifted_times` how often one did.
    """

    owner: str
    quota: Quota
    live_grants: int
    own_limit: bool
    recounted_at: Time | None
    drift_bytes: int
    drift_grants: int
    drifted_times: Count


class OwnerPage(TypedDict):
    """Owners by name. `next_after` is null on the last page."""

    owners: list[OwnerAnswer]
    next_after: str | None


class Drifted(TypedDict):
    """An owner whose counters were off, and by how many bytes and live grants."""

    owner: str
    used_off_bytes: int
    reserved_off_bytes: int
    grants_off: int


class RecountAnswer(TypedDict):
    """The owners whose counters were off. `next_after` is null where nobody is left to recount."""

    drifted: list[Drifted]
    next_after: str | None


class ExpiryAnswer(TypedDict):
    """What ended: so many grants, the bytes that they had reserved, and these recordings."""

    grants: Count
    freed_bytes: Count
    recordings: list[Id]


class ManifestsAnswer(TypedDict):
    """Manifests written, failures (the log says why), and how many complete recordings still wait for theirs."""

    written: Count
    failed: Count
    waiting: Count


async def owners(request: Request[State]) -> Response:
    """By name, with limit, used and reserved bytes, and what the last recount found."""
    await administrator_of(request)
    limit = LIMIT.read(request)
    found = await services(request).quotas.page(after=AFTER.in_query(request), limit=limit)
    following = found[-1].owner if len(found) == limit else None
    told: OwnerPage = {"owners": [_owner_answer(owner) for owner in found], "next_after": following}
    return answer(told)


async def set_quota(request: Request[State]) -> Response:
    """Gives an owner a limit of its own; null gives it that of everybody. A limit below what the owner has takes nothing
    away: it ends new grants.
    """
    await administrator_of(request)
    owner = OWNER.in_path(request)
    body = await read(request, QuotaBody)
    return answer(_owner_answer(await services(request).quotas.set_limit(owner, body.limit_bytes)))


async def recount(request: Request[State]) -> Response:
    """Counters anew from the ledger, owner by owner, for some ten seconds; answers those that were off.

    Where `next_after` is not null there are more owners: go on with `?after=`.
    """
    await administrator_of(request)
    after = RECOUNTED.in_query(request)
    recounted = await services(request).quotas.recount_from(after, within=WORK_OF_A_CALL)
    told: RecountAnswer = {
        "drifted": [
            {
                "owner": one.owner,
                "used_off_bytes": one.used_off,
                "reserved_off_bytes": one.reserved_off,
                "grants_off": one.grants_off,
            }
            for one in recounted.drifted
        ],
        "next_after": recounted.next_after,
    }
    return answer(told)


async def expire(request: Request[State]) -> Response:
    """Ends dead grants and idle recordings now instead of at the next run."""
    await administrator_of(request)
    expired = await services(request).expiry.run()
    told: ExpiryAnswer = {
        "grants": expired.grants,
        "freed_bytes": expired.freed_bytes,
        "recordings": [str(recording_id) for recording_id in expired.recordings],
    }
    return answer(told)


async def write_manifests(request: Request[State]) -> Response:
    """Writes manifests of complete recordings to the bucket now instead of at the next run, for some ten seconds at most."""
    await administrator_of(request)
    done = await services(request).manifests.run(within=WORK_OF_A_CALL)
    told: ManifestsAnswer = {"written": done.written, "failed": done.failed, "waiting": done.waiting}
    return answer(told)


def _owner_answer(found: OwnerUsage) -> OwnerAnswer:
    return {
        "owner": found.owner,
        "quota": usage_answer(found.usage),
        "live_grants": found.live_grants,
        "own_limit": found.own_limit,
        "recounted_at": maybe_rfc3339(found.recounted_at),
        "drift_bytes": found.drift,
        "drift_grants": found.drift_grants,
        "drifted_times": found.drifted_times,
    }


EXAMPLE: OwnerAnswer = {
    "owner": "alice",
    "quota": examples.QUOTA,
    "live_grants": 2,
    "own_limit": True,
    "recounted_at": examples.NOW,
    "drift_bytes": 0,
    "drift_grants": 0,
    "drifted_times": 0,
}

calls = [
    Call(
        id="listOwners",
        method="GET",
        path="/v1/admin/owners",
        handler=owners,
        summary="List owners with their quotas",
        tag="Administration",
        scope=ADMIN,
        query=[AFTER, LIMIT],
        answers=[Answer(OwnerPage, {"owners": [EXAMPLE], "next_after": None}, description="A page of them.")],
    ),
    Call(
        id="setQuota",
        method="PUT",
        path="/v1/admin/owners/{owner:path}/quota",
        handler=set_quota,
        summary="Set the limit of an owner",
        tag="Administration",
        scope=ADMIN,
        path_parameters=[OWNER],
        body=QuotaBody,
        example={"limit_bytes": 107_374_182_400},
        answers=[Answer(OwnerAnswer, EXAMPLE, description="The owner as it now is.")],
    ),
    Call(
        id="recountQuotas",
        method="POST",
        path="/v1/admin/quotas/recount",
        handler=recount,
        summary="Count all quotas anew",
        tag="Administration",
        scope=ADMIN,
        query=[RECOUNTED],
        answers=[
            Answer(
                RecountAnswer,
                {
                    "drifted": [
                        {"owner": "alice", "used_off_bytes": 5_242_880, "reserved_off_bytes": 0, "grants_off": 0}
                    ],
                    "next_after": None,
                },
                description="It was done.",
            )
        ],
    ),
    Call(
        id="expireNow",
        method="POST",
        path="/v1/admin/expire",
        handler=expire,
        summary="End what is due now",
        tag="Administration",
        scope=ADMIN,
        answers=[
            Answer(
                ExpiryAnswer,
                {"grants": 2, "freed_bytes": 10_485_760, "recordings": [examples.RECORDING_ID.example]},
                description="It was done.",
            )
        ],
    ),
    Call(
        id="writeManifests",
        method="POST",
        path="/v1/admin/manifests",
        handler=write_manifests,
        summary="Write manifests that are missing now",
        tag="Administration",
        scope=ADMIN,
        answers=[Answer(ManifestsAnswer, {"written": 3, "failed": 0, "waiting": 0}, description="It was done.")],
    ),
]
