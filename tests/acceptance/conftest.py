"""The live system, shared by tests that leave it whole: each uses a browser profile, and so a recorder, of its own.

Every test that asks for an `engine`, or for something that rests on it, can run in Chromium and in Firefox. By default those
marked `both_engines` run in both and the others, for time's sake, in Chromium; `make test-firefox` (ENGINE=firefox) runs all in
Firefox.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.browser import Browser, Engine, Launch
from tests.support.live import System, up
from tests.support.recorder_pages import ConsolePage, EmbeddedPage, build_embedding_page
from tests.support.site import serve_folder
from tests.support.witness import Witness

HERE = Path(__file__).parent
ONLY = os.environ.get("ENGINE")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which engines a test runs in."""
    if "engine" in metafunc.fixturenames:
        in_both = metafunc.definition.get_closest_marker("both_engines") is not None
        engines = [ONLY] if ONLY else ["chromium", "firefox"] if in_both else ["chromium"]
        metafunc.parametrize("engine", engines, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test here that fails is run once more, and the summary names it (RERUN): a browser that starves on a busy machine must
    not hide what the rest found. A test that is named there twice in a week is a defect: of the test, or worse.
    """
    for item in items:
        if HERE in item.path.parents:
            if item.get_closest_marker("flaky") is None:
                item.add_marker(pytest.mark.flaky(reruns=1))
            if ONLY and "engine" not in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="the same in every engine"))


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The browser engine of this test."""
    name: Engine = request.param
    return name


@pytest.fixture(scope="session")
def launch(engine: Engine) -> Launch:
    """Starts a browser of that engine on a profile."""
    return partial(Browser.launch, engine=engine)


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site serves: a page that embeds the SDK, and the pages that tests put beside it."""
    return build_embedding_page(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def policies() -> dict[str, str]:
    """The Content-Security-Policies of the site, by path; a test may add one for a folder of its own."""
    return {}


@pytest.fixture(scope="session")
def site(site_folder: Path, policies: dict[str, str]) -> Iterator[str]:
    """The origin of pages that embed the SDK."""
    with serve_folder(site_folder, policies) as origin:
        yield origin


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory, site: str) -> Iterator[System]:
    """`safereel up`."""
    # An audit looks at all that was ever recorded here: twice a second they took half a core.
    with up(tmp_path_factory.mktemp("up"), origins=[site], SAFEREEL_AUDIT_INTERVAL_MS="3000") as system:
        yield system


@pytest.fixture
def system(everything: System) -> Iterator[System]:
    """The same, with no fault left by the test before."""
    everything.heal()
    yield everything
    everything.heal()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """An empty log of what is recorded."""
    return Witness(tmp_path / "witness.jsonl")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The folder of a browser profile that can be launched again after a kill."""
    return tmp_path / "profile"


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Firefox for all tests that kill none: it takes seconds to start."""
    with Browser.launch(tmp_path_factory.mktemp("firefox"), engine="firefox") as browser:
        yield browser


@pytest.fixture
def browser(engine: Engine, profile: Path, launch: Launch, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser with nothing in it."""
    if engine == "firefox":
        shared: Browser = request.getfixturevalue("firefox")
        with shared.apart() as browser:
            yield browser
    else:
        with launch(profile) as browser:
            yield browser


@pytest.fixture
def console(browser: Browser, system: System, witness: Witness) -> ConsolePage:
    """The shipped page."""
    return ConsolePage.open(browser, system, witness)


@pytest.fixture
def embed(browser: Browser, system: System, site: str, witness: Witness) -> Callable[..., EmbeddedPage]:
    """Opens the page that embeds the SDK, with options of `createSafereel`."""

    def open_page(**options: object) -> EmbeddedPage:
        return EmbeddedPage.open(browser, site, system, witness, options=options)

    return open_page
