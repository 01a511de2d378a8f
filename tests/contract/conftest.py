"""A provisioned bucket for the contract suite, and a part of it for each test."""

import secrets
from collections.abc import AsyncIterator

import pytest

from control_plane.bucket.provision import provision
from control_plane.bucket.s3 import S3Bucket
from tests.support.buckets import PAGE_ORIGIN, Place, place_in_environment, place_of


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Place:
    found = place_in_environment() or place_of(request.getfixturevalue("stack"))
    for _ in range(2):  # the second time changes nothing
        provision(
            endpoint=found.endpoint,
            bucket=found.bucket,
            region=found.region,
            credentials=found.credentials,
            origins=[PAGE_ORIGIN],
            addressing=found.addressing,
        )
    return found


@pytest.fixture
def prefix() -> str:
    """Names that no other test uses, nor an earlier run against the same store."""
    return f"v1/test/{secrets.token_hex(8)}/"


@pytest.fixture
async def bucket(place: Place) -> AsyncIterator[S3Bucket]:
    async with place.client() as opened:
        yield opened
