"""The npm package in a stranger's project: types, servers, bundlers, a page without one; and its examples, each run as it is."""

import json
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.support import parts
from tests.support.browser import Browser, Page
from tests.support.live import System, get, require_page, until
from tests.support.package import BROWSER, EXAMPLES, NAME, install, lend, pack, run_command, tool, wheel
from tests.support.proxy import Hold

MIB = 1024 * 1024
SLOW_S = 60.0
WEBM = bytes.fromhex("1a45dfa3")  # EBML, RFC 8794
EXAMPLE_ENDPOINT = "http://localhost:8000"
RECORDER = parts.ROOT / "docs" / "recorder.md"
DOCUMENTS = (RECORDER, BROWSER / "package" / "README.md")
STRICT = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom"]


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm publish` would send."""
    return pack(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, tarball: Path) -> Path:
    """A project that has the package and nothing else."""
    return install(tarball, tmp_path_factory.mktemp("consumer") / "project")


def package_of(project: Path) -> Path:
    return project / "node_modules" / NAME


def strictest_policy(api: str, bucket: str) -> str:
    """The Content-Security-Policy that the document shows, for these two origins."""
    found = re.search(r"^ *default-src 'none';.*$", RECORDER.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{RECORDER} shows no policy"
    shown = found[0].strip()
    return shown.replace("https://safereel.example.com", api).replace("https://s3.example.com", bucket)


def ten_lines(document: Path) -> str:
    """The first program that a document shows."""
    found = re.search(r"^```(?:js|ts)\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{document} shows no program"
    return found[1]


def test_it_brings_itself_and_nothing_else(project: Path) -> None:
    installed = json.loads((project / "package-lock.json").read_text())["packages"]
    assert set(installed) == {"", f"node_modules/{NAME}"}
    files = {str(path.relative_to(package_of(project))) for path in package_of(project).rglob("*")}
    assert {"index.js", "index.d.ts", "spool.worker.js", "README.md", "LICENSE"} <= files
    assert not [name for name in files if name.endswith((".ts", ".tsx")) and not name.endswith(".d.ts")]
    manifest = json.loads((package_of(project) / "package.json").read_text())
    assert not {"dependencies", "peerDependencies", "devDependencies", "scripts"} & set(manifest)


@pytest.mark.parametrize("resolution", ["bundler", pytest.param("node16", marks=pytest.mark.thorough)])
def test_the_ten_lines_of_the_documents_fit_its_types(project: Path, resolution: str) -> None:
    sources = [project / "src" / f"{place.parent.name}.ts" for place in DOCUMENTS]
    for source, document in zip(sources, DOCUMENTS, strict=True):
        source.parent.mkdir(exist_ok=True)
        source.write_text(ten_lines(document))
    module = "node16" if resolution == "node16" else "es2022"
    command = [tool("tsc"), *STRICT, "--module", module, "--moduleResolution", resolution, *map(str, sources)]
    run_command(*command, cwd=project)
    with sources[0].open("a") as opened:
        opened.write("const wrong: number = recording.id;\n")
    with pytest.raises(AssertionError, match="Type 'string' is not assignable to type 'number'"):
        run_command(*command, cwd=project)


def test_on_a_server_importing_it_does_nothing(project: Path) -> None:
    script = f"""
        const before = Object.getOwnPropertyNames(globalThis).length;
        const {{ createSafereel }} = await import('{NAME}');
        const safereel = createSafereel({{ endpoint: '', getToken: async () => '' }});
        const refused = await safereel.ready().catch((error) => error.code);
        const added = Object.getOwnPropertyNames(globalThis).length - before;
        console.log(JSON.stringify({{ refused, added, ready: safereel.snapshot().ready }}));
    """
    told = json.loads(run_command("node", "--input-type=module", "--eval", script, cwd=project))
    assert told == {"refused": "no_browser", "added": 0, "ready": False}


