"""A control plane for each test, on a fresh copy of the schema and a bucket of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.services.identity import TokenVerifier
from control_plane.wiring import open_trusts
from tests.support.databases import fresh_database, make_template
from tests.support.oidc_issuer import OidcIssuer
from tests.support.plane import Running, fresh_bucket, running_plane, s3_client, settings_for
from tests.support.proxy import FaultProxy
from tests.support.token_checker import Checker, oidc_settings


@pytest.fixture(scope="session")
def template(stack: EmbeddedStack) -> None:
    """The migrated database that others are copies of."""
    make_template(stack)


@pytest.fixture
def settings(stack: EmbeddedStack, template: None) -> Iterator[Settings]:
    """Settings on a database and a bucket of the test's own."""
    with fresh_database(stack) as url, fresh_bucket(stack) as bucket:
        yield settings_for(stack, url, bucket)


@pytest.fixture(scope="module")
def shared_settings(stack: EmbeddedStack, template: None) -> Iterator[Settings]:
    """Settings on a database and a bucket for all tests of a module: for those that look at answers, not at what is stored."""
    with fresh_database(stack) as url, fresh_bucket(stack) as bucket:
        yield settings_for(stack, url, bucket)


@pytest.fixture
async def running(stack: EmbeddedStack, settings: Settings) -> AsyncIterator[Running]:
    """A served control plane."""
    async with running_plane(stack, settings) as found:
        yield found


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    """An OpenID provider with one key."""
    with OidcIssuer() as found:
        found.add_key("first")
        yield found


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    """What the test opens; closed at its end."""
    async with AsyncExitStack() as found:
        yield found


@pytest.fixture
async def checker(issuer: OidcIssuer, opened: AsyncExitStack) -> Checker:
    """Trusts the provider alone."""
    return Checker(TokenVerifier(await open_trusts(oidc_settings(issuer), opened)))


@pytest.fixture
def s3(stack: EmbeddedStack) -> Any:
    """boto3's client at the bucket's server."""
    return s3_client(stack)


@pytest.fixture
def bucket_proxy(settings: Settings) -> Iterator[FaultProxy]:
    """Before the bucket, doing nothing yet."""
    host, _, port = settings.s3_endpoint.rpartition("//")[2].partition(":")
    with FaultProxy((host, int(port))) as found:
        yield found
