"""Cameras and microphones that a test pulls out of a page and plugs in again."""

import json
from pathlib import Path
from typing import Literal

from tests.support.browser import Page

SOURCE = Path(__file__).with_name("devices.js").read_text(encoding="utf-8")

TrackKind = Literal["audio", "video"]


class Devices:
    """Those of one tab; attached before the page is opened."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    def attach(cls, page: Page) -> "Devices":
        """Watches every document that this tab opens from now on."""
        page.evaluate_on_new_document(SOURCE)
        return cls(page)

    def unplug(self, *kinds: TrackKind) -> None:
        """What is open of these ends, and none can be opened until they are plugged in again."""
        ended = self._page.evaluate(f"devices.unplug(...{json.dumps(kinds)})")
        assert ended >= len(kinds), f"{kinds} were not in use"

    def plug_in(self, *kinds: TrackKind) -> None:
        """They are there again."""
        self._page.evaluate(f"devices.plugIn(...{json.dumps(kinds)})")

    def refuse(self, error: str | None) -> None:
        """Every device is refused with a browser's error of this name; None: no longer."""
        self._page.evaluate(f"devices.refuse({json.dumps(error)})")
