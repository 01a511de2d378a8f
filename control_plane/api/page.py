"""The page: built files from `browser/dist`, and the same document under each of the page's addresses; the API's reference."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from control_plane.api.answer_headers import content_policy, page_headers
from control_plane.api.state import State

# The names of built files carry a digest of their content.
FOREVER = "public, max-age=31536000, immutable"
REFERENCE = "/docs"
# Scalar writes styles into its elements. Whatever it may want from elsewhere (fonts, a proxy, sharing) is refused.
REFERENCE_POLICY = content_policy(
    script_src="'self'",
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
    font_src="'self' data:",
    connect_src="'self'",
)
SHARED_ADDRESS = "/s/{share_id}"
ADDRESSES = ("/", "/recordings", "/recordings/{rest:path}", "/downloads")


class _Immutable(StaticFiles):
    def __init__(self, folder: Path, headers: Mapping[str, str]) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._headers = {**headers, "cache-control": FOREVER}

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        response.headers.update(self._headers)
        return response


def page_routes(folder: Path, *, bucket_origin: str) -> Sequence[BaseRoute]:
    """Routes of the page built into `folder`, and of the reference; each is left out where it was not built (an API alone).

    `bucket_origin`: where browsers reach the bucket, which is all that the page may connect to beside us.
    """
    document = folder / "index.html"
    if not document.is_file():
        return []

    headers = page_headers(bucket_origin)

    async def page(_: Request[State]) -> Response:
        return FileResponse(document, headers={**headers, "cache-control": "no-cache"})

    async def shared_page(_: Request[State]) -> Response:
        """For who has a link, and for no search engine."""
        return FileResponse(
            document, headers={**headers, "cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}
        )

    return [
        *_reference_routes(folder / "reference.html"),
        Route(SHARED_ADDRESS, shared_page, methods=["GET"]),
        *(Route(address, page, methods=["GET"]) for address in ADDRESSES),
        Mount("/assets", _Immutable(folder / "assets", headers)),
    ]


def _reference_routes(document: Path) -> Sequence[BaseRoute]:
    if not document.is_file():
        return []

    async def reference(_: Request[State]) -> Response:
        headers = {"cache-control": "no-cache", "content-security-policy": REFERENCE_POLICY}
        return FileResponse(document, headers=headers)

    async def without_slash(_: Request[State]) -> Response:
        return RedirectResponse(REFERENCE, 308)

    return [Route(REFERENCE, reference, methods=["GET"]), Route(f"{REFERENCE}/", without_slash, methods=["GET"])]
