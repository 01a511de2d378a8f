"""`Sender`: POSTs to addresses that strangers named. It decides nothing of what becomes of a message.

A name is looked up once for each try, every address that it has must be allowed, and the connection goes to one of exactly
these. No redirect is followed, no proxy of the environment is used, no cookie is kept, and of an answer only its head is read.
"""

import asyncio
import email.utils
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from control_plane.domain.webhook_urls import Address
from control_plane.domain.webhooks import Answer, Message

Lookup = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Every address of a name. Raises `OSError` where it has none."""

# A receiver in reach greets within a second.
CONNECT_S = 5.0
# It takes a message and works on it later; who needs longer is tried again.
WHOLE_S = 15.0
# aiohttp takes in twice this before it stops reading: 64 KiB, of which we want nothing.
READ_BUFFER_BYTES = 32 * 1024
# Lookups are done in threads of their own: names that strangers chose must not hold up anybody else's.
LOOKUPS = 8
USER_AGENT = "safereel-webhooks"


class AddressForbidden(OSError):
    """The name leads to an address that nothing may be sent to."""


class Sender:
    """Sends messages; use as `async with`, in the loop that sends."""

    def __init__(
        self,
        allowed: Callable[[Address], bool],
        *,
        lookup: Lookup | None = None,
        connect_s: float = CONNECT_S,
        whole_s: float = WHOLE_S,
    ) -> None:
        """`allowed`: whether an address may be connected to."""
        self._allowed = allowed
        self._lookup = lookup or self._ask_system
        self._connect_s, self._whole_s = connect_s, whole_s
        self._threads = ThreadPoolExecutor(LOOKUPS, "webhook-lookup")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                # As many as the caller sends at once; a connection serves one try, so that each is looked up anew.
                limit=0,
                force_close=True,
                use_dns_cache=False,
                resolver=_CheckedResolver(self._lookup, self._allowed),
                socket_factory=self._socket,
                ssl=ssl.create_default_context(),
            ),
            timeout=aiohttp.ClientTimeout(total=self._whole_s, connect=self._connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
            headers={"user-agent": USER_AGENT, "content-type": "application/json", "accept-encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, message: Message, headers: Mapping[str, str]) -> Answer:
        """One try; it raises nothing of what a receiver or the way to it may do."""
        if self._session is None:
            raise RuntimeError("the sender is not open")
        try:
            answer = await self._session.post(
                URL(message.url, encoded=True), data=message.payload.encode(), headers=headers, allow_redirects=False
            )
            answer.close()  # unread: what it says beside its status is for nobody
        except aiohttp.ConnectionTimeoutError:
            return Answer(None, f"It could not be connected to within {self._connect_s:g} s.")
        except TimeoutError:
            return Answer(None, f"It did not answer within {self._whole_s:g} s.")
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return Answer(None, _words(exc))
        return Answer(answer.status, None, _retry_after(answer.headers.get("retry-after")))

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """The last gate: whatever is connected to passes here, also an address that stands in the URL itself."""
        family, kind, proto, _, address = info
        if not self._allowed(_address(address[0])):
            raise AddressForbidden(address[0])
        return socket.socket(family, kind, proto)

    async def _ask_system(self, host: str, port: int) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [_address(address[0]) for *_, address in found]


class _CheckedResolver(AbstractResolver):
    """Answers a name's addresses only if each of them may be connected to: one that is mixed in is no mistake."""

    def __init__(self, lookup: Lookup, allowed: Callable[[Address], bool]) -> None:
        self._lookup = lookup
        self._allowed = allowed

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # aiohttp's; every address is looked at
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port)
        if not all(self._allowed(address) for address in found):
            raise AddressForbidden(host)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _address(text: object) -> Address:
    """Without the name of an interface: only addresses that are no one else's business have one."""
    return ipaddress.ip_address(str(text).partition("%")[0])


def _words(exc: BaseException) -> str:
    """Why there was no answer, for its owner: nothing of our network, and no words of a stranger's."""
    causes = [exc, getattr(exc, "os_error", None), exc.__cause__]
    if any(isinstance(cause, AddressForbidden) for cause in causes):
        return "Its name leads to an address of this service's own network, or of no network."
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return "Its name was not found."
    if isinstance(exc, aiohttp.ClientSSLError):
        return "Its certificate is not valid for its name, or TLS failed."
    if isinstance(exc, aiohttp.ClientConnectorError):
        return "It could not be connected to."
    if isinstance(exc, aiohttp.ServerDisconnectedError | ConnectionError):
        return "It closed the connection without an answer."
    return "It did not answer with HTTP."


def _retry_after(value: str | None) -> timedelta | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:9]))  # more digits are years
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC))
