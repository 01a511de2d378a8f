"""The signer makes byte for byte what botocore makes."""

import hashlib
import string
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.bucket.presign import (
    LONGEST_TTL_S,
    Address,
    Addressing,
    Credentials,
    Signer,
    SigV4Presigner,
)
from control_plane.domain.file_names import attachment

LABEL = st.from_regex(r"[a-z0-9][a-z0-9-]{1,20}[a-z0-9]", fullmatch=True)
BUCKETS = st.one_of(
    LABEL,
    # No store takes a longer name, and botocore judges those by their labels alone.
    st.lists(LABEL, min_size=2, max_size=3).map(".".join).filter(lambda name: len(name) <= 63),
    st.from_regex(r"[a-zA-Z0-9._-]{3,63}", fullmatch=True),
)
ENDPOINTS = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["127.0.0.1", "localhost", "s3.example.com", "S3.Example.com", "[::1]", "minio"]),
    st.sampled_from(["", ":80", ":443", ":9000", ":65535"]),
    st.sampled_from(["", "/", "/under/a/path", "/under/a/path/"]),
)
KEYS = st.one_of(
    st.from_regex(r"v1/[0-9a-f]{2}/[0-9a-f-]{36}/[0-9]{8}-[0-9]{4}-[0-9]{1,9}-[0-9a-f]{64}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60),
)
SECRETS = st.text(string.ascii_letters + string.digits + "+/=", min_size=1, max_size=90)
CREDENTIALS = st.builds(
    Credentials,
    st.from_regex(r"[A-Za-z0-9_]{3,40}", fullmatch=True),
    SECRETS,
    st.none() | SECRETS,
)
REGIONS = st.sampled_from(["us-east-1", "eu-central-1", "auto", "garage", "ap-southeast-4"])
MIME_TYPES = st.sampled_from(["video/webm", "video/webm;codecs=vp8,opus", 'video/mp4; codecs="avc1.64,  mp4a"'])
MOMENTS = st.integers(631_152_000, 4_102_444_800).map(lambda epoch_s: datetime.fromtimestamp(epoch_s, UTC))
EQUALITY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def clock_at(now: datetime) -> Iterator[None]:
    with mock.patch("botocore.auth.get_current_datetime", return_value=now.replace(tzinfo=None)):
        yield


def botocore_client(endpoint: str, region: str, credentials: Credentials, addressing: Addressing) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": addressing.value},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def ours(
    *, endpoint: str, bucket: str, addressing: Addressing, region: str, credentials: Credentials, ttl_s: int
) -> SigV4Presigner:
    signer = Signer(Address.of(endpoint, bucket, addressing), region=region, credentials=credentials)
    return SigV4Presigner(signer, put_ttl=timedelta(seconds=ttl_s), get_ttl=timedelta(seconds=ttl_s))


@EQUALITY
@given(
    endpoint=ENDPOINTS,
    bucket=BUCKETS,
    addressing=st.sampled_from(Addressing),
    region=REGIONS,
    credentials=CREDENTIALS,
    key=KEYS,
    size=st.integers(0, 5 * 2**40),
    digest=st.binary(min_size=32, max_size=32),
    mime=MIME_TYPES,
    overwrite=st.booleans(),
    ttl_s=st.integers(1, LONGEST_TTL_S),
    now=MOMENTS,
    file_name=st.none() | st.text(max_size=300),
)
def test_put_and_get_equal_botocore(
    *,
    endpoint: str,
    bucket: str,
    addressing: Addressing,
    region: str,
    credentials: Credentials,
    key: str,
    size: int,
    digest: bytes,
    mime: str,
    overwrite: bool,
    ttl_s: int,
    now: datetime,
    file_name: str | None,
) -> None:
    if "." in bucket:  # under an IP address botocore makes host names of these that nothing resolves
        addressing = Addressing.PATH if "127.0.0.1" in endpoint or "[" in endpoint else addressing
    client = botocore_client(endpoint, region, credentials, addressing)
    params = {
        "Bucket": bucket,
        "Key": key,
        "ContentLength": size,
        "ContentType": mime,
        "ChecksumSHA256": b64encode(digest).decode(),
        **({} if overwrite else {"IfNoneMatch": "*"}),
    }
    presigner = ours(
        endpoint=endpoint, bucket=bucket, addressing=addressing, region=region, credentials=credentials, ttl_s=ttl_s
    )
    with clock_at(now):
        put = client.generate_presigned_url("put_object", params, ExpiresIn=ttl_s)
        get = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=ttl_s)
        named = client.generate_presigned_url(
            "get_object",
            {
                "Bucket": bucket,
                "Key": key,
                **({} if file_name is None else {"ResponseContentDisposition": attachment(file_name)}),
                "ResponseContentType": " ".join(mime.split()),
            },
            ExpiresIn=ttl_s,
        )

    made = presigner.put(key, size=size, sha256=digest.hex(), content_type=mime, overwrite=overwrite, now=now)

    assert made.url == put
    assert presigner.get(key, now=now).url == get
    assert presigner.get(key, now=now, file_name=file_name, content_type=mime).url == named


