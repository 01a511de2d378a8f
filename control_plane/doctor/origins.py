"""Origins as browsers write them: https://www.rfc-editor.org/rfc/rfc6454#section-6.2."""

from urllib.parse import urlsplit


def origin_of(text: str) -> str:
    """`text` as an origin; `ValueError` for a URL with a path, or anything else that is none."""
    url = urlsplit(text.strip().rstrip("/"))
    if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query or url.fragment or url.username:
        raise ValueError(f"not the origin of a page, such as https://app.example.com: {text!r}")
    return f"{url.scheme}://{url.netloc.lower()}"
