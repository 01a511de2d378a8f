"""A recording is shared by its link with somebody who has no account, and taken back, in the shipped page."""

from tests.support.browser import Browser
from tests.support.live import System
from tests.support.recorder_pages import ConsolePage

VIDEO = "document.querySelector('[data-testid=player]')"
PHASE = "document.querySelector('[data-testid=shared]')?.dataset.phase"
LINK = "document.querySelector('[data-testid=share-link]').value"


def test_a_link_plays_for_who_has_no_account_until_it_is_revoked(
    console: ConsolePage, browser: Browser, system: System
) -> None:
    recording_id = console.start()
    console.wait_cells(2, ["confirmed", "released"])
    console.stop()
    console.until_state("complete")

    owner = browser.new_page(f"{system.api.url}/recordings/{recording_id}")
    owner.wait_for("document.querySelector('[data-testid=share]') !== null")
    owner.click("[data-testid=share]")
    owner.wait_for("document.querySelector('dialog').open")
    assert owner.axe() == []
    link = owner.evaluate(LINK)

    with browser.apart() as elsewhere:
        viewer = elsewhere.new_page(link)
        viewer.wait_for(f"{PHASE} === 'ready' && {VIDEO}?.readyState >= 3")
        viewer.evaluate(f"{VIDEO}.muted = true, {VIDEO}.play()")
        viewer.wait_for(f"{VIDEO}.currentTime > 1")
        assert viewer.axe() == []
        assert viewer.evaluate("sessionStorage.length + localStorage.length") == 0
        asked = viewer.evaluate("performance.getEntriesByType('resource').map(({name}) => new URL(name).pathname)")
        assert {path.split("/")[2] for path in asked if path.startswith("/v1/")} == {"shares"}

        owner.click("[data-testid=share-revoke]")
        owner.click("[data-testid=share-revoke-act]")
        owner.wait_for("document.querySelector('[data-testid=share-again]') !== null")
        viewer.reload()
        viewer.wait_for(f"{PHASE} === 'unknown'")
        assert viewer.evaluate(f"{VIDEO} === null")

        owner.click("[data-testid=share-again]")
        owner.wait_for("document.querySelector('[data-testid=share-link]') !== null")
        assert owner.evaluate(LINK) != link
        viewer.goto(owner.evaluate(LINK))
        viewer.wait_for(f"{PHASE} === 'ready' && {VIDEO}?.readyState >= 3")
