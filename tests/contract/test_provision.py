"""Provisioning makes a bucket fit, changes nothing when repeated, and says what to do when it cannot."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from control_plane.bucket.presign import Credentials
from control_plane.bucket.provision import ProvisionError, provision
from tests.support.buckets import PAGE_ORIGIN, Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def make_fit(place: Place, *origins: str) -> None:
    provision(
        endpoint=place.endpoint,
        bucket=place.bucket,
        region=place.region,
        credentials=place.credentials,
        origins=origins,
        addressing=place.addressing,
    )


def test_versions_are_kept(s3: "S3Client", place: Place) -> None:
    assert s3.get_bucket_versioning(Bucket=place.bucket)["Status"] == "Enabled"


def test_pages_are_let_in(s3: "S3Client", place: Place) -> None:
    (rule,) = s3.get_bucket_cors(Bucket=place.bucket)["CORSRules"]

    assert rule["AllowedOrigins"] == [PAGE_ORIGIN]
    assert set(rule["AllowedMethods"]) == {"PUT", "GET", "HEAD"}
    assert "ETag" in rule["ExposeHeaders"]


def test_without_origins_the_rules_stay(s3: "S3Client", place: Place) -> None:
    before = s3.get_bucket_cors(Bucket=place.bucket)["CORSRules"]

    make_fit(place)

    assert s3.get_bucket_cors(Bucket=place.bucket)["CORSRules"] == before


def test_wrong_keys_are_named(place: Place) -> None:
    wrong = Credentials(place.credentials.access_key, "wrong")

    with pytest.raises(ProvisionError, match="Check the keys"):
        make_fit(replace(place, credentials=wrong), PAGE_ORIGIN)


def test_an_address_where_nobody_is_says_so(place: Place) -> None:
    with pytest.raises(ProvisionError, match="Is S3_ENDPOINT right"):
        make_fit(replace(place, endpoint="http://127.0.0.1:9"), PAGE_ORIGIN)


def test_what_is_no_address_is_refused(place: Place) -> None:
    with pytest.raises(ProvisionError, match="not an S3 endpoint"):
        make_fit(replace(place, endpoint="s3.example.com"), PAGE_ORIGIN)


def test_a_name_that_no_bucket_may_have_is_refused(place: Place) -> None:
    with pytest.raises(ProvisionError, match="S3_BUCKET_NAME"):
        make_fit(replace(place, bucket="a/b"), PAGE_ORIGIN)
