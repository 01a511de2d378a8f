"""`Provider`: fetches the keys of an OpenID provider over HTTPS. It decides nothing, and remembers nothing.

A fetch is bounded in time and size, and follows no redirect: the address that was configured is the one that is trusted.
"""

import asyncio
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp

from control_plane.domain.addresses import is_confidential
from control_plane.oidc.keys import JwksMalformed, VerificationKey, read_jwks

# Discovery and keys together. Providers answer in a tenth of a second; requests wait for this one.
FETCH_S = 5.0
# Some thirty keys with their certificates; a set is a few KiB.
MAX_DOCUMENT_BYTES = 512 * 1024
WELL_KNOWN = "/.well-known/openid-configuration"


class ProviderUnreachable(Exception):
    """The provider's keys could not be had; the message says what was asked and what came."""


class Provider:
    """An OpenID provider. Open it in the loop that uses it.

    `jwks_url` empty: found by the issuer's discovery document (OpenID Connect Discovery 1.0). `http_allowed`: plain HTTP
    also to other machines.
    """

    def __init__(
        self, issuer: str, *, jwks_url: str, algorithms: frozenset[str], http_allowed: bool, fetch_s: float = FETCH_S
    ) -> None:
        self.issuer = issuer
        self._jwks_url = jwks_url
        self._algorithms = algorithms
        self._http_allowed = http_allowed
        self._fetch_s = fetch_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            # What is not unpacked cannot swell.
            auto_decompress=False,
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self) -> tuple[Sequence[VerificationKey], Sequence[str]]:
        """The provider's usable keys, and why others are passed over. Raises `ProviderUnreachable`."""
        address = self._jwks_url
        try:
            async with asyncio.timeout(self._fetch_s):
                address = address or await self._discover()
                document = await self._get(address)
            return read_jwks(document, self._algorithms)
        except JwksMalformed as exc:
            raise ProviderUnreachable(f"{address}: {exc}") from exc
        except TimeoutError as exc:
            raise ProviderUnreachable(f"{address or self.issuer}: no answer within {self._fetch_s:g} s") from exc

    async def _discover(self) -> str:
        """The address of the keys. The document must be of this very issuer (Discovery 1.0, 4.3)."""
        address = self.issuer.rstrip("/") + WELL_KNOWN
        document = await self._get(address)
        if not isinstance(document, dict):
            raise ProviderUnreachable(f"{address}: not a discovery document")
        if document.get("issuer") != self.issuer:
            raise ProviderUnreachable(f"{address}: of the issuer {document.get('issuer')!r}, not {self.issuer!r}")
        found = document.get("jwks_uri")
        if not isinstance(found, str):
            raise ProviderUnreachable(f"{address}: no jwks_uri")
        if not is_confidential(found, http_allowed=self._http_allowed):
            raise ProviderUnreachable(f"{address}: jwks_uri {found!r} is not an https address")
        return found

    async def _get(self, address: str) -> object:
        if self._session is None:
            raise RuntimeError("the provider is not open")
        try:
            async with self._session.get(address, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise ProviderUnreachable(f"{address}: status {answer.status}")
                return json.loads(await _body(answer, address))
        except (aiohttp.ClientError, ConnectionError) as exc:
            raise ProviderUnreachable(f"{address}: {type(exc).__name__}: {exc}") from exc
        except (ValueError, RecursionError) as exc:
            raise ProviderUnreachable(f"{address}: not JSON") from exc


async def _body(answer: aiohttp.ClientResponse, address: str) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_DOCUMENT_BYTES:
            raise ProviderUnreachable(f"{address}: more than {MAX_DOCUMENT_BYTES} bytes")
    return bytes(body)
