"""A provisioned bucket for the contract suite, and a part of it for each test."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pytest

from control_plane.bucket.provision import provision
from control_plane.bucket.s3 import S3Bucket
from tests.support.buckets import PAGE_ORIGIN, Place, place_in_environment, place_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


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


@pytest.fixture
def s3(place: Place) -> "Iterator[S3Client]":
    """boto3, to do to the bucket what no part of ours would."""
    client = boto3.client(
        "s3",
        endpoint_url=place.endpoint,
        region_name=place.region,
        aws_access_key_id=place.credentials.access_key,
        aws_secret_access_key=place.credentials.secret_key,
    )
    with closing(client):
        yield client
