"""`/v1/admin/…`: quotas of owners, recounts, expiry at once. For tokens with the scope `admin`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer, maybe_rfc3339, usage_answer
from control_plane.api.auth import administrator_of
from control_plane.api.bodies import QuotaBody, read
from control_plane.api.queries import number
from control_plane.api.state import State, services
from control_plane.domain.errors import BodyInvalid
from control_plane.domain.identity import is_owner
from control_plane.domain.limits import MAX_PAGE
from control_plane.domain.models import OwnerUsage


async def owners(request: Request[State]) -> Response:
    """`GET /v1/admin/owners`: by name, with limit, used and reserved bytes, and what the last recount found."""
    await administrator_of(request)
    limit = number(request, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
    found = await services(request).quotas.page(after=request.query_params.get("after"), limit=limit)
    following = found[-1].owner if len(found) == limit else None
    return answer({"owners": [_owner_answer(owner) for owner in found], "next_after": following})


async def set_quota(request: Request[State]) -> Response:
    """`PUT /v1/admin/owners/{owner}/quota`: a limit of its own; null gives it that of everybody."""
    await administrator_of(request)
    owner = request.path_params["owner"]
    if not is_owner(owner):
        raise BodyInvalid("owner_malformed", "An owner is 1 to 255 characters without control characters.", [])
    body = await read(request, QuotaBody)
    return answer(_owner_answer(await services(request).quotas.set_limit(owner, body.limit_bytes)))


async def recount(request: Request[State]) -> Response:
    """`POST /v1/admin/quotas/recount`: all counters anew from the ledger; answers those that were off."""
    await administrator_of(request)
    drifted = await services(request).quotas.recount_all()
    return answer(
        {
            "drifted": [
                {"owner": one.owner, "used_off_bytes": one.used_off, "reserved_off_bytes": one.reserved_off}
                for one in drifted
            ]
        }
    )


async def expire(request: Request[State]) -> Response:
    """`POST /v1/admin/expire`: ends dead grants and idle recordings now instead of at the next run."""
    await administrator_of(request)
    expired = await services(request).expiry.run()
    return answer(
        {
            "grants": expired.grants,
            "freed_bytes": expired.freed_bytes,
            "recordings": [str(recording_id) for recording_id in expired.recordings],
        }
    )


def _owner_answer(found: OwnerUsage) -> dict[str, object]:
    return {
        "owner": found.owner,
        "quota": usage_answer(found.usage),
        "own_limit": found.own_limit,
        "recounted_at": maybe_rfc3339(found.recounted_at),
        "drift_bytes": found.drift,
        "drifted_times": found.drifted_times,
    }


routes = [
    Route("/v1/admin/owners", owners, methods=["GET"]),
    Route("/v1/admin/owners/{owner:path}/quota", set_quota, methods=["PUT"]),
    Route("/v1/admin/quotas/recount", recount, methods=["POST"]),
    Route("/v1/admin/expire", expire, methods=["POST"]),
]
