"""Whether a page works for those who use keys and screen readers, as far as axe-core can tell."""

from tests.support.browser import Page, Scheme

# A desk by day and a hand by night.
VIEWS: tuple[tuple[Scheme, int, int], ...] = (("light", 1280, 800), ("dark", 390, 844))


def assert_accessible(page: Page, state: str) -> None:
    """No rule is broken, wide and narrow, light and dark; `state` names what is shown."""
    for scheme, width, height in VIEWS:
        page.viewport(width, height, scheme=scheme, reduced_motion=True)
        found = {violation.id: violation.nodes for violation in page.axe()}
        assert found == {}, f"{state}, {scheme}, {width} wide"
