"""`create_app`: the route table, the handlers of exceptions, and the typed state of the lifespan."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from control_plane.api import problems
from control_plane.api.calls import CALLS
from control_plane.api.contract import routes_of
from control_plane.api.openapi import openapi_route
from control_plane.api.page import page_routes
from control_plane.api.state import Services, State
from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.errors import Refusal

# How long a browser may remember that a page may call us.
PREFLIGHT_S = 600


def create_app(services: Services, *, page_dir: Path, page_origins: Sequence[str]) -> Starlette:
    """The ASGI application over services that are open; who opened them closes them."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        yield {"services": services}

    app = Starlette(
        routes=[
            *api_routes(),
            *page_routes(page_dir),
        ],
        middleware=_cors(page_origins),
        exception_handlers={
            Refusal: problems.on_refusal,
            DatabaseUnreachable: problems.on_database_unreachable,
            BucketUnreachable: problems.on_bucket_unreachable,
            HTTPException: problems.on_http_exception,
            ClientDisconnect: problems.on_disconnect,
            Exception: problems.on_fault,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # an address that is not one is a problem document, not a redirect
    return app


def api_routes() -> list[Route]:
    """The routes of all declared calls, and of the document that describes them."""
    return [*routes_of(CALLS), openapi_route(CALLS)]


def _cors(page_origins: Sequence[str]) -> list[Middleware]:
    """Lets pages of other origins call; our own page needs no leave."""
    if not page_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(page_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["authorization", "content-type", "traceparent"],
            expose_headers=["retry-after"],
            max_age=PREFLIGHT_S,
        )
    ]
