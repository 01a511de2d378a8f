"""`/health`, `/health/live`, `/health/ready`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.answers import answer
from control_plane.api.state import State, services


async def health(request: Request[State]) -> Response:
    """Each part by name; 503 if one of them does not answer."""
    found = await services(request).health.check()
    return answer(
        {
            "status": "healthy" if found.healthy else "unhealthy",
            "checks": {"storage": found.storage, "database": found.database},
        },
        200 if found.healthy else 503,
    )


async def live(_: Request[State]) -> Response:
    """The process answers: restarting it would not help anything that is wrong."""
    return answer({"status": "live"})


async def ready(request: Request[State]) -> Response:
    """It can take work: bucket and database answer."""
    found = await services(request).health.check()
    return answer({"status": "ready" if found.healthy else "not_ready"}, 200 if found.healthy else 503)


routes = [
    Route("/health", health, methods=["GET"]),
    Route("/health/live", live, methods=["GET"]),
    Route("/health/ready", ready, methods=["GET"]),
]
