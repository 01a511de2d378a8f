"""The table of who may make which call has every route that the application has, and no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.routing import Mount, Route

from control_plane.api.auth import ADMIN
from control_plane.api.calls import CALLS
from control_plane.app import create_app
from tests.support.access import ID, ROUTES


def routes_of_the_app(page_dir: Path, *built: str) -> Iterator[str]:
    for name in built:
        (page_dir / name).touch()
    services: Any = None  # no call is made
    app = create_app(services, page_dir=page_dir, page_origins=[])
    for route in app.routes:
        if isinstance(route, Mount):
            yield f"GET {route.path}/…"
            continue
        assert isinstance(route, Route), f"{route} is of a kind that this test cannot see into"
        yield from (f"{method} {route.path}" for method in (route.methods or set()) - {"HEAD"})


def test_every_route_says_who_may_call_it(tmp_path: Path) -> None:
    there_are = set(routes_of_the_app(tmp_path, "index.html", "reference.html"))
    assert there_are - set(ROUTES) == set(), "say in tests/support/access.py who may call them"
    assert set(ROUTES) - there_are == set(), "these are no more"


def test_a_page_that_was_not_built_has_no_route(tmp_path: Path) -> None:
    assert "GET /docs" not in set(routes_of_the_app(tmp_path, "index.html"))


def test_calls_declare_the_same_scope() -> None:
    for call in CALLS:
        assert ROUTES[f"{call.method} {call.path}"].scope == call.scope, call.id


def test_scopes_go_by_the_path() -> None:
    for route, access in ROUTES.items():
        assert (access.scope == ADMIN) == ("/admin/" in route), route
        named = "{id:uuid}" in route or ID in str(access.body)
        assert (access.strangers is not None) == (named and "/admin/" not in route), route
        assert access.scope or "/v1/" not in route or access.embedded_only or access.by_link, route
