"""Headers that every answer carries, whoever words it: ours, Starlette's, or a refusal by the middleware below.

Layers inside add to them by `also`. A response that sets one of them itself keeps its own: that is how a page gets a policy
that fits it.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

_ALSO = "safereel.headers"

# An answer of the API is data: should a browser ever show one, it may load nothing and stand in no frame.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

# Chromium says in its console when it does not know a name: only those that matter here.
PERMISSIONS = "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=()"


def content_policy(**allowed: str) -> str:
    """A page's Content-Security-Policy (level 3): nothing but what is `allowed`, by directive with `_` for `-`.

    A page with needs of its own puts one into the headers of its responses: what a response brings is kept. That is how
    `api/page.py` serves the API's reference, whose scripts write styles.
    """
    named = {name.replace("_", "-"): sources for name, sources in allowed.items()}
    return "; ".join(f"{directive} {sources}".rstrip() for directive, sources in {**_NOTHING, **named}.items())


_NOTHING = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
"""The last three do not fall back to `default-src`."""


def page_headers(bucket_origin: str) -> dict[str, str]:
    """What the page and its files carry beside the rest. `bucket_origin`: where browsers PUT and GET chunks.

    Styles are set through the DOM, which needs no leave; there is no inline script, and nothing is evaluated. The player
    reads from `blob:` (Media Source Extensions); a file to save is fetched in a frame, since an error of the bucket must not
    take the page's place. A worker is bound by the policy of its own file, so assets carry it too.
    """
    policy = content_policy(
        script_src="'self'",
        worker_src="'self'",
        style_src="'self'",
        img_src="'self' data: blob:",
        font_src="'self'",
        connect_src=f"'self' {bucket_origin}",
        media_src=f"'self' blob: {bucket_origin}",
        frame_src=bucket_origin,
        manifest_src="'self'",
    )
    return {"content-security-policy": policy, "permissions-policy": PERMISSIONS}


def also(scope: Scope, *headers: tuple[bytes, bytes]) -> None:
    """Adds headers to the answer of this request, whoever words it."""
    scope[_ALSO] += headers


class AnswerHeaders:
    """Outermost: what is refused inside gets them as well. `hsts_max_age_s` 0: none, TLS ends in front of us."""

    def __init__(self, app: ASGIApp, *, hsts_max_age_s: int = 0) -> None:
        self._app = app
        self._fixed: Headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            # Pages of other origins call by CORS, which this does not touch; nobody embeds answers by a bare tag.
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"content-security-policy", DATA_POLICY.encode()),
        ]
        if hsts_max_age_s:
            self._fixed.append((b"strict-transport-security", b"max-age=%d" % hsts_max_age_s))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added: Headers = []
        scope[_ALSO] = added

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _merged(message.get("headers", ()), self._fixed, added)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _merged(own: Sequence[tuple[bytes, bytes]], fixed: Headers, added: Headers) -> Headers:
    named = {name for name, _ in own}
    return [*own, *(header for header in fixed if header[0] not in named), *added]
