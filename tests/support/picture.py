"""Makes the README's picture: the page while it records, on the real stack, with Chromium's fake camera.

.venv/bin/python -m tests.support.picture docs/recorder.png
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.browser import Browser

# Long enough for a tape on which every state can be seen.
RECORDED = "00:00:38"
START_S = 30.0
SIZE = (1200, 820)


@contextmanager
def stack(folder: Path) -> Iterator[str]:
    """A running `safereel up`, and the address of its page."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "control_plane", "up", "--port", str(port), "--data-dir", str(folder / "data")]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        _wait_for(f"http://localhost:{port}/health")
        yield f"http://localhost:{port}/"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait_for(url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise RuntimeError(f"{url} was not there within {START_S:.0f} s")


def take(path: Path) -> None:
    """Records, and takes the picture while it does."""
    with tempfile.TemporaryDirectory(prefix="safereel-picture-") as name:
        folder = Path(name)
        with stack(folder) as url, Browser.launch(folder / "profile", at_ease=False) as browser:
            page = browser.new_page(url)
            page.viewport(*SIZE)
            page.wait_for("document.documentElement.dataset.ready === 'true'")
            page.type("[data-testid=title-input]", "Deposition, room 4")
            page.click("[data-testid=start]")
            page.wait_for(f"document.body.innerText.includes('{RECORDED}')", timeout=60)
            page.screenshot(path)
            page.click("[data-testid=stop]")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
