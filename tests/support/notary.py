"""A witness that a page tells itself, each thing before the page goes on: what a browser killed at any moment knew is on file.

    with notary(folder / "witness.jsonl") as witness:
        witness.attach(page)

The page's content security policy must let it call another origin, as that of a page which embeds the recorder does.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.support.browser import Page
from tests.support.site import serving
from tests.support.witness import Witness

SOURCE = Path(__file__).with_name("notary.js")


class Notary(Witness):
    """The log of one page."""

    def __init__(self, file: Path, origin: str) -> None:
        super().__init__(file)
        self._origin = origin

    def attach(self, page: Page) -> None:
        """Watches every document that this tab opens from now on."""
        page.evaluate_on_new_document(f"{SOURCE.read_text(encoding='utf-8')}({json.dumps(self._origin)})")

    def started_at(self) -> int:
        """When the last run of MediaRecorder was told to begin, in epoch milliseconds."""
        at: int = self.entries("started")[-1]["at"]
        return at


@contextmanager
def notary(file: Path) -> Iterator[Notary]:
    """One with an empty log."""
    writing = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"] or 0)
            body = self.rfile.read(size)
            if len(body) < size:
                return  # its page was killed while it told this
            with writing, file.open("ab") as log:
                log.write(json.dumps(_entry(self.path, body)).encode() + b"\n")
            self.send_response(204)
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Its file is its log."""

    with serving(Handler) as origin:
        yield Notary(file, origin)


def _entry(path: str, body: bytes) -> object:
    """The line for a call: what the worker told as it is, anything else by the call's name, with times as numbers."""
    address = urlsplit(path)
    kind = address.path.removeprefix("/")
    if kind == "told":
        return json.loads(body)
    facts: dict[str, object] = dict(parse_qsl(address.query))
    return {"type": kind, **facts, "at": int(str(facts["at"])), "data": base64.b64encode(body).decode()}
