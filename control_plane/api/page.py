"""The page: built files from `browser/dist`, and the same document under each of the page's addresses; the API's reference."""

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from control_plane.api.state import State

# The names of built files carry a digest of their content.
FOREVER = "public, max-age=31536000, immutable"
REFERENCE = "/docs"
# Scalar writes styles into its elements. Whatever it may want from elsewhere (fonts, a proxy, sharing) is refused.
REFERENCE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ADDRESSES = ("/", "/recordings", "/recordings/{rest:path}")


class _Immutable(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        response.headers["cache-control"] = FOREVER
        return response


def page_routes(folder: Path) -> Sequence[BaseRoute]:
    """Routes of the page built into `folder`; none where it was not built (an API without a page)."""
    document = folder / "index.html"
    if not document.is_file():
        return []

    async def page(_: Request[State]) -> Response:
        return FileResponse(document, headers={"cache-control": "no-cache"})

    async def reference(_: Request[State]) -> Response:
        headers = {"cache-control": "no-cache", "content-security-policy": REFERENCE_POLICY}
        return FileResponse(folder / "reference.html", headers=headers)

    return [
        Route(REFERENCE, reference, methods=["GET"]),
        *(Route(address, page, methods=["GET"]) for address in ADDRESSES),
        Mount("/assets", _Immutable(directory=folder / "assets", check_dir=False)),
    ]
