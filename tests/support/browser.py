"""A real browser under a test's control: `Browser` and its `Page`s, driven by `driver.mjs` in a Node process.

    with Browser.launch(profile) as browser:
        page = browser.new_page(url)
        page.click("button")
        page.wait_for("document.title === 'done'")
        browser.kill()  # SIGKILL of every process of it

Every call has a deadline (seconds) and raises `BrowserError` with what the browser said; when the driver
itself is dead, with the last lines of its stderr. One `Browser` is used by one thread.
"""

import contextlib
import json
import queue
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from tests.support import parts, processes

DRIVER = Path(__file__).with_name("driver.mjs")
TIMEOUT_S = 30.0
# The driver's own deadline comes first, so that its message is the one that is seen.
GRACE_S = 5.0
STDERR_LINES = 40

# For Debian's Chromium, also as root, in a container and without a camera.
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
# What tests have no use for and half of the work of a page that records: as many pictures a second as a camera gives (20), and
# a page drawn anew 60 times a second for the sake of its level meter.
CHROMIUM_AT_EASE = ("--use-fake-device-for-media-stream=fps=10", "--force-prefers-reduced-motion")

# Firefox needs no flags to run as root. Colour schemes and crashes are not in WebDriver BiDi: its own scripts must help.
FIREFOX_ARGS = ("--remote-allow-system-access",)
FIREFOX_AT_EASE = {"media.navigator.video.default_fps": 10, "ui.prefersReducedMotion": 1}

Engine = Literal["chromium", "firefox"]
Launch = Callable[[Path], "Browser"]
"""Starts a browser on a profile; which engine it has was settled before."""
WaitUntil = Literal["load", "domcontentloaded", "networkidle0", "networkidle2"]
Scheme = Literal["light", "dark"]


class BrowserError(Exception):
    """The browser refused, failed or did not answer in time."""


@dataclass(frozen=True, slots=True)
class ConsoleMessage:
    """One line of the console; `level` as in the browser (`error`, `warn`, `log`), `at` in epoch seconds."""

    level: str
    text: str
    url: str
    at: float


@dataclass(frozen=True, slots=True)
class PageError:
    """An exception nobody caught, in the page or one of its workers."""

    message: str
    stack: str
    at: float


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request that got no answer (`status` None) or one of 400 and above."""

    method: str
    url: str
    status: int | None
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Violation:
    """One accessibility rule that axe-core found broken, with the elements that break it."""

    id: str
    impact: str
    help: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page said and what went wrong in it, in order, since it was opened or last cleared."""

    console: tuple[ConsoleMessage, ...]
    errors: tuple[PageError, ...]
    failed_requests: tuple[FailedRequest, ...]


class _Driver:
    """The Node process: one request line out, one answer line back."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise parts.MissingPart("Node.js is missing: the tests in a browser need it.")
        # A session of its own: Ctrl-C reaches pytest alone, which ends the browser by closing stdin.
        self._process = subprocess.Popen(
            [node, str(DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._next_id = 1
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._readers = (
            threading.Thread(target=self._read_answers, args=(_stream(self._process.stdout),), daemon=True),
            threading.Thread(target=self._read_stderr, args=(_stream(self._process.stderr),), daemon=True),
        )
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The id of the Node process."""
        return self._process.pid

    def call(self, method: str, timeout: float, **params: object) -> Any:
        """The driver's result; raises `BrowserError` with its error, or if it is dead or silent."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        request = {
            "id": request_id,
            "method": method,
            "params": {**params, "timeout_ms": round(timeout * 1000)},
        }
        try:
            stdin = _stream(self._process.stdin)
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except (OSError, ValueError) as exc:
            raise self._dead(method) from exc
        return self._await_answer(request_id, method, timeout + GRACE_S)

    def end(self) -> None:
        """Closes the driver's stdin, upon which it closes the browser and exits; kills it if it does not."""
        with contextlib.suppress(BrokenPipeError):  # it has died, and what was still to be written to it goes nowhere
            _stream(self._process.stdin).close()
        try:
            self._process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            processes.kill_tree(self._process.pid)
            self._process.wait(timeout=GRACE_S)
        for reader in self._readers:
            reader.join(timeout=GRACE_S)
        _stream(self._process.stdout).close()
        _stream(self._process.stderr).close()

    def kill(self) -> None:
        """SIGKILL of the driver and of the browser below it."""
        processes.kill_tree(self._process.pid)
        self.end()

    def _await_answer(self, request_id: int, method: str, timeout: float) -> Any:
        while True:
            try:
                line = self._answers.get(timeout=timeout)
            except queue.Empty:
                raise BrowserError(f"{method}: no answer in {timeout:.0f} s. {self._said()}") from None
            if line is None:
                raise self._dead(method)
            answer = json.loads(line)
            if answer["id"] != request_id:
                continue  # the late answer of a call that had run out of time
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            return answer["result"]

    def _dead(self, method: str) -> BrowserError:
        self._process.wait(timeout=GRACE_S)
        for reader in self._readers:
            reader.join(timeout=GRACE_S)
        return BrowserError(f"{method}: the driver has ended ({self._process.returncode}). {self._said()}")

    def _said(self) -> str:
        return "Its last words:\n" + "".join(self._stderr) if self._stderr else "It said nothing."

    def _read_answers(self, stream: IO[str]) -> None:
        for line in stream:
            self._answers.put(line)
        self._answers.put(None)

    def _read_stderr(self, stream: IO[str]) -> None:
        self._stderr.extend(stream)


