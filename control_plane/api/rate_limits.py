"""Rate limits per owner, and the fields that tell of them: draft-ietf-httpapi-ratelimit-headers-11.

    RateLimit-Policy: "owner";q=3000;w=10
    RateLimit: "owner";r=2999;t=7

`q` calls in `w` seconds; `r` are left; in `t` seconds there are more.
"""

from starlette.requests import Request

from control_plane.api.answer_headers import also
from control_plane.api.state import State, services
from control_plane.domain.errors import RateLimited
from control_plane.services.limiting import Allowance


async def count(request: Request[State], owner: str) -> None:
    """Counts this call for `owner`, and tells the answer what is left. Raises `RateLimited`."""
    allowance = await services(request).limits.take(owner)
    if allowance is None:
        return
    _tell(request, allowance)
    if not allowance.taken:
        raise RateLimited(
            f"This owner may make {allowance.calls} calls in {allowance.window_s} s. "
            "Repeat the call after the time named: chunks on the device are kept.",
            retry_after_ms=allowance.more_in_s * 1000,
        )


def _tell(request: Request[State], allowance: Allowance) -> None:
    also(
        request.scope,
        (b"ratelimit-policy", b'"owner";q=%d;w=%d' % (allowance.calls, allowance.window_s)),
        (b"ratelimit", b'"owner";r=%d;t=%d' % (allowance.left, allowance.more_in_s)),
    )
