"""How many calls an owner may make in a window of time, counted by the library `limits`.

A sliding window of two counters (this window's, and the last one's by the share of it that is still in view): it needs two
numbers an owner, where a log of calls needs one for each call, and lets nobody pass twice the limit where two fixed windows
meet. A batch counts as one call.
"""

import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

# A shared store that takes longer costs recorders more than it protects.
STORE_PATIENCE_S = 0.25
# While the store is down, one call in this time finds out whether it is back; the others do not wait for it.
OUTAGE_S = 1.0
# So often are owners forgotten who have made no call.
FORGET_S = 10.0

_log = logging.getLogger(__name__)


class LimitStoreMissing(Exception):
    """The store of rate limits cannot be used; the message says what to install or set."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an owner may do: `calls` in `window_s` seconds, of which `left`; `more_in_s` seconds until there are more."""

    taken: bool
    calls: int
    window_s: int
    left: int
    more_in_s: int


class OwnersInMemory(MemoryStorage):
    """limits' storage in memory without its walk over every owner at every call: forgotten ones are dropped now and then.

    One thread, and nothing is awaited: no lock is needed. An owner's window is its number, the count of the one before, and
    its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, int, int]] = {}
        self._forget_at = 0.0

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Whether `amount` calls more are within `limit` in any `expiry` seconds, as two counters tell; counts them if so."""
        now = time.time()
        number, before, during = self._window(key, expiry, now)
        if math.floor(before * _share_in_view(now, expiry) + during) + amount > limit:
            return False
        self._windows[key] = (number, before, during + amount)
        if now > self._forget_at:
            self._forget_at = now + FORGET_S
            self._windows = {k: window for k, window in self._windows.items() if window[0] >= number - 1}
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Calls of the window before, how long they still count, calls of this window, and how long they will."""
        now = time.time()
        _, before, during = self._window(key, expiry, now)
        rest_s = _share_in_view(now, expiry) * expiry
        return before, rest_s if before else 0.0, during, rest_s + expiry

    def _window(self, key: str, expiry: int, now: float) -> tuple[int, int, int]:
        number = int(now // expiry)
        known, before, during = self._windows.get(key, (number, 0, 0))
        if known == number:
            return number, before, during
        return number, during if known == number - 1 else 0, 0


def _share_in_view(now: float, expiry: int) -> float:
    """How much of the window before lies within the last `expiry` seconds."""
    return 1 - now % expiry / expiry


class RateLimits:
    """Counts calls by owner. `calls` 0: nothing is counted. A store that does not answer lets every call pass."""

    def __init__(self, storage: Storage, *, calls: int, window_s: int, namespace: str = "calls") -> None:
        """`namespace`: what is counted, where a store counts other things as well."""
        self._item = RateLimitItemPerSecond(max(1, calls), window_s, namespace=namespace)
        self._on = calls > 0
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._asks_again_at = 0.0
        self.unchecked = 0
        """Calls let pass, in the present or the last outage, because the store did not answer."""

    async def take(self, owner: str) -> Allowance | None:
        """Counts one call; None where there is no limit or the store does not answer."""
        if not self._on:
            return None
        now = time.monotonic()
        if self._asks_again_at:
            if now < self._asks_again_at:
                self.unchecked += 1
                return None
            self._asks_again_at = now + OUTAGE_S  # whoever comes meanwhile does not wait
        try:
            return await self._take(owner)
        except (StorageError, OSError) as exc:
            self._missed(exc)
            return None

    async def _take(self, owner: str) -> Allowance:
        taken = await self._limiter.hit(self._item, owner)
        found = await self._limiter.get_window_stats(self._item, owner)
        self._answered()
        return Allowance(
            taken=taken,
            calls=self._item.amount,
            window_s=self._item.get_expiry(),
            left=found.remaining if taken else 0,
            more_in_s=max(1, math.ceil(found.reset_time - time.time())),
        )

    def _missed(self, exc: Exception) -> None:
        if not self._asks_again_at:
            self.unchecked = 0
            _log.error("The store of rate limits does not answer; every call passes", extra={"cause": str(exc)})
        self.unchecked += 1
        self._asks_again_at = time.monotonic() + OUTAGE_S

    def _answered(self) -> None:
        if self._asks_again_at:
            self._asks_again_at = 0.0
            _log.warning("The store of rate limits answers again", extra={"unchecked": self.unchecked})


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What callers may do: owners by their name, viewers without a token by their address behind so many trusted proxies."""

    owners: RateLimits
    viewers: RateLimits
    trusted_proxies: int


@asynccontextmanager
async def open_rate_limits(
    url: str, *, calls: int, window_s: int, namespace: str = "calls"
) -> AsyncIterator[RateLimits]:
    """Limits counted in this process (`url` empty), or together with others in Redis. Raises `LimitStoreMissing`."""
    if not url:
        yield RateLimits(OwnersInMemory(), calls=calls, window_s=window_s, namespace=namespace)
        return
    try:
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415  # an extra: only who sets the URL needs it
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError as exc:
        raise LimitStoreMissing("SAFEREEL_RATE_LIMIT_STORE needs the extra “redis”: install safereel[redis].") from exc
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=64,  # enough to hide a round trip
        timeout=STORE_PATIENCE_S,
        socket_timeout=STORE_PATIENCE_S,
        socket_connect_timeout=STORE_PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield RateLimits(_shared(url, pool), calls=calls, window_s=window_s, namespace=namespace)
    finally:
        await pool.disconnect()


def _shared(url: str, pool: object) -> Storage:
    try:
        made = storage_from_string(
            f"async+{url}",
            implementation="redispy",
            connection_pool=pool,  # type: ignore[arg-type]  # handed on to redis, as limits' documentation says
            key_prefix="safereel",
            wrap_exceptions=True,
        )
    except ConfigurationError as exc:
        raise LimitStoreMissing(f"SAFEREEL_RATE_LIMIT_STORE: {exc}") from exc
    assert isinstance(made, Storage), "the scheme async+… names an asynchronous storage"
    return made
