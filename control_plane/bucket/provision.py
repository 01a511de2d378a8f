"""Makes a bucket fit for recordings: it exists, keeps versions, and lets pages PUT into it.

Blocking (boto3): entry points call it in a thread, once at a start or as `safereel provision`. Repeating it changes
nothing more. What it needs beyond the control plane's own permissions: `s3:CreateBucket` (only where the bucket is
absent), `s3:PutBucketVersioning`, `s3:PutBucketCORS`.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from control_plane.bucket.client import open_client
from control_plane.bucket.presign import Addressing, Credentials

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CORSRuleTypeDef

# A call that fails for a moment should not fail a start; each try is bounded.
TRIES = 3
# Preflights are asked again after an hour (browsers cap it at one or two): changed origins arrive soon enough.
CORS_MAX_AGE_S = 3600
# The one region whose name CreateBucket refuses to be told.
UNNAMED_REGION = "us-east-1"

# What a grant has the page send, `range` for playback, `traceparent` where a page is traced.
ALLOWED_HEADERS = ["content-type", "x-amz-checksum-sha256", "if-none-match", "range", "traceparent"]
# Without ETag exposed, a recorder cannot say what it wrote, and every ack needs the store's own SHA-256.
EXPOSED_HEADERS = ["ETag", "x-amz-checksum-sha256", "Content-Range", "Content-Length", "Accept-Ranges"]

# By the store's code, else by the status.
ADVICE: dict[str | int, str] = {
    "SignatureDoesNotMatch": "Check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and S3_REGION.",
    "InvalidAccessKeyId": "Check S3_ACCESS_KEY_ID.",
    "RequestTimeTooSkewed": "Set this machine's clock.",
    "BucketAlreadyExists": "Somebody else has this name: choose another S3_BUCKET_NAME.",
    "InvalidBucketName": "Choose another S3_BUCKET_NAME: 3 to 63 lower-case letters, digits and hyphens.",
    301: "Check S3_REGION.",
    400: "Check S3_REGION and S3_ADDRESSING.",
    403: "Check the keys. They need s3:ListBucket, s3:CreateBucket, s3:PutBucketVersioning and s3:PutBucketCORS "
    "for this, or somebody who has these does it by hand.",
    405: "This store cannot do it; recordings need versioning and CORS.",
    501: "This store cannot do it; recordings need versioning and CORS.",
}


class ProvisionError(Exception):
    """The bucket could not be made fit. The message says what was refused and what to do."""


def provision(
    *,
    endpoint: str,
    bucket: str,
    region: str,
    credentials: Credentials,
    origins: Sequence[str],
    addressing: Addressing = Addressing.PATH,
) -> None:
    """Creates `bucket` if absent, turns versioning on, and allows PUT, GET and HEAD to pages of `origins`.

    With no origins the bucket's CORS rules are left as they are. Raises `ProvisionError`.
    """
    client = _client(endpoint, region, credentials, addressing)
    with contextlib.closing(client):
        _attempt("find or create", bucket, endpoint, lambda: _create_if_absent(client, bucket, region))
        _attempt("turn on versioning of", bucket, endpoint, lambda: _keep_versions(client, bucket))
        if origins:
            _attempt("set CORS of", bucket, endpoint, lambda: _let_pages_in(client, bucket, origins))


def _client(endpoint: str, region: str, credentials: Credentials, addressing: Addressing) -> "S3Client":
    try:
        return open_client(endpoint, region, credentials, addressing, tries=TRIES)
    except ValueError as exc:
        raise ProvisionError(f"{endpoint!r} is not an S3 endpoint (http://host:port or https://host).") from exc


def _create_if_absent(client: "S3Client", bucket: str, region: str) -> None:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as exc:
        if _status(exc) != 404:
            raise
        _create(client, bucket, region)


def _create(client: "S3Client", bucket: str, region: str) -> None:
    try:
        if region == UNNAMED_REGION:
            client.create_bucket(Bucket=bucket)
        else:
            client.create_bucket(
                Bucket=bucket,
                CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item] # any name
            )
    except client.exceptions.BucketAlreadyOwnedByYou:
        return  # somebody was faster, and it is ours


def _keep_versions(client: "S3Client", bucket: str) -> None:
    if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _let_pages_in(client: "S3Client", bucket: str, origins: Sequence[str]) -> None:
    rule: CORSRuleTypeDef = {
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["PUT", "GET", "HEAD"],
        "AllowedHeaders": ALLOWED_HEADERS,
        "ExposeHeaders": EXPOSED_HEADERS,
        "MaxAgeSeconds": CORS_MAX_AGE_S,
    }
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def _attempt(what: str, bucket: str, endpoint: str, call: Callable[[], None]) -> None:
    failed = f"Could not {what} the bucket {bucket} at {endpoint}:"
    try:
        call()
    except ClientError as exc:
        raise ProvisionError(f"{failed} {_advice(exc)}") from exc
    except ParamValidationError as exc:
        raise ProvisionError(f"{failed} {ADVICE['InvalidBucketName']}") from exc
    except BotoCoreError as exc:
        raise ProvisionError(f"{failed} {exc} Is S3_ENDPOINT right, and can this machine reach it?") from exc


def _advice(exc: ClientError) -> str:
    status, code = _status(exc), exc.response.get("Error", {}).get("Code", "")
    return f"{status} {code}. {ADVICE.get(code) or ADVICE.get(status, '')}".rstrip()


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
