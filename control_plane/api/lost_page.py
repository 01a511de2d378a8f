"""What a person sees at an address where no page is. Programs get a problem document there, as everywhere."""

import base64
import hashlib
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from control_plane.api.answer_headers import content_policy
from control_plane.api.problems import on_http_exception

# One style sheet, in the document itself: the built files may be what is not there.
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 "Inter", system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#f7f6f3, #131516);
  color: light-dark(#1b1d1f, #eceae4); }
main { max-width: 30rem; padding: 2rem 1.25rem; }
svg { display: block; width: 2rem; height: 2rem; margin-bottom: 1.5rem; }
.ring { stroke: light-dark(#b9dfd2, #173a30); }
.arc { stroke: light-dark(#0f8a6a, #3ec79b); }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; font-weight: 600; letter-spacing: -.01em; }
p { margin: 0 0 1.75rem; color: light-dark(#565c62, #a9afb4); }
a { display: inline-block; border-radius: 10px; padding: .625rem 1rem; background: light-dark(#1b1d1f, #eceae4);
  color: light-dark(#f7f6f3, #131516); font-weight: 550; text-decoration: none; }
a:focus-visible { outline: 2px solid light-dark(#2357d8, #7ea2ff); outline-offset: 3px; }
"""
_RINGS = (
    '<circle class="ring" cx="10" cy="10" r="7.5"{light}/><path class="arc" d="M15.3 4.7a7.5 7.5 0 1 0 0 10.6"{safe}/>'
)
_ICON = base64.b64encode(
    (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" fill="none" stroke-width="5">'
        + _RINGS.format(light=' stroke="#b9dfd2"', safe=' stroke="#0f8a6a"')
        + "</svg>"
    ).encode()
).decode()
_DOCUMENT = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>No page here · Safereel</title>
<link rel="icon" href="data:image/svg+xml;base64,{_ICON}">
<style>{_STYLE}</style>
</head>
<body>
<main>
<svg viewBox="0 0 20 20" fill="none" stroke-width="5" aria-hidden="true">{_RINGS.format(light="", safe="")}</svg>
<h1>There is no page at this address</h1>
<p>Your recordings are as safe as before: the address is mistyped, or from another version.</p>
<a href="/">Go to the recorder</a>
</main>
</body>
</html>
""".encode()

_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = content_policy(style_src=f"'sha256-{_STYLE_DIGEST}'", img_src="data:")


def prefers_html(accept: str) -> bool:
    """Whether somebody who sends this Accept would rather have a page than a problem document (RFC 9110, 12.5.1)."""
    ranges = [_weighed(part) for part in accept.split(",")]
    html = _weight(ranges, ("text/html", "text/*", "*/*"))
    return html > max(
        _weight(ranges, (f"application/{kind}", "application/*", "*/*")) for kind in ("problem+json", "json")
    )


async def on_unknown_address(request: Request, exc: Exception) -> Response:
    """No such route, or not with that method: a page for people who look for one, else the problem document."""
    assert isinstance(exc, HTTPException)
    path = request.url.path
    if exc.status_code != 404 or path == "/v1" or path.startswith("/v1/"):
        return await on_http_exception(request, exc)
    if not prefers_html(",".join(request.headers.getlist("accept"))):
        answer = await on_http_exception(request, exc)
        answer.headers["vary"] = "Accept"
        return answer
    headers = {"content-security-policy": _POLICY, "cache-control": "no-cache", "vary": "Accept"}
    return Response(_DOCUMENT, 404, headers, media_type="text/html")


def _weighed(part: str) -> tuple[str, float]:
    """A media range and its weight; one that cannot be read counts for nothing."""
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weight = next((given[2:] for given in parameters if given.startswith("q=")), "1")
    try:
        return kind, min(1.0, float(weight))
    except ValueError:
        return kind, 0.0


def _weight(ranges: Sequence[tuple[str, float]], names: Sequence[str]) -> float:
    """The weight of the most specific range that fits: `names` go from the type itself to everything."""
    return next((weight for name in names for kind, weight in ranges if kind == name), 0.0)
