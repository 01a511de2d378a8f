"""Provisioning makes a bucket fit, changes nothing when repeated, and says what to do when it cannot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from control_plane.bucket.presign import Credentials
from control_plane.bucket.provision import ProvisionError, provision
from tests.support.buckets import PAGE_ORIGIN, Place
from tests.support.proxy import FaultProxy, Respond

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def make_fit(place: Place, *origins: str) -> Sequence[str]:
    return provision(
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


def by_id(s3: "S3Client", place: Place) -> dict[str, Any]:
    return {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=place.bucket)["Rules"]}


@pytest.fixture
def lifecycle(s3: "S3Client", place: Place) -> Iterator[dict[str, Any]]:
    """The rules as they were provisioned, and again when the test is over."""
    before = by_id(s3, place)
    yield before
    set_rules(s3, place, before.values())


def set_rules(s3: "S3Client", place: Place, rules: Iterable[Any]) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=place.bucket, LifecycleConfiguration={"Rules": list(rules)})


def test_unfinished_uploads_and_forgotten_downloads_go(lifecycle: dict[str, Any]) -> None:
    unfinished, forgotten = lifecycle["safereel-unfinished-uploads"], lifecycle["safereel-forgotten-downloads"]

    assert unfinished["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "Expiration" not in unfinished
    assert forgotten["Filter"] == {"Prefix": "downloads/"}, "nothing else goes by its age"
    assert forgotten["Expiration"] == {"Days": 90}
    assert forgotten["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_rules_of_others_stay_and_ours_are_mended(s3: "S3Client", place: Place, lifecycle: dict[str, Any]) -> None:
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}
    set_rules(s3, place, [{**lifecycle["safereel-unfinished-uploads"], "Status": "Disabled"}, theirs])

    for _ in range(2):
        assert make_fit(place) == []

    ours = {name: rule for name, rule in lifecycle.items() if name.startswith("safereel-")}
    assert by_id(s3, place) == {**ours, "theirs": theirs}


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("refused", [(501, "NotImplemented"), (403, "AccessDenied")])
def test_a_store_without_lifecycle_is_told_and_no_failure(
    s3: "S3Client", place: Place, lifecycle: dict[str, Any], method: str, refused: tuple[int, str]
) -> None:
    status, code = refused
    kept = lifecycle["safereel-unfinished-uploads"]
    set_rules(s3, place, [kept])
    address = urlsplit(place.endpoint)
    assert address.hostname
    assert address.port
    refusal = Respond(status, {"content-type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode())
    with FaultProxy((address.hostname, address.port)) as proxy:
        proxy.add(method, r"[?&]lifecycle", refusal, times=None)
        (told,) = make_fit(replace(place, endpoint=proxy.url))

    assert code in told
    assert by_id(s3, place) == {kept["ID"]: kept}, "what could not be read was not written over"


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
