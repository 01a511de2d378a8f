"""The two kinds of pages that record: the one that is shipped, and one of somebody else's that embeds the SDK."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tests.support import parts
from tests.support.browser import Browser, BrowserError, Page
from tests.support.devices import Devices
from tests.support.live import PAGE_OWNER, System
from tests.support.witness import Witness

EMBEDDING = Path(__file__).parent / "embedding"
OPFS = Path(__file__).with_name("opfs.js").read_text(encoding="utf-8")
# The page's own default is to seal a chunk every five seconds; on a busy machine, take it by the minute.
SLOW_S = 60.0
STANDING = """(async (id) => {
  const { chunks = [], ...view } = safereel.snapshot().recordings.find((one) => one.id === id) ?? {};
  const { recordings, ...rest } = safereel.snapshot();
  const { held, pending } = await navigator.locks.query();
  const names = (locks) => locks.map(({ name }) => name);
  const each = chunks.map(({ seq, state, held = true, times }) => ({ seq, state, held, times }));
  return { view, chunks: each, rest, others: recordings.length, locks: { held: names(held), pending: names(pending) } };
})(%s)"""


class RecorderPage:
    """What both kinds have in common: a tab with a witness, and devices that can be unplugged."""

    def __init__(self, page: Page, system: System, witness: Witness, devices: Devices) -> None:
        self.page = page
        self.system = system
        self.witness = witness
        self.devices = devices

    def files(self) -> list[tuple[str, int]]:
        """Path and size of every file in this origin's private file system."""
        return [(path, size) for path, size, _ in self.page.evaluate(OPFS)]

    def chunk_files(self) -> list[tuple[str, int]]:
        """Those that hold recorded bytes: all but journals, identities, the space that is set aside, and spare copies."""
        notes = {"journal", "releases", "identity", "last-owner", "finished-files", "reserve"}
        found = self.page.evaluate(OPFS)
        return [(path, size) for path, size, spare in found if path.rpartition("/")[2] not in notes and not spare]

    def kept_files(self) -> list[str]:
        """Paths of released chunks that are still there."""
        return [path for path, _, spare in self.page.evaluate(OPFS) if spare]


class ConsolePage(RecorderPage):
    """The shipped page."""

    @classmethod
    def open(cls, browser: Browser, system: System, witness: Witness, *, token: str | None = None) -> "ConsolePage":
        """Opens it in a new tab, signed in with `token` where the system itself gives none out."""
        page = browser.new_page()
        witness.attach(page)
        devices = Devices.attach(page)
        if token is not None:
            page.evaluate_on_new_document(f"sessionStorage.setItem('safereel.token', {json.dumps(token)})")
        page.goto(f"{system.api.url}/")
        page.wait_for("document.documentElement.dataset.ready === 'true'")
        return cls(page, system, witness, devices)

    def start(self, source: Literal["camera", "microphone"] = "camera") -> str:
        """Presses Start; the id of the recording."""
        self.page.click(f"[data-testid=source-{source}]")
        self.page.click("[data-testid=start]")
        return self.until_state("recording", "paused")

    def stop(self) -> None:
        """Presses Stop."""
        self.page.click("[data-testid=stop]")

    def until_state(self, *states: str, timeout: float = SLOW_S) -> str:
        """The id of the recording in view once it is in one of these states."""
        main = "document.querySelector('main')?.dataset"
        shown: str = self.page.wait_for(
            f"{json.dumps(states)}.includes({main}?.recordingState) && {main}.recordingId", timeout=timeout
        )
        return shown

    def only_here(self) -> int:
        """How many chunks the page says are only on this device."""
        return int(self.page.evaluate("document.querySelector('[data-testid=only-here]')?.dataset.count ?? '-1'"))

    def wait_only_here(self, condition: str, *, timeout: float = SLOW_S) -> int:
        """The number shown once it fulfils a comparison such as `>= 3`."""
        shown = "Number(document.querySelector('[data-testid=only-here]')?.dataset.count ?? NaN)"
        return int(self.page.wait_for(f"({shown} {condition}) && String({shown})", timeout=timeout))

    def cells(self) -> dict[int, str]:
        """The tape: each chunk's number and state as shown."""
        cells = "[...document.querySelectorAll('[data-testid=tape] [data-seq]')]"
        return {
            int(seq): state
            for seq, state in self.page.evaluate(f"{cells}.map((c) => [c.dataset.seq, c.dataset.state])")
        }

    def wait_cells(self, count: int, states: Sequence[str], *, timeout: float = SLOW_S) -> None:
        """Returns once at least `count` chunks are shown in one of these states."""
        cells = "[...document.querySelectorAll('[data-testid=tape] [data-seq]')]"
        self.page.wait_for(
            f"{cells}.filter((c) => {json.dumps(list(states))}.includes(c.dataset.state)).length >= {count}",
            timeout=timeout,
        )


