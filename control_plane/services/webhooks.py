"""Sends webhooks: those that are due, several at once, each noted as it ends.

A process that dies between sending and noting leaves a lease: after it, the message is sent again under the same id.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import timedelta

from control_plane.db.webhooks import Delivery, WebhookStore
from control_plane.domain.webhooks import DeliveryState, verdict_of
from control_plane.webhooks.sending import Sender
from control_plane.webhooks.signing import Signer

# A connection and a few KiB each.
AT_ONCE = 32
# Of one owner: a receiver that takes its time holds up what else this owner is told, and nobody else.
PER_OWNER = 4
# Four times what a try may take: who has not noted it by then has died.
LEASE = timedelta(minutes=1)
# While slow ones are under way, it is looked for others so often.
LOOK_S = 0.5
# As long as a download is told of after its end.
KEEP = timedelta(days=7)
FORGOTTEN_TOGETHER = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one run did: messages delivered, to be tried again, given up; and rows forgotten."""

    delivered: int = 0
    again: int = 0
    given_up: int = 0
    forgotten: int = 0


class WebhookService:
    """Sends what is due."""

    def __init__(self, deliveries: WebhookStore, sender: Sender, signer: Signer) -> None:
        self._deliveries = deliveries
        self._sender = sender
        self._signer = signer

    async def run(self) -> Sent:
        """Sends until nothing is due and nothing under way. Cut off, it leaves what it was sending to the next run."""
        forgotten = await self._deliveries.forget(KEEP, limit=FORGOTTEN_TOGETHER)
        under_way = set[asyncio.Task[DeliveryState | None]]()
        ends = list[DeliveryState | None]()
        try:
            while True:
                for delivery in await self._claim(AT_ONCE - len(under_way)):
                    under_way.add(asyncio.create_task(self._send(delivery)))
                if not under_way:
                    break
                ended, under_way = await asyncio.wait(under_way, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                ends += [task.result() for task in ended]
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return Sent(
            ends.count(DeliveryState.DELIVERED),
            ends.count(DeliveryState.PENDING),
            ends.count(DeliveryState.GIVEN_UP),
            forgotten,
        )

    async def _claim(self, room: int) -> list[Delivery]:
        if room <= 0:
            return []
        return list(await self._deliveries.claim(lease=LEASE, per_owner=PER_OWNER, limit=room))

    async def _send(self, delivery: Delivery) -> DeliveryState | None:
        """One try; None where its outcome does not count any more."""
        message = delivery.message
        answer = await self._sender.send(message, self._signer.headers(message, delivery.now))
        verdict = verdict_of(
            answer,
            attempts=delivery.attempts,
            tried_for=delivery.now - delivery.first_tried_at,
            jitter=random.random(),  # noqa: S311  # spreads tries, keeps no secret
        )
        if not await self._deliveries.note(delivery, answer, verdict):
            return None
        fields = {
            "message_id": message.name,
            "download_id": str(delivery.download_id),
            "attempts": delivery.attempts,
            "cause": verdict.error,
        }
        if verdict.state is DeliveryState.GIVEN_UP:
            _log.error("A webhook was given up: its owner has to ask for the download instead", extra=fields)
        elif verdict.state is DeliveryState.PENDING:
            _log.warning("A webhook was not taken; it is tried again", extra=fields)
        return verdict.state
