"""Signatures of Standard Webhooks (version 1: HMAC-SHA-256): over a message's id, the time of the try, and its bytes."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from standardwebhooks import Webhook

from control_plane.domain.webhooks import Message


class Signer:
    """Signs with every secret: while one is replaced by another, receivers may have either."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Secrets as `whsec_` and base64."""
        self._keys = [Webhook(secret) for secret in secrets]

    def headers(self, message: Message, at: datetime) -> Mapping[str, str]:
        """The headers that a receiver checks; `at` in UTC."""
        signatures = [key.sign(message.name, at, message.payload) for key in self._keys]
        return {
            "webhook-id": message.name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