class Page:
    """One tab."""

    def __init__(self, driver: _Driver, number: int) -> None:
        self._driver = driver
        self._number = number

    def goto(self, url: str, *, wait_until: WaitUntil = "load", timeout: float = TIMEOUT_S) -> int | None:
        """Opens `url`; the answer's status, None where there is none (`data:`)."""
        status: int | None = self._call("goto", timeout, url=url, wait_until=wait_until)
        return status

    def reload(self, *, wait_until: WaitUntil = "load", timeout: float = TIMEOUT_S) -> None:
        """Loads the page again."""
        self._call("reload", timeout, wait_until=wait_until)

    def evaluate(self, expression: str, *, timeout: float = TIMEOUT_S) -> Any:
        """The value of a JavaScript expression (of a promise: what it resolves to), as JSON would hold it."""
        return self._call("evaluate", timeout, expression=expression)

    def evaluate_on_new_document(self, source: str) -> None:
        """Runs `source` before any script of each document this tab loads from now on."""
        self._call("evaluate_on_new_document", source=source)

    def mirror(self, name: str, file: Path) -> None:
        """Makes `globalThis[name](line)` append a line to `file` and resolve once it is there, in every document."""
        self._call("mirror", name=name, file=str(file))

    def wait_for(self, expression: str, *, timeout: float = TIMEOUT_S) -> Any:
        """The first truthy value of `expression`; raises with the last one seen."""
        return self._call("wait_for", timeout, expression=expression)

    def wait_for_text(self, selector: str, text: str, *, timeout: float = TIMEOUT_S) -> None:
        """Returns once the first element that matches shows `text`.

        Waits because an element may be there before it is drawn: rows off screen have no rendered text
        (`content-visibility: auto`) until the frame after they were added.
        """
        shown = f"document.querySelector({json.dumps(selector)})?.innerText"
        self.wait_for(f"{shown}?.includes({json.dumps(text)})", timeout=timeout)

    def click(self, selector: str, *, timeout: float = TIMEOUT_S) -> None:
        """Clicks once the element is there, visible, enabled and at rest. Takes `aria/…` and `text/…` too."""
        self._call("click", timeout, selector=selector)

    def type(self, selector: str, text: str, *, timeout: float = TIMEOUT_S) -> None:
        """Clicks the field and types into it, key by key."""
        self._call("type", timeout, selector=selector, text=text)

    def press(self, key: str) -> None:
        """Presses one key by its name (`Tab`, `Enter`, `Escape`, `a`)."""
        self._call("press", key=key)

    def choose_files(self, selector: str, *files: Path, timeout: float = TIMEOUT_S) -> None:
        """Gives the files to an `<input type="file">`."""
        self._call("choose_files", timeout, selector=selector, files=[str(file) for file in files])

    def viewport(
        self,
        width: int,
        height: int,
        *,
        scheme: Scheme = "light",
        scale: float = 1,
        reduced_motion: bool = False,
    ) -> None:
        """Sets size, device scale, colour scheme and the preference for motion."""
        self._call("viewport", width=width, height=height, scheme=scheme, scale=scale, reduced_motion=reduced_motion)

    def screenshot(self, path: Path, *, full_page: bool = False) -> None:
        """Writes a PNG."""
        self._call("screenshot", path=str(path), full_page=full_page)

    def axe(self) -> list[Violation]:
        """Runs axe-core on the page as it is."""
        found = self._call("axe")
        return [Violation(v["id"], v["impact"], v["help"], tuple(v["nodes"])) for v in found]

    def seen(self) -> Seen:
        """Console, errors and failed requests so far."""
        raw: Mapping[str, list[dict[str, Any]]] = self._call("seen")
        return Seen(
            tuple(ConsoleMessage(**m) for m in raw["console"]),
            tuple(PageError(**e) for e in raw["errors"]),
            tuple(FailedRequest(**r) for r in raw["failed_requests"]),
        )

    def clear_seen(self) -> None:
        """Forgets what was seen so far."""
        self._call("clear_seen")

    def heap(self) -> Mapping[str, Any]:
        """Bytes of JavaScript's heaps in use: `page`, and `workers` each. In Chromium alone."""
        used: Mapping[str, Any] = self._call("heap")
        return used

    def save_into(self, folder: Path) -> None:
        """Files that pages give out are saved into this folder. Chromium alone."""
        folder.mkdir(parents=True, exist_ok=True)
        self._call("save_into", folder=str(folder))

    def limit_storage(self, quota: int) -> None:
        """From now on this page's origin may store so many bytes; in Chromium alone, and for as long as this tab is open."""
        self._call("limit_storage", bytes=quota)

    def bring_to_front(self) -> None:
        """Makes this the visible tab."""
        self._call("bring_to_front")

    def crash(self) -> None:
        """Ends this tab's renderer as a crash does, in Firefox with all tabs of its site; it can then only be closed."""
        self._call("crash")

    def close(self, *, run_before_unload: bool = False) -> None:
        """Closes the tab."""
        self._call("close_page", run_before_unload=run_before_unload)

    def _call(self, method: str, timeout: float = TIMEOUT_S, **params: object) -> Any:
        return self._driver.call(method, timeout, page=self._number, **params)


