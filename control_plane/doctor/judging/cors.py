"""May pages use the bucket, and may others not? https://fetch.spec.whatwg.org/#http-cors-protocol"""

import json
from dataclasses import dataclass

from control_plane.bucket.provision import ALLOWED_HEADERS, CORS_MAX_AGE_S, EXPOSED_HEADERS
from control_plane.doctor.findings import Check, Finding, ok, warning, wrong
from control_plane.doctor.seen import Answer, Outcome, Place

PUT_HEADERS = ("content-type", "if-none-match", "x-amz-checksum-sha256")
GET_HEADERS = ("range",)


@dataclass(frozen=True, slots=True)
class CorsSeen:
    """Answers to one origin: preflights, and a PUT and a GET that say where they come from."""

    origin: str
    put_preflight: Outcome
    put: Outcome
    get_preflight: Outcome
    get: Outcome


def put(place: Place, seen: CorsSeen) -> Finding:
    """May this page PUT with the headers of a grant?"""
    tried = f"preflight of a granted PUT from {seen.origin}"
    return _allowed(Check.CORS_PUT, tried, place, seen.origin, seen.put_preflight, method="PUT", headers=PUT_HEADERS)


def get(place: Place, seen: CorsSeen) -> Finding:
    """May this page GET with a range, as playback does?"""
    tried = f"preflight of a GET with a range from {seen.origin}, and the GET"
    found = _allowed(Check.CORS_GET, tried, place, seen.origin, seen.get_preflight, method="GET", headers=GET_HEADERS)
    if found.mend:
        return found
    if not _origin_allowed(seen.get, seen.origin):
        return wrong(
            Check.CORS_GET, tried, f"the GET ({seen.get}) is not for this page to read", rule(place, seen.origin)
        )
    return found


def etag(place: Place, seen: CorsSeen) -> Finding:
    """May this page read the ETag that it claims in its ack?"""
    tried = f"a granted PUT from {seen.origin}"
    if not isinstance(seen.put, Answer) or not _origin_allowed(seen.put, seen.origin):
        return wrong(Check.CORS_ETAG, tried, f"the page may not read the answer ({seen.put})", rule(place, seen.origin))
    exposed = _names(seen.put, "access-control-expose-headers")
    if "etag" in exposed or "*" in exposed:
        return ok(Check.CORS_ETAG, tried, "ETag is exposed")
    said = ", ".join(sorted(exposed)) or "nothing"
    return wrong(
        Check.CORS_ETAG, tried, f"{said} is exposed, not ETag: no page can say what it wrote", rule(place, seen.origin)
    )


def stranger(origin: str, preflight: Outcome) -> Finding:
    """May a page that nobody listed?"""
    tried = f"preflight of a granted PUT from {origin}, which is not listed"
    if not _origin_allowed(preflight, origin):
        return ok(Check.CORS_STRANGER, tried, "not allowed")
    return warning(
        Check.CORS_STRANGER,
        tried,
        "allowed: any page may use a signed URL that it gets hold of",
        "Name the pages' origins in the CORS rule in place of *, or set a rule (SeaweedFS allows all where there is none). "
        "A signed URL is needed all the same.",
    )


def rule(place: Place, *more: str) -> str:
    """How to let the pages in."""
    origins = sorted({*place.origins, *more})
    cors = {
        "CORSRules": [
            {
                "AllowedOrigins": origins,
                "AllowedMethods": ["PUT", "GET", "HEAD"],
                "AllowedHeaders": ALLOWED_HEADERS,
                "ExposeHeaders": EXPOSED_HEADERS,
                "MaxAgeSeconds": CORS_MAX_AGE_S,
            }
        ]
    }
    return (
        "Set the rule below, as `safereel provision` does, or with AWS's command after saving it as cors.json. A store that has "
        "no rules for each bucket wants them elsewhere (MinIO: MINIO_API_CORS_ALLOW_ORIGIN), or from the proxy before it.\n"
        f"$ SAFEREEL_PAGE_ORIGINS={','.join(origins)} safereel provision\n"
        f"$ aws s3api put-bucket-cors --bucket {place.bucket} --endpoint-url {place.endpoint} --cors-configuration "
        "file://cors.json\n"
        f"{json.dumps(cors)}"
    )


def _allowed(
    check: Check, tried: str, place: Place, origin: str, preflight: Outcome, *, method: str, headers: tuple[str, ...]
) -> Finding:
    mend = rule(place, origin)
    if not isinstance(preflight, Answer):
        return wrong(check, tried, str(preflight), mend)
    if not preflight.done or not _origin_allowed(preflight, origin):
        told = preflight.headers.get("access-control-allow-origin")
        return wrong(check, tried, f"{preflight}, {told or 'no origin'} is allowed", mend)
    methods = {name.upper() for name in _names(preflight, "access-control-allow-methods")}
    if not methods & {method, "*"}:
        return wrong(check, tried, f"the origin is allowed, {method} is not", mend)
    allowed = _names(preflight, "access-control-allow-headers")
    refused = [] if "*" in allowed else [name for name in headers if name not in allowed]
    if refused:
        return wrong(check, tried, f"{method} is allowed, but not the headers {', '.join(refused)}", mend)
    return ok(check, tried, f"allowed, with {', '.join(headers)}")


def _origin_allowed(outcome: Outcome, origin: str) -> bool:
    return isinstance(outcome, Answer) and outcome.headers.get("access-control-allow-origin") in {origin, "*"}


def _names(answer: Answer, header: str) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get(header, "").split(",") if name.strip()}