NOW = datetime(2026, 11, 21, 23, 59, 59, 900_000, tzinfo=UTC)
KEY = "v1/aa/x/00000000-0000-5-abc"
DIGEST = hashlib.sha256(b"hello").hexdigest()


def presigner(ttl_s: int = 300) -> SigV4Presigner:
    return ours(
        endpoint="http://127.0.0.1:8333",
        bucket="vid",
        addressing=Addressing.PATH,
        region="us-east-1",
        credentials=Credentials("AK", "SK"),
        ttl_s=ttl_s,
    )


def put(signer: SigV4Presigner, *, overwrite: bool = False, now: datetime = NOW) -> tuple[str, dict[str, str]]:
    made = signer.put(KEY, size=5, sha256=DIGEST, content_type="video/webm", overwrite=overwrite, now=now)
    return made.url, made.headers


def test_headers_are_those_that_a_browser_must_send() -> None:
    checksum = b64encode(hashlib.sha256(b"hello").digest()).decode()

    assert put(presigner())[1] == {
        "content-type": "video/webm",
        "x-amz-checksum-sha256": checksum,
        "if-none-match": "*",
    }
    assert "if-none-match" not in put(presigner(), overwrite=True)[1]


def test_expiry_counts_from_the_whole_second() -> None:
    made = presigner().get(KEY, now=NOW)

    assert made.expires_at == datetime(2026, 11, 22, 0, 4, 59, tzinfo=UTC)
    assert made.headers == {}


def test_caches_do_not_outlive_the_second_or_the_day() -> None:
    kept = presigner()
    for seconds in (0, 0.05, 0.2, 86_400, -86_400, 0):
        now = NOW + timedelta(seconds=seconds)
        for overwrite in (True, False):
            assert put(kept, overwrite=overwrite, now=now) == put(presigner(), overwrite=overwrite, now=now)
        assert kept.get(KEY, now=now) == presigner().get(KEY, now=now)


def test_a_name_alone_is_signed_too() -> None:
    made = presigner().get(KEY, now=NOW, file_name="Übung.webm").url

    assert "?response-content-disposition=attachment%3B%20filename%3D%22Ubung.webm%22%3B%20filename%2A%3D" in made
    assert "response-content-type" not in made
    assert made != presigner().get(KEY, now=NOW).url


def test_a_line_break_in_a_type_cannot_add_a_header() -> None:
    assert "%0A" not in presigner().get(KEY, now=NOW, file_name="a\r\nb", content_type="video/webm\nx-evil: 1").url

    made = presigner().put(KEY, size=5, sha256=DIGEST, content_type="video/webm\nx-evil: 1", overwrite=False, now=NOW)

    assert made.headers["content-type"] == "video/webm x-evil: 1"


@pytest.mark.parametrize("ttl_s", [0, -1, LONGEST_TTL_S + 1])
def test_validity_outside_what_s3_takes_is_refused(ttl_s: int) -> None:
    with pytest.raises(ValueError, match="valid for"):
        presigner(ttl_s)


@pytest.mark.parametrize("endpoint", ["", "s3.example.com", "ftp://x", "http://", "http://a?b", "http://u:p@h"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="not an S3 endpoint"):
        Address.of(endpoint, "vid")


def test_a_digest_that_is_not_hex_is_refused() -> None:
    with pytest.raises(ValueError, match="hex"):
        presigner().put(KEY, size=5, sha256="zz", content_type="video/webm", overwrite=False, now=NOW)
