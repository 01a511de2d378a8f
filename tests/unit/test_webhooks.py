"""Webhooks: what becomes of a delivery after each try, and signatures that the library of others takes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from control_plane.domain.webhooks import (
    GIVE_UP_AFTER,
    LONGEST_ASKED,
    WAITS,
    Answer,
    DeliveryState,
    Message,
    Verdict,
    verdict_of,
)
from control_plane.webhooks.signing import Signer

NEW, OLD = "whsec_" + "bmV3" * 8, "whsec_" + "b2xk" * 8
DOWN = Answer(None, "It could not be connected to.")


def verdict(answer: Answer, attempts: int = 1, tried_for: timedelta = timedelta(0), jitter: float = 0.0) -> Verdict:
    return verdict_of(answer, attempts=attempts, tried_for=tried_for, jitter=jitter)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert verdict(Answer(status)) == Verdict(DeliveryState.DELIVERED)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 408, 429, 500, 503, 999])
def test_anything_else_is_tried_again(status: int) -> None:
    found = verdict(Answer(status))
    assert (found.state, found.wait) == (DeliveryState.PENDING, WAITS[0])
    assert str(status) in (found.error or "")


def test_gone_is_given_up_at_once() -> None:
    assert verdict(Answer(410)).state is DeliveryState.GIVEN_UP


def test_the_waits_of_a_day() -> None:
    """Until the receiver is back, or the day is over: the last try is made at its end."""
    for jitter in (0.0, 0.999):
        tried_for, attempts, waits = timedelta(0), 1, list[timedelta]()
        while (found := verdict(DOWN, attempts, tried_for, jitter)).wait is not None:
            waits.append(found.wait)
            tried_for += found.wait
            attempts += 1
        assert found == Verdict(DeliveryState.GIVEN_UP, DOWN.error)
        assert (tried_for, attempts) == (GIVE_UP_AFTER, 8)
        assert all(planned <= wait <= planned * 1.1 for wait, planned in zip(waits, WAITS, strict=False))


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_ask_for_patience(status: int) -> None:
    asked = timedelta(minutes=2)
    assert verdict(Answer(status, retry_after=asked)).wait == asked
    assert verdict(Answer(status, retry_after=timedelta(days=400))).wait == LONGEST_ASKED
    assert verdict(Answer(status, retry_after=timedelta(0))).wait == WAITS[0]
    assert verdict(Answer(status, retry_after=asked), attempts=4).wait == WAITS[3]
    assert verdict(Answer(500, retry_after=asked)).wait == WAITS[0]


def test_every_secret_signs_and_a_message_that_was_touched_is_refused() -> None:
    message = Message(uuid4(), "https://hooks.example.com/", '{"type":"download.ready","ü":1}')
    headers = dict(Signer([NEW, OLD]).headers(message, datetime.now(UTC)))
    assert headers["webhook-id"] == f"msg_{message.id.hex}"
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(message.payload, headers)["type"] == "download.ready"
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(message.payload.replace("ready", "failed"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(message.payload, {**headers, "webhook-id": "msg_other"})
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "b3Ro" * 8).verify(message.payload, headers)
