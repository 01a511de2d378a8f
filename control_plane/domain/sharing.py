"""Links to recordings: what may stand in one, and whose calls by them are counted together. Pure."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Ours have 22 characters; what a bucket tells may be another program's.
SHARE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# A household or an office has a /64 and any number of addresses in it (RFC 6177).
_HOUSEHOLD_BITS = 64

_PORT = re.compile(r"\[(?P<bracketed>[^\]]+)\](:\d+)?|(?P<v4>[0-9.]+):\d+")


def is_share_id(text: str) -> bool:
    """Whether a link could have this in it at all."""
    return SHARE_ID.fullmatch(text) is not None


def caller_of(peer: str | None, forwarded: Sequence[str], *, trusted_proxies: int) -> str:
    """The name under which calls from one address are counted; IPv6 addresses of one household are one.

    `peer` is who is connected to us, `forwarded` what X-Forwarded-For says, oldest first. Each of the trusted proxies has
    appended whom it was called by: so many from the end is the client, and whatever stands before that, anybody may have written.
    Where that is no address, the last one behind it that is one counts.
    """
    chain = [*forwarded[-trusted_proxies:], peer or ""] if trusted_proxies else [peer or ""]
    return next((_counted(found) for text in chain if (found := _address(text)) is not None), "unknown")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it, with or without a port."""
    text = text.strip().strip('"')
    if with_port := _PORT.fullmatch(text):
        text = with_port["bracketed"] or with_port["v4"]
    try:
        return ip_address(text)
    except ValueError:
        return None


def _counted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _HOUSEHOLD_BITS), strict=False))
