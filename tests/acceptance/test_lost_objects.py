"""The bucket loses or changes what it had taken: it is found, sent again and confirmed, while recording goes on."""

from collections.abc import Iterator

import pytest

from control_plane.embedded import EmbeddedStack
from tests.support.browser import Browser
from tests.support.live import System, run, served, until
from tests.support.proxy import Hold
from tests.support.recorder_pages import ConsolePage, EmbeddedPage
from tests.support.witness import Witness

NEVER_MS = "86400000"


@pytest.fixture(scope="module")
def unconfirmed(stack: EmbeddedStack, site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that confirms only when told to: chunks stay acked, and so in OPFS, until then."""
    folder = tmp_path_factory.mktemp("unconfirmed")
    with served(folder, stack, origins=[site], SAFEREEL_CONFIRM_INTERVAL_MS=NEVER_MS) as system:
        yield system


def confirm(system: System, recording_id: str) -> None:
    """Runs confirm sweeps until they have seen every chunk of the recording again."""

    def confirmed() -> bool:
        run("sweep", "confirm", env=system.env)
        told = system.recording(recording_id)
        return bool(told["confirmed"] == told["received"])

    until("every chunk confirmed", confirmed)


def finish(page: ConsolePage | EmbeddedPage, recording_id: str) -> None:
    """Stops; returns once the recording is complete, with every byte that MediaRecorder gave in the bucket."""
    page.stop()
    page.system.until(recording_id, lambda told: bool(told["complete"]))
    (given,) = page.witness.runs()
    assert page.system.segments(recording_id) == [given]


def test_deleted_after_their_ack_while_recording_goes_on(
    browser: Browser, unconfirmed: System, witness: Witness
) -> None:
    console = ConsolePage.open(browser, unconfirmed, witness, token=unconfirmed.token())
    recording_id = console.start()
    unconfirmed.until(recording_id, lambda told: told["received"] == [[0, 0]])
    (key,) = unconfirmed.keys(recording_id)
    assert "00000000-0000" in {path.rpartition("/")[2] for path, size in console.chunk_files() if size}
    unconfirmed.delete(key)

    unconfirmed.until(recording_id, lambda told: told["next_chunk_index"] >= 2 and not told["missing"])

    def told_here() -> bool:
        """The page hears of it after the ledger."""
        states = witness.states(recording_id)[0]
        return "resending" in states and "acked" in states[states.index("resending") :]

    until("acked again", told_here)
    states = witness.states(recording_id)[0]
    assert "acked" in states[: states.index("resending")]
    finish(console, recording_id)
    confirm(unconfirmed, recording_id)
    until("nothing left in OPFS", lambda: console.chunk_files() == [])
    assert unconfirmed.recording(recording_id)["open_tickets"] == 0


def test_overwritten_with_other_bytes_of_the_same_length(
    browser: Browser, unconfirmed: System, site: str, witness: Witness
) -> None:
    page = EmbeddedPage.open(browser, site, unconfirmed, witness)
    recording_id = page.record()
    unconfirmed.until(recording_id, lambda told: told["next_chunk_index"] >= 2)
    first, second = unconfirmed.stored(recording_id)[:2]
    unconfirmed.overwrite(first.key, bytes(first.size))
    unconfirmed.overwrite(second.key, second.data[:-1] + bytes([second.data[-1] ^ 1]))

    until("both found and repaired", lambda: unconfirmed.stored(recording_id)[:2] == [first, second])
    unconfirmed.until(recording_id, lambda told: not told["missing"] and not told["open_tickets"])
    finish(page, recording_id)
    confirm(unconfirmed, recording_id)
    until("nothing left in OPFS", lambda: page.chunk_files() == [])


@pytest.mark.thorough
def test_deleted_after_they_were_confirmed_and_before_their_release(
    browser: Browser, system: System, site: str, witness: Witness
) -> None:
    system.api.add("POST", "/v1/heartbeat$", Hold(), times=None)
    page = EmbeddedPage.open(browser, site, system, witness)
    recording_id = page.record()
    system.until(recording_id, lambda told: told["confirmed"][:1] == [[0, 1]])
    for key in system.keys(recording_id)[:2]:
        system.delete(key)
    system.until(recording_id, lambda told: told["missing"] == [[0, 1]] and told["open_tickets"] == 2)
    system.heal()

    system.until(recording_id, lambda told: not told["missing"] and not told["open_tickets"])
    finish(page, recording_id)
    assert {"resending"} <= set(witness.states(recording_id)[0]) & set(witness.states(recording_id)[1])
    until("nothing left in OPFS", lambda: page.chunk_files() == [])