def test_the_wheel_holds_program_schema_and_page(tmp_path: Path) -> None:
    require_page()
    place = tmp_path / "place"
    run_command(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place)),
        *("--disable-pip-version-check", "--root-user-action=ignore", str(wheel(tmp_path))),
        cwd=tmp_path,
    )
    script = """
        import json
        from control_plane.commands.serve import page_dir
        from control_plane.db.queries import queries, sql_dir
        print(json.dumps([str(page_dir()), str(sql_dir()), len(queries()), len(list(sql_dir().glob("migrations/*.sql")))]))
    """
    told = run_command("env", f"PYTHONPATH={place}", sys.executable, "-c", dedent(script), cwd=tmp_path)
    page, sql, statements, migrations = json.loads(told)
    assert Path(page).is_relative_to(place)
    assert (Path(page) / "index.html").is_file()
    assert Path(sql).is_relative_to(place)
    assert statements > 0
    assert migrations == len(list((parts.ROOT / "sql" / "migrations").glob("*.sql")))


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody with a page of their own, a control plane, and a backend that answers tokens for one owner."""

    browser: Browser
    site: str
    site_folder: Path
    system: System
    project: Path
    owner: str

    def place(self, name: str, folder: Path) -> Path:
        """A copy of an example in `folder`, with the one line changed that everybody changes."""
        placed = folder / name
        shutil.copytree(EXAMPLES / name, placed)
        changed = 0
        for path in (path for path in placed.rglob("*") if path.is_file()):
            source = path.read_text(encoding="utf-8")
            changed += source.count(EXAMPLE_ENDPOINT)
            path.write_text(source.replace(EXAMPLE_ENDPOINT, self.system.api.url), encoding="utf-8")
        assert changed == 1, f"{name} names its control plane {changed} times"
        return placed

    def build(self, name: str) -> None:
        """Builds an example into the site with Vite as it comes, without any configuration."""
        source = self.place(name, self.project)
        target = str(self.site_folder / name)
        run_command(tool("vite"), "build", "--base", "./", "--outDir", target, cwd=source)

    def open(self, name: str) -> Page:
        """A tab with an example of the site."""
        return self.browser.new_page(f"{self.site}/{name}/")

    def recordings(self) -> list[dict[str, Any]]:
        """The owner's, as the API lists them, without those that are being deleted."""
        status, answer = get(f"{self.system.url}/v1/recordings", self.system.token(self.owner))
        assert status == 200, answer
        return [listed for listed in answer["recordings"] if listed["state"] != "deleting"]

    def until_confirmed(self, *, title: str) -> bytes:
        """What is in the bucket of the owner's one recording, once a sweep has seen all of it again."""
        [listed] = self.recordings()

        def confirmed(told: dict[str, Any]) -> bool:
            return bool(told["complete"]) and told["confirmed"] == told["received"] != []

        told = self.system.until(listed["id"], confirmed, owner=self.owner, timeout=SLOW_S)
        assert told["title"] == title
        return b"".join(chunk.data for chunk in self.system.stored(listed["id"]))


@pytest.fixture
def stranger(
    browser: Browser, site_folder: Path, system: System, project: Path, request: pytest.FixtureRequest
) -> Iterator[Stranger]:
    """Whose recordings are nobody else's, and whose pages go when the test is over."""
    owner, site = request.node.name, request.getfixturevalue("site")
    answer = site_folder / "safereel-token"
    answer.write_text(system.token(owner))
    yield Stranger(browser, site, site_folder, system, project, owner)
    answer.unlink()
    for name in (path.name for path in EXAMPLES.iterdir()):
        for folder in (site_folder, project):
            shutil.rmtree(folder / name, ignore_errors=True)


def assert_clean(page: Page) -> None:
    """Nothing failed in it, and nothing was complained of."""
    seen = page.seen()
    assert (seen.errors, seen.failed_requests) == ((), ())
    assert [message for message in seen.console if message.level in {"error", "warn"}] == []


def test_plain_html_records_without_any_build(stranger: Stranger) -> None:
    page_folder = stranger.place("plain-html", stranger.site_folder)
    shutil.copytree(package_of(stranger.project), package_of(page_folder))
    page = stranger.open("plain-html")
    page.click("#start")
    page.wait_for_text("#state", "Recording")
    until("a chunk granted", stranger.recordings)
    page.click("#stop")
    page.wait_for_text("#state", "Stored as", timeout=SLOW_S)
    assert stranger.until_confirmed(title="Room 4").startswith(WEBM)
    assert_clean(page)


@pytest.mark.thorough
def test_react_records_with_a_page_that_vite_built(stranger: Stranger) -> None:
    lend(stranger.project, ["react", "react-dom", "scheduler"])
    stranger.build("react")
    page = stranger.open("react")
    page.click("text/Record")
    page.wait_for_text("li", "Room 4: recording")
    until("a chunk granted", stranger.recordings)
    page.click("text/Stop")
    page.wait_for_text("li", "Room 4: stored", timeout=SLOW_S)
    assert stranger.until_confirmed(title="Room 4").startswith(WEBM)
    assert_clean(page)