class Browser:
    """One browser with a persistent profile. Leaving the `with` kills it: a good end takes seconds, and tells a test nothing."""

    def __init__(self, driver: _Driver, pid: int, version: str, *, context: int | None = None) -> None:
        self._driver = driver
        self._context = context
        self._ended = False
        self.pid = pid
        self.version = version

    @classmethod
    def launch(
        cls,
        profile: Path,
        *,
        engine: Engine = "chromium",
        args: Sequence[str] = (),
        executable: Path | None = None,
        timeout: float = TIMEOUT_S,
        at_ease: bool = True,
    ) -> Self:
        """Starts a browser on `profile` (made if absent). Raises `MissingPart` without such a browser.

        `at_ease`: a camera of fewer pictures and somebody who wants no motion; not for measuring what a page costs.
        """
        profile.mkdir(parents=True, exist_ok=True)
        if executable is None:
            executable = parts.chromium() if engine == "chromium" else parts.firefox()
        own: Sequence[str] = FIREFOX_ARGS
        if engine == "chromium":
            own = (*CHROMIUM_ARGS, *CHROMIUM_AT_EASE) if at_ease else CHROMIUM_ARGS
        driver = _Driver()
        try:
            started = driver.call(
                "launch",
                timeout,
                engine=engine,
                executable=str(executable),
                profile=str(profile),
                prefs=dict(FIREFOX_AT_EASE) if at_ease else {},
                args=[*own, *args],
            )
        except BaseException:
            driver.kill()
            raise
        return cls(driver, started["pid"], started["version"])

    @property
    def driver_pid(self) -> int:
        """The id of the process between this one and the browser."""
        return self._driver.pid

    @property
    def runs(self) -> bool:
        """False once it was killed or closed."""
        return not self._ended and processes.is_running(self.pid)

    def new_page(self, url: str | None = None, *, timeout: float = TIMEOUT_S) -> Page:
        """Opens a tab, and `url` in it if given."""
        page = Page(self._driver, self._driver.call("new_page", timeout, context=self._context))
        if url is not None:
            page.goto(url, timeout=timeout)
        return page

    @contextlib.contextmanager
    def apart(self) -> Iterator["Browser"]:
        """The same browser for somebody else: storage, locks and tabs of its own, gone at the end.

        In Chromium that is a private window, whose files are in memory: nothing for tests of what is on disk.
        """
        context: int = self._driver.call("new_context", TIMEOUT_S)
        yield Browser(self._driver, self.pid, self.version, context=context)
        self._driver.call("close_context", TIMEOUT_S, context=context)

    def kill(self) -> None:
        """SIGKILL of every process of the browser, at once; the profile can be launched again. Harmless when it is gone."""
        if self._ended:
            return  # its ids may be other processes' by now
        self._ended = True
        processes.kill_tree(self.pid)
        self._driver.kill()

    def close(self) -> None:
        """Closes the browser in good order. Harmless when it is gone."""
        if self._ended:
            return
        self._ended = True
        self._driver.end()
        processes.kill_tree(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _stream(stream: IO[str] | None) -> IO[str]:
    """A pipe that was asked for is there."""
    assert stream is not None
    return stream
