"""Tokens of an OpenID provider, checked with the keys that it publishes.

Keys are kept for a time to live, and fetched again when it is over or when a token names a key that is not among them
(rotation). One fetch is under way at a time, and they begin no closer together than `FETCH_EVERY`: tokens with made-up
key names cannot make us hammer the provider. While it is down the last keys stand, up to an age.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from control_plane.domain.errors import IdentityUnavailable, TokenInvalid
from control_plane.domain.identity import ClaimRules, Identity, identity_of
from control_plane.oidc.keys import VerificationKey
from control_plane.oidc.provider import Provider, ProviderUnreachable
from control_plane.services.identity import GET_ANOTHER, Token

# Longer than a fetch may take. Who signs with a new key before publishing it waits no longer than this.
FETCH_EVERY = timedelta(seconds=10)
_HOLD_ON = "Repeat the call: the token may be good. Chunks on the device are kept."

_log = logging.getLogger(__name__)


class KeyRing:
    """A provider's keys as they were last seen. Close it in the loop that uses it."""

    def __init__(self, provider: Provider, *, ttl: timedelta, max_age: timedelta) -> None:
        self._provider = provider
        self._ttl = ttl
        self._max_age = max_age
        self._keys: Sequence[VerificationKey] = ()
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._failing = False
        self._fetching: asyncio.Task[None] | None = None

    def begin(self, now: datetime) -> None:
        """Begins to fetch the keys; the log says what came of it."""
        self._fetch(now)

    async def keys(self, now: datetime) -> Sequence[VerificationKey]:
        """The keys, no older than the time to live, or the last good ones while the provider does not answer.

        Raises `IdentityUnavailable` where there are none, or only ones that are too old to be believed.
        """
        if not self._younger_than(self._ttl, now):
            fetching = self._fetch(now)
            # Of a provider that did not answer the last time nothing is expected: nobody waits for it.
            if fetching is not None and not (self._failing and self._younger_than(self._max_age, now)):
                await asyncio.shield(fetching)
            if not self._younger_than(self._max_age, now):
                raise IdentityUnavailable(_HOLD_ON)
        return self._keys

    async def find(self, kid: str | None, algorithm: str, now: datetime) -> VerificationKey:
        """The key of that name, which takes the algorithm; without a name, the only one that takes it.

        Raises `TokenInvalid` if there is none, `IdentityUnavailable` where that cannot be known now.
        """
        keys = await self.keys(now)
        if kid is not None and not any(key.kid == kid for key in keys):
            fetching = self._fetch(now)
            if fetching is not None:
                await asyncio.shield(fetching)
            if self._failing:
                raise IdentityUnavailable(_HOLD_ON)
        found = [key for key in self._keys if algorithm in key.algorithms and kid in (key.kid, None)]
        if len(found) != 1:
            raise TokenInvalid(GET_ANOTHER)
        return found[0]

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
            with suppress(asyncio.CancelledError):
                await self._fetching

    def _younger_than(self, age: timedelta, now: datetime) -> bool:
        # A clock may have been put back: then they are of no certain age either.
        return self._fetched_at is not None and abs(now - self._fetched_at) < age

    def _fetch(self, now: datetime) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one; None where the last one began too shortly before."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._asked_at is not None and abs(now - self._asked_at) < FETCH_EVERY:
            return None
        self._asked_at = now
        self._fetching = asyncio.create_task(self._fetch_now(now))
        return self._fetching

    async def _fetch_now(self, now: datetime) -> None:
        try:
            keys, passed_over = await self._provider.fetch()
        except ProviderUnreachable as exc:
            if not self._failing:
                _log.error("The identity provider's keys cannot be had", extra={"cause": str(exc)})
            self._failing = True
            return
        if self._failing or self._fetched_at is None or keys != self._keys:
            names = [key.kid for key in keys]
            _log.info("Took the identity provider's keys", extra={"kids": names, "passed_over": list(passed_over)})
        self._keys, self._fetched_at, self._failing = keys, now, False


class ProviderTrust:
    """Believes what was signed with a key of the provider."""

    def __init__(self, ring: KeyRing, rules: ClaimRules) -> None:
        self.rules = rules
        self._ring = ring

    def begin(self, now: datetime) -> None:
        """Fetches the keys."""
        self._ring.begin(now)

    async def check(self, token: Token, now: datetime) -> tuple[Identity, VerificationKey]:
        """See `Trust.check`."""
        kid, algorithm = token.header.get("kid"), token.header.get("alg")
        if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
            raise TokenInvalid(GET_ANOTHER)
        key = await self._ring.find(kid, algorithm, now)
        token.check_signature(key.public, key.algorithms)
        return identity_of(token.claims, self.rules, now), key

    async def still_believes(self, key: object, now: datetime) -> bool:
        """Whether the provider publishes the key still: one that it took back counts no more."""
        return key in await self._ring.keys(now)
