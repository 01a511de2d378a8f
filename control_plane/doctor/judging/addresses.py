"""Can the bucket be reached, is it S3, and do our keys open it (and nobody else's)?"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from control_plane.doctor.findings import Check, Finding, ok, skipped, warning, wrong
from control_plane.doctor.seen import Answer, Outcome, Place, Silence, Trouble, done

# A slow line takes about this long for a chunk or two; a grant must not die while it waits for its turn.
SHORT_GRANT = timedelta(minutes=1)
# How AWS names temporary keys.
TEMPORARY_KEY = "ASIA"

ADVICE = {
    Trouble.ADDRESS: "{name} must be a URL such as https://s3.example.com or http://127.0.0.1:9000.",
    Trouble.DNS: "Check the host name in {name}. With S3_ADDRESSING=virtual the bucket's name is part of it: a store that "
    "has no such name wants S3_ADDRESSING=path.",
    Trouble.REFUSED: "Nothing listens there: start the store, or mend host and port in {name}.",
    Trouble.TLS: "Check http:// or https:// in {name}, the certificate's name and its age; this machine must trust who "
    "issued it (SSL_CERT_FILE).",
    Trouble.TIMEOUT: "A firewall that drops packets, or a store that hangs: check {name} and what lies between.",
    Trouble.CUT: "Something closed the connection: check the port in {name}, and https:// in place of http://.",
    Trouble.NOT_HTTP: "Another kind of server listens there: check host, port and http:// or https:// in {name}.",
    Trouble.OTHER: "Check {name}.",
}
IN_A_CONTAINER = (
    "If doctor runs in a container where this name means another machine, run it where browsers are, with S3_ENDPOINT set to "
    "the same public address."
)
KEYS_AND_REGION = (
    "Check S3_SECRET_ACCESS_KEY first, then S3_REGION. A proxy that changes Host or path breaks every signature too."
)
BY_CODE = {
    "SignatureDoesNotMatch": KEYS_AND_REGION,
    "InvalidAccessKeyId": "The store does not know this key: check S3_ACCESS_KEY_ID.",
    "InvalidToken": "Temporary keys do not work here: Safereel has no setting for their token. Use keys that last.",
    "AuthorizationHeaderMalformed": "Set S3_REGION to the bucket's region.",
    "AuthorizationQueryParametersError": "Set S3_REGION to the bucket's region.",
    "PermanentRedirect": "Set S3_ENDPOINT and S3_REGION to the bucket's region.",
    "NoSuchBucket": "Check S3_BUCKET_NAME, or let `safereel provision` make the bucket.",
    "RequestTimeTooSkewed": "Set this machine's clock (chronyd or systemd-timesyncd): the store refuses what is signed by it.",
    "SecondLevelDomainForbidden": "This store wants the bucket in the host name: set S3_ADDRESSING=virtual.",
    "AccessDenied": "The keys are known but may not do this: allow them s3:ListBucket on the bucket, and s3:GetObject, "
    "s3:PutObject and s3:DeleteObject on its objects.",
    "InvalidBucketName": "Check S3_BUCKET_NAME: 3 to 63 lower-case letters, digits and hyphens.",
}


def settings_address(place: Place) -> Finding:
    """Would a browser go to the public endpoint from these pages at all?"""
    tried = f"S3_PUBLIC_ENDPOINT {place.public_endpoint} beside the pages' origins"
    url = urlsplit(place.public_endpoint)
    mixed = [origin for origin in place.origins if origin.startswith("https:")]
    if url.scheme == "http" and mixed and not _loopback(url.hostname):
        return wrong(
            Check.SETTINGS_ADDRESS,
            tried,
            f"pages under https ({mixed[0]}) may not send to http: browsers block it as mixed content",
            "Give the bucket a certificate and set S3_PUBLIC_ENDPOINT to its https address.",
        )
    elsewhere = [origin for origin in place.origins if not _loopback(urlsplit(origin).hostname)]
    if _loopback(url.hostname) and elsewhere:
        return warning(
            Check.SETTINGS_ADDRESS,
            tried,
            f"to a browser on another machine {url.hostname} is that machine itself, and {elsewhere[0]} is not only for this one",
            "Set S3_PUBLIC_ENDPOINT to the address under which browsers reach the bucket.",
        )
    return ok(Check.SETTINGS_ADDRESS, tried, "browsers may send there")


def settings_grants(grant_ttl: timedelta, access_key: str) -> Finding:
    """Do grants live as long as they say?"""
    tried = f"grants of {grant_ttl.total_seconds():.0f} s (SAFEREEL_GRANT_TTL_MS)"
    if access_key.startswith(TEMPORARY_KEY):
        return wrong(
            Check.SETTINGS_GRANTS,
            tried,
            "S3_ACCESS_KEY_ID is a temporary key: its signatures die with it, whatever their expiry says, and need a token",
            "Use the keys of a user that last.",
        )
    if grant_ttl < SHORT_GRANT:
        return warning(
            Check.SETTINGS_GRANTS,
            tried,
            "shorter than a slow line may need for what stands before a chunk: it would be granted again and again",
            "Set SAFEREEL_GRANT_TTL_MS to some minutes (900000 unless told).",
        )
    return ok(Check.SETTINGS_GRANTS, tried, "long enough, and the keys are not temporary")


def reach(check: Check, name: str, url: str, outcome: Outcome) -> Finding:
    """What answered an unsigned GET of the bucket; `name` is the setting that holds the address."""
    tried = f"GET {url} without a signature ({name})"
    if isinstance(outcome, Silence):
        advice = ADVICE[outcome.trouble].format(name=name)
        mend = f"{advice} {IN_A_CONTAINER}" if check is Check.BUCKET_PUBLIC else advice
        return wrong(check, tried, str(outcome), mend)
    if not is_s3(outcome):
        return wrong(
            check,
            tried,
            f"{outcome.status} of type {outcome.headers.get('content-type', 'unknown')}: something that is not S3",
            f"Another server answers: set {name} to the address of the store's S3 API (not of its console, a page or a proxy "
            "that does not pass S3 on).",
        )
    return ok(check, tried, f"S3 answered {outcome}")


def is_s3(outcome: Outcome) -> bool:
    """Whether an answer is one of S3: an error with a code, a listing, or the headers that S3 numbers requests with."""
    if not isinstance(outcome, Answer):
        return False
    marks = (b"<ListBucketResult", b"<ListAllMyBucketsResult", b"<LocationConstraint")
    return bool(outcome.code) or "x-amz-request-id" in outcome.headers or any(mark in outcome.body for mark in marks)


def credentials(place: Place, outcome: Outcome, *, clock_is_off: bool = False) -> Finding:
    """The answer to a signed GET of an object that is not there: 404 `NoSuchKey` means that the keys open the bucket.

    `clock_is_off`: a refusal may be due to that alone, and stores word it in many ways.
    """
    tried = f"signed GET of an absent object in {place.bucket}"
    if isinstance(outcome, Silence):
        return wrong(Check.BUCKET_CREDENTIALS, tried, str(outcome), ADVICE[outcome.trouble].format(name="S3_ENDPOINT"))
    if outcome.status == 404 and outcome.code != "NoSuchBucket":
        return ok(Check.BUCKET_CREDENTIALS, tried, f"{outcome}, as it must be")
    region = outcome.headers.get("x-amz-bucket-region")
    hint = f" The store names the region {region}." if region and region != place.region else ""
    unknown = "Check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_REGION, S3_BUCKET_NAME and S3_ADDRESSING."
    code = "RequestTimeTooSkewed" if clock_is_off and outcome.status == 403 else outcome.code
    advice = BY_CODE.get(code, unknown)
    return wrong(Check.BUCKET_CREDENTIALS, tried, f"{outcome}, not 404 NoSuchKey", f"{advice}{hint}")


@dataclass(frozen=True, slots=True)
class PermissionsSeen:
    """The answers to what the control plane itself does."""

    list: Outcome
    put: Outcome
    head: Outcome
    get: Outcome
    delete: Outcome


ACTIONS = {
    "list": "s3:ListBucket",
    "put": "s3:PutObject",
    "head": "s3:GetObject",
    "get": "s3:GetObject",
    "delete": "s3:DeleteObject",
}


def permissions(place: Place, seen: PermissionsSeen) -> Finding:
    """Which of the calls were not allowed, with the actions to allow."""
    tried = "LIST, PUT, HEAD, GET and DELETE with the keys"
    outcomes: dict[str, Outcome] = {name: getattr(seen, name) for name in ACTIONS}
    failed = {name: outcome for name, outcome in outcomes.items() if not done(outcome)}
    if not failed:
        return ok(Check.BUCKET_PERMISSIONS, tried, "all of them are allowed")
    actions = ", ".join(sorted({ACTIONS[name] for name in failed}))
    return wrong(
        Check.BUCKET_PERMISSIONS,
        tried,
        "; ".join(f"{name.upper()}: {outcome}" for name, outcome in failed.items()),
        f"Allow {actions} on arn:aws:s3:::{place.bucket} and arn:aws:s3:::{place.bucket}/* to S3_ACCESS_KEY_ID (AWS: IAM policy; "
        "MinIO: `mc admin policy attach`; SeaweedFS: actions Read, Write, List of the identity).",
    )


@dataclass(frozen=True, slots=True)
class SignaturesSeen:
    """The answers to calls that nobody signed, and to one that was signed with another secret."""

    unsigned_get: Outcome
    unsigned_put: Outcome
    forged_get: Outcome


def signatures(place: Place, seen: SignaturesSeen) -> Finding:
    """Is the bucket closed to who has no grant?"""
    tried = "GET and PUT without a signature, GET with a forged one"
    opened = [
        what
        for what, outcome in (
            ("anybody may read", seen.unsigned_get),
            ("anybody may write", seen.unsigned_put),
            ("a signature made with a wrong secret is accepted", seen.forged_get),
        )
        if done(outcome)
    ]
    if opened:
        return wrong(
            Check.BUCKET_SIGNATURES,
            tried,
            "; ".join(opened),
            "Turn on authentication (SeaweedFS: identities in -s3.config), and take public access away:\n"
            f"$ aws s3api put-public-access-block --bucket {place.bucket} --public-access-block-configuration "
            "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true\n"
            f"$ mc anonymous set none ALIAS/{place.bucket}",
        )
    return ok(Check.BUCKET_SIGNATURES, tried, "refused: " + ", ".join(str(o) for o in _all(seen)))


def without_origins() -> Finding:
    """No page's origin is known."""
    return warning(
        Check.CORS_PUT,
        "CORS from each page's origin",
        "no origin is configured, so none was tried",
        "Set SAFEREEL_PAGE_ORIGINS to the origins of the pages that record, or pass --origin https://app.example.com.",
    )


def hung(check: Check, seconds: float) -> Finding:
    """A group of checks came to no end in time, and this is the first of them that was not told."""
    server = "PostgreSQL" if check.startswith("database.") else "the store"
    return wrong(
        check,
        f"this and what follows it, for {seconds:.0f} s",
        "no end in that time",
        f"Something accepts calls and does not answer them: see the log of {server}, and what lies between.",
    )


def not_reached(checks: tuple[Check, ...], because: str) -> list[Finding]:
    """All of these, not examined."""
    return [skipped(check, because) for check in checks]


def _all(seen: SignaturesSeen) -> tuple[Outcome, ...]:
    return seen.unsigned_get, seen.unsigned_put, seen.forged_get


def _loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
