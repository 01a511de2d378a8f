"""Where webhooks may be sent: which URLs are taken, and which addresses are connected to. Pure.

A URL is read by one strict form, so that no two readers of it see different hosts. What it names is judged twice: as it is
written, when it is asked for, and by every address that its name has, each time something is sent (a name may lead anywhere, and
elsewhere a moment later).
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from control_plane.domain.errors import Refusal, WebhooksOff, WebhookUrlForbidden, WebhookUrlMalformed

Address = IPv4Address | IPv6Address

# What browsers and proxies take at the least; every store of it is bounded by it.
MAX_URL_LENGTH = 2_000
# RFC 1035, 2.3.4.
MAX_HOST_LENGTH = 253

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
# RFC 3986, 3.3 and 3.4: anything else must be percent-encoded.
_REST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/?\[\]-]*")
# As the WHATWG's URL standard has it ("ends in a number"): such a host is taken for an IPv4 address, in many spellings.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

# Not for the public: the "Globally Reachable: False" of IANA's IPv4 Special-Purpose Address Registry (RFC 6890), multicast
# (RFC 5771), and the anycast of 6to4 relays, which RFC 7526 withdrew.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# The only part of IPv6 that is given out (RFC 4291, 2.4): loopback, link-local, unique local, multicast and others lie outside.
_GIVEN_OUT_6 = IPv6Network("2000::/3")
# Of that: protocol assignments with Teredo, documentation twice, and 6to4, which leads to any IPv4 address.
_NOT_PUBLIC_6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
# IPv4 addresses inside IPv6 ones, in their last four bytes: mapped (RFC 4291, 2.5.5.2), and what NAT64 makes of them (RFC 6052).
_EMBEDDED_4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True, slots=True)
class WebhookRules:
    """Whether webhooks are sent at all, and whether to this network's own addresses too, and without TLS."""

    on: bool
    private_addresses: bool = False


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's: not of this machine, its network, or a group."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if any(address in network for network in _EMBEDDED_4):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GIVEN_OUT_6 and not any(address in network for network in _NOT_PUBLIC_6)


def refusal_of_url(url: str, rules: WebhookRules) -> Refusal | None:
    """Why nothing may be sent to this URL; None where something may, as far as it can be told without asking for the name."""
    if not rules.on:
        return WebhooksOff("Webhooks are off here (SAFEREEL_WEBHOOK_SECRET): leave webhook_url out, and poll or watch.")
    if len(url) > MAX_URL_LENGTH:
        return WebhookUrlMalformed(f"webhook_url is longer than {MAX_URL_LENGTH} characters.")
    parts = _URL.fullmatch(url)
    if parts is None:
        return WebhookUrlMalformed("webhook_url must be an absolute URL: https://host/path.")
    if "@" in parts["authority"]:
        return WebhookUrlMalformed("webhook_url names a user: leave that out, and check the signature instead.")
    return (
        _refusal_of_rest(parts["rest"])
        or _refusal_of_authority(parts["authority"], rules)
        or _refusal_of_scheme(parts["scheme"], rules)
    )


def _refusal_of_rest(rest: str) -> Refusal | None:
    if "#" in rest:
        return WebhookUrlMalformed("webhook_url has a fragment, which is never sent: leave it out.")
    if not _REST.fullmatch(rest):
        return WebhookUrlMalformed("webhook_url has a character that must be percent-encoded.")
    return None


def _refusal_of_scheme(scheme: str, rules: WebhookRules) -> Refusal | None:
    if scheme == "http" and not rules.private_addresses:
        return WebhookUrlForbidden("webhook_url must be an https URL.")
    return None


def _refusal_of_authority(authority: str, rules: WebhookRules) -> Refusal | None:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return WebhookUrlMalformed(
            "webhook_url must name a host, as ASCII (punycode), and a port in digits if it names one."
        )
    if found["port"] is not None and not 1 <= int(found["port"]) <= 65_535:
        return WebhookUrlMalformed("webhook_url must name a port from 1 to 65535.")
    host = found["host"].lower()
    name = host.removesuffix(".")
    if host.startswith("[") or _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _refusal_of_literal(host, rules)
    if len(name) > MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return WebhookUrlMalformed("webhook_url must name a host that can exist: labels of up to 63 characters.")
    if (name == "localhost" or name.endswith(".localhost")) and not rules.private_addresses:
        return _private()
    return None


def _refusal_of_literal(host: str, rules: WebhookRules) -> Refusal | None:
    """Of an address only its one plain spelling is taken: 127.1, 0x7f.0.0.1 and 2130706433 would be the same one."""
    try:
        address = IPv6Address(host[1:-1]) if host.startswith("[") else IPv4Address(host)
    except AddressValueError:
        return WebhookUrlMalformed("webhook_url must name an address as 192.0.2.1 or [2001:db8::1], or a name.")
    return None if rules.private_addresses or is_public(address) else _private()


def _private() -> WebhookUrlForbidden:
    return WebhookUrlForbidden("webhook_url must not lead to this service's own network: name a public address.")
