"""Addresses without a page: people get one that says so, programs the problem document."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.support.plane import Running, running_plane

pytestmark = pytest.mark.anyio

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
async def running(
    stack: EmbeddedStack, shared_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A control plane with a page and a reference."""
    built = tmp_path_factory.mktemp("page")
    (built / "assets").mkdir()
    for name in ("index.html", "reference.html"):
        (built / name).write_text("<!doctype html>")
    async with running_plane(stack, shared_settings, page_dir=built) as running:
        yield running


async def ask(
    running: Running, method: str, path: str, accept: str | None = FIREFOX
) -> tuple[aiohttp.ClientResponse, str]:
    async with (
        aiohttp.ClientSession(skip_auto_headers=["accept"]) as client,
        client.request(
            method, running.endpoint + path, headers={"accept": accept} if accept else {}, allow_redirects=False
        ) as answer,
    ):
        return answer, await answer.text()


@pytest.mark.parametrize("path", ["/foo", "/docs/x", "/assets/gone.js", "/v12", "/%F0%9F%8E%A5"])
async def test_people_get_a_page_that_leads_home(running: Running, path: str) -> None:
    answer, page = await ask(running, "GET", path)
    assert (answer.status, answer.content_type) == (404, "text/html")
    assert "<h1>There is no page at this address</h1>" in page
    assert '<a href="/">' in page
    assert answer.headers["vary"] == "Accept"


async def test_the_page_needs_nothing_and_may_nothing(running: Running) -> None:
    answer, page = await ask(running, "GET", "/foo")
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
    policy = answer.headers["content-security-policy"]
    assert {"default-src 'none'", "img-src data:", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert [f"style-src 'sha256-{digest}'" in policy for digest in digests] == [True]
    assert "unsafe" not in policy
    assert not re.search(r"<script|style=|https?:(?!//www\.w3\.org/2000/svg)", page)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/foo", None),
        ("/foo", "*/*"),
        ("/foo", "application/json"),
        ("/foo", "text/html, application/problem+json"),
        ("/foo", "text/html;q=0.5, application/*"),
        ("/favicon.ico", "image/avif,image/webp,*/*;q=0.8"),
        ("/v1", FIREFOX),
        ("/v1/nothing", FIREFOX),
        ("/v1/recordings/no-id", FIREFOX),
    ],
)
async def test_programs_get_the_problem(running: Running, path: str, accept: str | None) -> None:
    answer, told = await ask(running, "GET", path, accept)
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert '"not_found"' in told
    assert ("Accept" in answer.headers.getall("vary", [])) == (not path.startswith("/v1"))


@pytest.mark.parametrize(("accept", "kind"), [(FIREFOX, "text/html"), ("*/*", "application/problem+json")])
async def test_head_tells_what_get_would(running: Running, accept: str, kind: str) -> None:
    got, page = await ask(running, "GET", "/foo", accept)
    answer, nothing = await ask(running, "HEAD", "/foo", accept)
    assert (answer.status, answer.content_type, nothing) == (404, kind, "")
    assert page
    for name in ("content-length", "content-security-policy", "vary"):
        assert answer.headers[name] == got.headers[name]


async def test_a_slash_too_many_leads_to_the_reference(running: Running) -> None:
    for method in ("GET", "HEAD"):
        answer, _ = await ask(running, method, "/docs/")
        assert (answer.status, answer.headers["location"]) == (308, "/docs")


async def test_other_methods_are_refused_as_ever(running: Running) -> None:
    answer, _ = await ask(running, "POST", "/recordings")
    assert (answer.status, answer.content_type) == (405, "application/problem+json")


async def test_an_api_without_a_page_has_none_for_lost_people_either(stack: EmbeddedStack, settings: Settings) -> None:
    async with running_plane(stack, settings) as running:
        answer, _ = await ask(running, "GET", "/foo")
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
