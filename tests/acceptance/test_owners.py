"""Two people, on two devices and on one: neither sees, sends or deletes what is the other's."""

from pathlib import Path

from control_plane.embedded import EmbeddedStack
from tests.support.browser import Browser, Launch, Page
from tests.support.live import System, get, served, until
from tests.support.proxy import Drop
from tests.support.recorder_pages import SLOW_S, EmbeddedPage
from tests.support.witness import Witness


def names(system: System, owner: str) -> set[str]:
    """The ids of the recordings that the API lists to somebody."""
    status, answer = get(f"{system.url}/v1/recordings", system.token(owner))
    assert status == 200
    return {recording["id"] for recording in answer["recordings"]}


def test_two_people_on_two_devices_do_not_see_each_other(
    browser: Browser, launch: Launch, system: System, site: str, tmp_path: Path
) -> None:
    ada_witness, bob_witness = Witness(tmp_path / "ada"), Witness(tmp_path / "bob")
    ada = EmbeddedPage.open(browser, site, system, ada_witness, owner="ada")
    with launch(tmp_path / "other") as other:
        bob = EmbeddedPage.open(other, site, system, bob_witness, owner="bob")
        of_ada, of_bob = ada.record(), bob.record()
        for page, recording_id, owner in ((ada, of_ada, "ada"), (bob, of_bob, "bob")):
            page.wait_view(recording_id, "chunks.length >= 2")
            page.stop()
            system.until(recording_id, lambda told: bool(told["complete"]), owner=owner)

        assert (names(system, "ada"), names(system, "bob")) == ({of_ada}, {of_bob})
        assert system.recording(of_ada, owner="bob") == system.recording(of_bob, owner="ada") == {}
        assert ada.page.evaluate("safereel.snapshot().recordings.map((r) => r.id)") == [of_ada]
        assert (system.segments(of_ada), system.segments(of_bob)) == (ada_witness.runs(), bob_witness.runs())


def test_what_one_left_on_a_shared_device_the_other_neither_sends_nor_deletes(
    browser: Browser, system: System, site: str, tmp_path: Path
) -> None:
    witness = Witness(tmp_path / "first")
    system.bucket.cut()
    page = EmbeddedPage.open(browser, site, system, witness, owner="carol")
    recording_id = page.record()
    page.wait_view(recording_id, "chunks.filter((c) => c.state !== 'writing').length >= 2")
    page.stop()
    kept = page.chunk_files()
    page.page.close()
    system.heal()

    before = len(system.api.log())
    other = EmbeddedPage.open(browser, site, system, Witness(tmp_path / "second"), owner="dave")
    of_dave = other.record()
    other.wait_view(of_dave, "chunks.length >= 2")
    other.stop()
    system.until(of_dave, lambda told: bool(told["complete"]), owner="dave")
    assert other.page.evaluate("safereel.snapshot().foreignChunks") == len(kept)
    until("only the other's left in OPFS", lambda: other.chunk_files() == kept)
    assert not [x for x in system.api.log()[before:] if recording_id in x.path or recording_id.encode() in x.body]
    other.page.close()

    back = EmbeddedPage.open(browser, site, system, Witness(tmp_path / "third"), owner="carol")
    system.until(recording_id, lambda told: bool(told["complete"]), owner="carol")
    until("nothing left in OPFS", lambda: back.chunk_files() == [])
    assert system.segments(recording_id) == witness.runs()


def test_a_token_that_is_not_taken_can_be_mended(browser: Browser, stack: EmbeddedStack, tmp_path: Path) -> None:
    notice = "document.querySelector('[data-testid=sign-in]')"

    def asked(state: str) -> str:
        return f"{notice}?.dataset.session === '{state}' && {notice}.querySelector('input[name=token]') !== null"

    def refuse(page: Page, token: str) -> None:
        page.type("input[name=token]", token)
        page.click("[data-testid=sign-in] button[type=submit]")
        page.wait_for(asked("refused"), timeout=SLOW_S)
        assert page.evaluate("sessionStorage.getItem('safereel.token')") is None
        assert page.axe() == []

    with served(tmp_path, stack) as system:
        page = browser.new_page()
        page.goto(f"{system.api.url}/")
        page.wait_for(asked("signed_out"), timeout=SLOW_S)
        # Cut short when it was copied: whose it is can be told by nobody, and the recorder finds out without the server.
        system.api.add("GET", r"/v1/", Drop(), times=None)
        refuse(page, system.token()[:20])
        page.wait_for_text("[data-testid=sign-in]", "It does not say whose recordings these would be.")
        system.api.clear()
        # Well formed but signed by somebody else: that only the server can tell.
        refuse(page, f"{system.token('mallory')[:-8]}AAAAAAAA")
        assert "It does not say whose" not in page.evaluate(f"{notice}.innerText")
        page.type("input[name=token]", system.token())
        page.click("[data-testid=sign-in] button[type=submit]")
        page.wait_for(
            "document.documentElement.dataset.ready === 'true' && !document.querySelector('[data-testid=sign-in]')",
            timeout=SLOW_S,
        )
        page.wait_for("document.querySelector('[data-testid=start]')?.disabled === false", timeout=SLOW_S)
        page.wait_for("document.querySelector('[data-testid=quota]') !== null", timeout=SLOW_S)
