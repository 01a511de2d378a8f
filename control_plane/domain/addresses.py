"""Addresses of other services: what may be sent to them, and believed of them."""

from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(url: str) -> bool:
    """Whether the URL names this very machine."""
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False


def is_confidential(url: str, *, http_allowed: bool = False) -> bool:
    """Whether nobody on the way can read or change what goes to an absolute URL: HTTPS, or HTTP on this machine.

    `http_allowed`: HTTP to any machine, which the caller answers for.
    """
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            return False
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (http_allowed or parts.hostname in LOOPBACK))
