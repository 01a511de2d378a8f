"""Webhooks: what is told to an address when a download came to an end, and when to try again. Pure.

A delivery is `pending` until its receiver has taken it (`delivered`), or until it is given up (`given_up`). It may come twice,
never not at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

# Between tries, the first being made at once: the schedule that the Standard Webhooks specification recommends, as far as it
# fits into a day.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
# From the first try. Who is down for longer has noticed, and can ask for the download itself.
GIVE_UP_AFTER = timedelta(days=1)
# Deliveries that failed together are not all tried again together.
JITTER = 0.1
# A receiver may ask for more patience, but not for the whole day.
LONGEST_ASKED = timedelta(hours=1)


class DeliveryState(StrEnum):
    """`waiting`: nothing has happened that is to be told; it stands in no row."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a download tells of its webhook: the newest delivery's state, tries, last error, and when it is tried next."""

    url: str
    state: DeliveryState
    attempts: int = 0
    last_error: str | None = None
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the same id and the same bytes with each try."""

    id: UUID
    url: str
    payload: str

    @property
    def name(self) -> str:
        """Its `webhook-id`."""
        return f"msg_{self.id.hex}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: an HTTP status, or why there was none, in words fit for an owner."""

    status: int | None
    error: str | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery after a try. `wait` is until the next one; None unless it stays pending."""

    state: DeliveryState
    error: str | None = None
    wait: timedelta | None = None


def verdict_of(answer: Answer, *, attempts: int, tried_for: timedelta, jitter: float) -> Verdict:
    """`attempts`: tries so far, this one included; `tried_for`: since the first one; `jitter`: any number in [0, 1).

    2xx is delivered; 410 says that nobody wants it any more; everything else, redirects too, is tried again for a day, and last
    at its end. 429 and 503 may ask for more patience.
    """
    if answer.status is not None and 200 <= answer.status <= 299:
        return Verdict(DeliveryState.DELIVERED)
    error = answer.error or f"It answered with the status {answer.status}."
    left = GIVE_UP_AFTER - tried_for
    if answer.status == 410 or left <= timedelta(0):
        return Verdict(DeliveryState.GIVEN_UP, error)
    wait = WAITS[min(attempts, len(WAITS)) - 1] * (1 + JITTER * jitter)
    if answer.status in (429, 503) and answer.retry_after is not None:
        wait = max(wait, min(answer.retry_after, LONGEST_ASKED))
    return Verdict(DeliveryState.PENDING, error, min(wait, left))