class EmbeddedPage(RecorderPage):
    """A page on another origin that uses the SDK, with chunks of a second."""

    @classmethod
    def open(
        cls,
        browser: Browser,
        site: str,
        system: System,
        witness: Witness,
        *,
        owner: str = PAGE_OWNER,
        options: Mapping[str, object] | None = None,
    ) -> "EmbeddedPage":
        """Opens it in a new tab and starts the SDK for `owner`; `options` are those of `createSafereel`."""
        page = browser.new_page()
        witness.attach(page)
        devices = Devices.attach(page)
        page.goto(f"{site}/")
        page.wait_for("document.documentElement.dataset.ready === 'true'")
        given = {"endpoint": system.api.url, "chunkMs": 1000, "sliceMs": 250, **(options or {})}
        page.evaluate(f"embed({json.dumps(given)}, {json.dumps(system.token(owner))})")
        return cls(page, system, witness, devices)

    def record(self, **options: Any) -> str:
        """Begins a recording of the fake camera; its id."""
        recording_id: str = self.page.evaluate(f"record({json.dumps(options)})")
        return recording_id

    def stop(self) -> None:
        """Ends it; returns once all of it is on disk."""
        self.page.evaluate("recording.stop()")

    def upload(self, file: Path, **options: Any) -> dict[str, Any]:
        """Chooses a file and uploads it: `{id, already}` once that has begun, or `{code, message}` of a refusal."""
        self.page.choose_files("input[type=file]", file)
        begun: dict[str, Any] = self.page.evaluate(f"upload({json.dumps(options)})")
        return begun

    def view(self, recording_id: str) -> dict[str, Any]:
        """The recording as the SDK's snapshot shows it."""
        shown: dict[str, Any] = self.page.evaluate(f"view({json.dumps(recording_id)})")
        return shown

    def wait_view(self, recording_id: str, condition: str, *, timeout: float = SLOW_S) -> None:
        """Returns once `condition`, an expression over `view` and `chunks`, holds."""
        body = f"(({{ view, chunks }}) => {condition})({{ view: v, chunks: v.chunks }})"
        try:
            self.page.wait_for(f"((v) => v && {body})(view({json.dumps(recording_id)}))", timeout=timeout)
        except BrowserError as exc:
            raise BrowserError(f"{exc}\n{self.how_it_stands(recording_id)}") from None

    def how_it_stands(self, recording_id: str) -> str:
        """All that this page knows of a recording, for the words of a failure."""
        try:
            told = self.page.evaluate(STANDING % json.dumps(recording_id))
            told |= {"files": self.files(), "seen": self.page.seen()}
        except BrowserError as exc:
            told = {"page": exc}
        told["problems"] = self.witness.problems()
        return "\n".join(f"{name}: {value}" for name, value in told.items())


def build_embedding_page(folder: Path) -> Path:
    """The page that embeds the SDK, bundled as an integrator would; the folder to serve."""
    browser = parts.ROOT / "browser"
    vite = browser / "node_modules" / ".bin" / "vite"
    command = [
        str(vite),
        "build",
        str(EMBEDDING),
        "--config",
        str(EMBEDDING / "vite.config.mjs"),
        "--outDir",
        str(folder),
    ]
    done = subprocess.run(
        [*command, "--emptyOutDir", "--logLevel", "warn"], cwd=browser, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"vite cannot build the page: {done.stdout}{done.stderr}"
    return folder