@pytest.mark.thorough
def test_uppy_uploads_with_progress_pauses_and_deletes_what_is_cancelled(stranger: Stranger, tmp_path: Path) -> None:
    lend(stranger.project, ["@uppy"])
    stranger.build("uppy")
    # Uppy's own types are not ours to judge.
    options = [*STRICT, "--module", "es2022", "--moduleResolution", "bundler", "--skipLibCheck"]
    run_command(tool("tsc"), *options, "main.ts", cwd=stranger.project / "uppy")
    film = tmp_path / "film.webm"
    film.write_bytes(random.Random(1).randbytes(36 * MIB))
    page, system = stranger.open("uppy"), stranger.system

    def upload_as_far_as_one_chunk() -> str:
        system.bucket.add("PUT", "/v1/", Hold(), times=None, skip=1)
        page.choose_files("input.uppy-Dashboard-input", film)
        page.click(".uppy-StatusBar-actionBtn--upload")
        shown = "Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow'))"
        page.wait_for(f"{shown} > 0 && {shown} < 100", timeout=SLOW_S)
        [told] = stranger.recordings()
        return str(told["id"])

    cancelled = upload_as_far_as_one_chunk()
    page.click(".uppy-StatusBar-actionCircleBtn[title=Cancel]")
    until("the cancelled upload deleted", lambda: stranger.recordings() == [])
    system.heal()
    until("its objects gone", lambda: system.traces(cancelled) == [])

    recording_id = upload_as_far_as_one_chunk()
    page.click(".uppy-StatusBar-actionCircleBtn[title=Pause]")
    begun = sum(x.method == "PUT" and recording_id in x.path for x in system.bucket.log())
    assert begun < 5
    system.heal()
    # What was under way arrives, and until a sweep has seen it nothing follows.
    system.until(
        recording_id,
        lambda told: told["received_chunks"] == begun and told["confirmed"] == told["received"],
        owner=stranger.owner,
    )
    page.click(".uppy-StatusBar-actionCircleBtn[title=Resume]")
    page.wait_for_text(".uppy-StatusBar-statusPrimary", "Complete", timeout=SLOW_S)
    assert stranger.until_confirmed(title="film.webm") == film.read_bytes()
    assert_clean(page)


PAGE_UNDER_POLICY = """
    <!doctype html><title>Under a policy</title><p id="state">Starting</p>
    <script type="module" src="main.js"></script>
"""

RECORDS_BY_ITSELF = """
    import { createSafereel } from './sdk/index.js';
    const say = (words) => { document.getElementById('state').textContent = words; };
    const getToken = async () => (await fetch('/safereel-token')).text();
    const safereel = createSafereel({ endpoint: 'ENDPOINT', getToken, workerUrl: '../workers/recorder.js' });
    try {
      await safereel.ready();
      const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
      const recording = await safereel.record(stream, { title: 'Strict' });
      say('Recording');
      safereel.subscribe(async ({ type, chunk }) => {
        if (type !== 'chunk' || chunk.state !== 'acked') return;
        await recording.stop();
        await recording.completed();
        say('Stored');
      });
    } catch (error) {
      say(error.code ?? String(error));
    }
"""


@pytest.fixture
def strict_page(stranger: Stranger, policies: dict[str, str]) -> Iterator[Callable[[str], Page]]:
    """Opens a page that records by itself, with its worker from another path, all of it under a policy."""
    folder, workers = (stranger.site_folder / name for name in ("strict", "workers"))
    shutil.copytree(package_of(stranger.project), folder / "sdk")
    workers.mkdir()
    shutil.move(folder / "sdk" / "spool.worker.js", workers / "recorder.js")
    (folder / "index.html").write_text(dedent(PAGE_UNDER_POLICY).lstrip())
    (folder / "main.js").write_text(dedent(RECORDS_BY_ITSELF).replace("ENDPOINT", stranger.system.api.url))

    def open_page(policy: str) -> Page:
        policies.update({"/strict/": policy, "/workers/": policy})
        return stranger.open("strict")

    yield open_page
    policies.clear()
    for made in (folder, workers):
        shutil.rmtree(made)


def test_the_documented_policy_lets_it_record_with_its_worker_from_another_path(
    strict_page: Callable[[str], Page], stranger: Stranger
) -> None:
    policy = strictest_policy(stranger.system.api.url, stranger.system.bucket.url)
    strict_page(policy).wait_for_text("#state", "Stored", timeout=SLOW_S)
    assert stranger.until_confirmed(title="Strict").startswith(WEBM)


def test_a_policy_that_refuses_the_worker_is_told(strict_page: Callable[[str], Page]) -> None:
    policy = strictest_policy("https://a.example", "https://b.example")
    refused = strict_page(policy.replace("worker-src 'self'", "worker-src 'none'"))
    refused.wait_for_text("#state", "worker_failed")
