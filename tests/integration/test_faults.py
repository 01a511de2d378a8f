"""Whatever fails, before or after its effect, nothing is lost in silence: Hypothesis looks for the order in which it is.

The real services on PostgreSQL, wired as in production, with a bucket in memory and a recorder that is played here. FAULTS=300
(`make campaign-faults`) tries that many lives instead of a few.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from control_plane import wiring
from control_plane.config import Settings
from control_plane.db.queries import queries
from tests.support.faulty_life import FaultyLife, Network, Parts
from tests.support.memory_bucket import MemoryBucket

# How many lives a campaign tries; nought: as few as one test among many may take, always the same ones.
LIVES = int(os.environ.get("FAULTS", "0"))
SHORT_LIVES = 15
# Enough for a chunk to be sent, lost, asked for and lost again.
STEPS = 25


@pytest.fixture
def parts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """A control plane on a bucket in memory; no freeze, which would only take releases away."""
    bucket = MemoryBucket()
    monkeypatch.setattr(wiring, "bucket", lambda _: bucket)
    with asyncio.Runner() as runner:
        given = settings.model_copy(update={"safereel_freeze_chunks": 1_000_000})
        opening = wiring.open_control_plane(given)
        plane = runner.run(opening.__aenter__())
        try:
            yield Parts(runner, plane, bucket, given.database_url.get_secret_value())
        finally:
            runner.run(opening.__aexit__(None, None, None))


def life_of(parts: Parts) -> type[FaultyLife]:
    """Lives that are made of these."""

    class Life(FaultyLife):
        made_of: ClassVar[Parts] = parts

    return Life


def live(parts: Parts, *, lives: int, seeded: bool) -> None:
    """So many lives, each from an empty ledger and bucket on."""
    run_state_machine_as_test(
        life_of(parts),
        settings=settings(
            max_examples=lives,
            stateful_step_count=STEPS,
            derandomize=seeded,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_nothing_is_lost_in_silence(parts: Parts) -> None:
    live(parts, lives=LIVES or SHORT_LIVES, seeded=LIVES == 0)


def released_unconfirmed(life: FaultyLife) -> None:
    life.record(0)
    life.send(0)
    life.acks_are_remembered()
    life.beat_and_obey()


def released_in_doubt(life: FaultyLife) -> None:
    life.record_and_settle(0)
    life.acks_are_remembered()
    life.vanish(0, marked=False)
    life.audit(None)
    life.beat_and_obey()


def acked_beside_a_ticket(life: FaultyLife) -> None:
    life.record_and_settle(0)
    life.vanish(0, marked=False)
    life.audit(None)
    life.audit(None)
    life.beat_and_obey()
    life.put(0, Network.WORKS)
    life.ack(0, Network.WORKS, None)
    life.a_chunk_is_missing_as_long_as_its_ticket_is_open()


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule of a statement taken away, and a life in which that shows."""

    statement: str
    right: str
    wrong: str
    life: Callable[[FaultyLife], None]
    noticed: str


BROKEN = {
    "what is acked is released": Broken(
        "beat_releases",
        "k.state = 'confirmed' and k.confirmed_at >= held.seen_since",
        "k.state in ('acked', 'confirmed')",
        released_unconfirmed,
        "not seen since",
    ),
    "what is doubted is released": Broken(
        "beat_releases",
        "from sightings s where",
        "from sightings s where false and",
        released_in_doubt,
        "known to be gone",
    ),
    "an ack leaves the ticket open": Broken(
        "chunks_ack",
        "a.seq) and t.state = 'open'",
        "a.seq) and t.state = 'lost'",
        acked_beside_a_ticket,
        "do not agree",
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "broken"])
def test_a_rule_that_is_broken_is_noticed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, rule: str, broken: bool
) -> None:
    given = BROKEN[rule]
    statement = queries()[given.statement]
    assert given.right in statement
    if broken:
        monkeypatch.setitem(queries(), given.statement, statement.replace(given.right, given.wrong))
    life = life_of(parts)()
    life.begin()

    with pytest.raises(AssertionError, match=given.noticed) if broken else nullcontext():
        given.life(life)
    life.connection.close()
