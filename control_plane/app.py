"""`create_app`: the route table, the handlers of exceptions, and the typed state of the lifespan."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from control_plane.api import problems
from control_plane.api.application import Application
from control_plane.api.calls import CALLS
from control_plane.api.contract import routes_of
from control_plane.api.lost_page import on_unknown_address
from control_plane.api.metrics import metrics_route
from control_plane.api.openapi import openapi_route
from control_plane.api.page import page_routes
from control_plane.api.state import Services, State
from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.errors import Refusal

# The SDK waits no longer for an answer either; whatever we wait for ourselves ends before.
REQUEST_TIMEOUT_S = 30.0


def create_app(
    services: Services,
    *,
    page_dir: Path,
    page_origins: Sequence[str],
    bucket_origin: str = "",
    hsts_max_age_s: int = 0,
    request_timeout_s: float = REQUEST_TIMEOUT_S,
) -> Application:
    """The ASGI application over services that are open; who opened them closes them.

    `page_origins` may call from other sites. `bucket_origin` is where the page reaches the bucket.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        yield {"services": services}

    app = Application(
        page_origins=page_origins,
        hsts_max_age_s=hsts_max_age_s,
        request_timeout_s=request_timeout_s,
        routes=[
            *api_routes(),
            *page_routes(page_dir, bucket_origin=bucket_origin),
        ],
        exception_handlers={
            Refusal: problems.on_refusal,
            DatabaseUnreachable: problems.on_database_unreachable,
            BucketUnreachable: problems.on_bucket_unreachable,
            HTTPException: on_unknown_address if (page_dir / "index.html").is_file() else problems.on_http_exception,
            ClientDisconnect: problems.on_disconnect,
            Exception: problems.on_fault,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # an address that is not one is a problem document, not a redirect
    return app


def api_routes() -> list[Route]:
    """The routes of all declared calls, of the document that describes them, and of figures for Prometheus."""
    return [*routes_of(CALLS), openapi_route(CALLS), metrics_route]
