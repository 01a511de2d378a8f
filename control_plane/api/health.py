"""`/health`, `/health/live`, `/health/ready`."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api.answers import answer
from control_plane.api.contract import Answer, Call
from control_plane.api.state import State, services
from control_plane.services.health import Part


class Checks(TypedDict):
    """`ok`, or what is wrong with this part; `read_only`: it answers, and takes no writes."""

    storage: Part
    database: Part


class HealthAnswer(TypedDict):
    """Whether every part answers and takes writes, and each part by name."""

    status: Literal["healthy", "unhealthy"]
    checks: Checks


class LiveAnswer(TypedDict):
    """The process answers."""

    status: Literal["live"]


class ReadyAnswer(TypedDict):
    """Whether it can take work."""

    status: Literal["ready", "not_ready"]


async def health(request: Request[State]) -> Response:
    """Each part by name; 503 if one of them does not answer, or takes no writes."""
    found = await services(request).health.check()
    told: HealthAnswer = {
        "status": "healthy" if found.healthy else "unhealthy",
        "checks": {"storage": found.storage, "database": found.database},
    }
    return answer(told, 200 if found.healthy else 503)


async def live(_: Request[State]) -> Response:
    """The process answers: restarting it would not help anything that is wrong."""
    told: LiveAnswer = {"status": "live"}
    return answer(told)


async def ready(request: Request[State]) -> Response:
    """It can take work: bucket and database answer, and the database takes writes."""
    found = await services(request).health.check()
    told: ReadyAnswer = {"status": "ready" if found.healthy else "not_ready"}
    return answer(told, 200 if found.healthy else 503)


HEALTHY: HealthAnswer = {"status": "healthy", "checks": {"storage": "ok", "database": "ok"}}
UNHEALTHY: HealthAnswer = {"status": "unhealthy", "checks": {"storage": "unreachable", "database": "ok"}}

calls = [
    Call(
        id="getHealth",
        method="GET",
        path="/health",
        handler=health,
        summary="See how each part is",
        tag="Health",
        scope=None,
        answers=[
            Answer(HealthAnswer, HEALTHY, description="Every part answers."),
            Answer(HealthAnswer, UNHEALTHY, 503, "A part does not answer, or takes no writes: `checks` says which."),
        ],
    ),
    Call(
        id="getLiveness",
        method="GET",
        path="/health/live",
        handler=live,
        summary="See whether the process answers",
        tag="Health",
        scope=None,
        answers=[Answer(LiveAnswer, {"status": "live"}, description="It does.")],
    ),
    Call(
        id="getReadiness",
        method="GET",
        path="/health/ready",
        handler=ready,
        summary="See whether it can take work",
        tag="Health",
        scope=None,
        answers=[
            Answer(ReadyAnswer, {"status": "ready"}, description="It can."),
            Answer(
                ReadyAnswer,
                {"status": "not_ready"},
                503,
                "Bucket or database do not answer, or the database takes no writes.",
            ),
        ],
    ),
]
