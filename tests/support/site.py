"""A small web server in a thread: pages for tests that need an origin, without the product."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def serve_pages(pages: Mapping[str, str]) -> Iterator[str]:
    """Serves HTML by path on 127.0.0.1; yields the origin. Any other path is a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            body = (page or "not here").encode()
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests look at what the browser saw."""

    with serving(Handler) as origin:
        yield origin


@contextmanager
def serve_folder(folder: Path, policies: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serves the files of `folder` on 127.0.0.1, those below a path of `policies` with that policy; yields the origin."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def end_headers(self) -> None:
            for path, policy in (policies or {}).items():
                if self.path.startswith(path):
                    self.send_header("Content-Security-Policy", policy)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            """Tests look at what the browser saw."""

    with serving(Handler) as origin:
        yield origin


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Runs a handler on 127.0.0.1; yields the origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
