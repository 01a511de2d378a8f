"""Makes a bucket fit for recordings: it exists, keeps versions, lets pages PUT into it, and tidies up after downloads.

Blocking (boto3): entry points call it in a thread, once at a start or as `safereel provision`. Repeating it changes
nothing more. What it needs beyond the control plane's own permissions: `s3:CreateBucket` (only where the bucket is
absent), `s3:PutBucketVersioning`, `s3:PutBucketCORS`, `s3:GetLifecycleConfiguration`, `s3:PutLifecycleConfiguration`.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from control_plane.bucket.client import open_client
from control_plane.bucket.presign import Addressing, Credentials
from control_plane.domain.keys import DOWNLOADS_PREFIX

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CORSRuleTypeDef, LifecycleRuleTypeDef

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

# An upload that is not completed within it was forgotten by everybody: its parts are paid for, and no listing shows them.
UNFINISHED_DAYS = 7
# Files made of recordings, which can be made again. The control plane removes them itself long before; this catches those that
# a lost ledger forgot.
DOWNLOADS_DAYS = 90
# Nobody heals a file that was made of others.
OLDER_DOWNLOADS_DAYS = 1
NO_LIFECYCLE = "NoSuchLifecycleConfiguration"
LIFECYCLE: "tuple[LifecycleRuleTypeDef, ...]" = (
    {
        "ID": "safereel-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
    },
    {
        "ID": "safereel-forgotten-downloads",
        "Status": "Enabled",
        "Filter": {"Prefix": DOWNLOADS_PREFIX},
        "Expiration": {"Days": DOWNLOADS_DAYS},
        "NoncurrentVersionExpiration": {"NoncurrentDays": OLDER_DOWNLOADS_DAYS},
    },
)
"""Ours, known by their ids: all other rules of the bucket stay."""

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
) -> Sequence[str]:
    """Creates `bucket` if absent, turns versioning on, allows PUT, GET and HEAD to pages of `origins`, has downloads tidied up.

    With no origins the bucket's CORS rules are left as they are. Raises `ProvisionError`. Answers, in sentences, what the store
    refused that recordings can do without.
    """
    client = _client(endpoint, region, credentials, addressing)
    with contextlib.closing(client):
        _attempt("find or create", bucket, endpoint, lambda: _create_if_absent(client, bucket, region))
        _attempt("turn on versioning of", bucket, endpoint, lambda: _keep_versions(client, bucket))
        if origins:
            _attempt("set CORS of", bucket, endpoint, lambda: _let_pages_in(client, bucket, origins))
        return _tidied(client, bucket)


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


def _tidied(client: "S3Client", bucket: str) -> Sequence[str]:
    """Nothing where the rules are set, else what is left undone: no reason not to start."""
    try:
        _tidy_up(client, bucket)
    except (ClientError, BotoCoreError) as exc:
        said = f"{_status(exc)} {_code(exc)}" if isinstance(exc, ClientError) else str(exc)
        undone = (
            f"The store did not take lifecycle rules for the bucket {bucket} ({said}): parts of downloads that were never "
            f"finished, and files under {DOWNLOADS_PREFIX} that the ledger forgot, stay until somebody removes them."
        )
        return [undone]
    return []


def _tidy_up(client: "S3Client", bucket: str) -> None:
    found = _rules(client, bucket)
    ours = {rule.get("ID") for rule in LIFECYCLE}
    wanted: list[Any] = [*(rule for rule in found if rule.get("ID") not in ours), *LIFECYCLE]
    if [rule for rule in found if rule.get("ID") in ours] != list(LIFECYCLE):
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": wanted})


def _rules(client: "S3Client", bucket: str) -> Sequence[Mapping[str, Any]]:
    try:
        return list[Mapping[str, Any]](client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", []))
    except ClientError as exc:
        if _code(exc) == NO_LIFECYCLE:
            return []
        raise  # to set rules over those that could not be read would remove them


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
    status, code = _status(exc), _code(exc)
    return f"{status} {code}. {ADVICE.get(code) or ADVICE.get(status, '')}".rstrip()


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(exc: ClientError) -> str:
    return exc.response.get("Error", {}).get("Code", "")
