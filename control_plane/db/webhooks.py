"""The store of webhooks: messages that are to be told, by whom they are being sent, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from control_plane.db.database import Database, Row
from control_plane.domain.webhooks import Answer, Message, Verdict


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is the caller's to send until its lease ends; `attempts` counts this try too."""

    message: Message
    download_id: UUID
    attempts: int
    first_tried_at: datetime
    now: datetime


class WebhookStore:
    """Rows of `webhook_deliveries`; a trigger writes them where a download comes to an end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, *, lease: timedelta, per_owner: int, limit: int) -> Sequence[Delivery]:
        """What is due and sent by nobody, no more of an owner than may be sent at once: the caller's for `lease`."""
        params = {"lease": lease, "per_owner": per_owner, "limit": limit}
        return [_delivery_of(row) for row in await self._database.rows("webhooks_claim", params)]

    async def note(self, delivery: Delivery, answer: Answer, verdict: Verdict) -> bool:
        """What came of a try; False where it was tried again meanwhile, whose outcome counts."""
        params = {
            "id": delivery.message.id,
            "attempts": delivery.attempts,
            "state": verdict.state,
            "status": answer.status,
            "error": verdict.error,
            "wait": verdict.wait,
        }
        return await self._database.row("webhook_note", params) is not None

    async def forget(self, keep: timedelta, *, limit: int) -> int:
        """Deletes those that ended longer than `keep` ago; how many."""
        return await self._database.execute("webhooks_forget", {"keep": keep, "limit": limit})


def _delivery_of(row: Row) -> Delivery:
    message = Message(row["id"], row["url"], row["payload"])
    return Delivery(message, row["download_id"], row["attempts"], row["first_tried_at"], row["claimed_at"])
