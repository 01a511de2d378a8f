"""Rate limits per owner (of viewers without a token: per address), and the fields that tell of them:
draft-ietf-httpapi-ratelimit-headers-11.

    RateLimit-Policy: "owner";q=3000;w=10
    RateLimit: "owner";r=2999;t=7

`q` calls in `w` seconds; `r` are left; in `t` seconds there are more.
"""

from starlette.requests import Request

from control_plane.api.answer_headers import also
from control_plane.api.state import State, services
from control_plane.domain.errors import RateLimited
from control_plane.domain.sharing import caller_of
from control_plane.services.limiting import Allowance, RateLimits


async def count(request: Request[State], owner: str) -> None:
    """Counts this call for `owner`, and tells the answer what is left. Raises `RateLimited`."""
    await _count(request, services(request).limits.owners, owner, "owner")


async def count_address(request: Request[State]) -> None:
    """Counts this call for the address that it comes from. Raises `RateLimited`."""
    limits = services(request).limits
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    peer = request.client.host if request.client else None
    caller = caller_of(peer, forwarded, trusted_proxies=limits.trusted_proxies)
    await _count(request, limits.viewers, caller, "address")


async def _count(request: Request[State], limits: RateLimits, caller: str, kind: str) -> None:
    allowance = await limits.take(caller)
    if allowance is None:
        return
    _tell(request, allowance, kind)
    if not allowance.taken:
        raise RateLimited(
            f"This {kind} may make {allowance.calls} calls in {allowance.window_s} s. "
            "Repeat the call after the time named: chunks on the device are kept.",
            retry_after_ms=allowance.more_in_s * 1000,
        )


def _tell(request: Request[State], allowance: Allowance, kind: str) -> None:
    named = kind.encode()
    also(
        request.scope,
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (named, allowance.calls, allowance.window_s)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (named, allowance.left, allowance.more_in_s)),
    )
