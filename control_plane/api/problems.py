"""Problem documents (RFC 9457): the only place where an exception becomes an HTTP error."""

import logging
import math
from collections.abc import Mapping

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from control_plane.api.request_ids import request_id
from control_plane.db.database import DatabaseUnreachable
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.errors import (
    DatabaseUnavailable,
    Internal,
    MethodNotAllowed,
    NotFound,
    Refusal,
    StorageUnavailable,
)

# Failovers take seconds; recorders add their own jitter.
RETRY_AFTER_S = 2

_log = logging.getLogger(__name__)


def problem_body(refusal: Refusal) -> dict[str, object]:
    """The members of a problem document; `type` is a name, not an address (RFC 9457, 3.1.1)."""
    return _about_this_request(
        {
            "type": f"urn:safereel:problem:{refusal.code}",
            "title": refusal.title,
            "status": refusal.status,
            "code": refusal.code,
            "detail": refusal.detail,
            **refusal.extra,
        }
    )


def _about_this_request(members: dict[str, object]) -> dict[str, object]:
    """With the request's id, for whoever asks the operator about it."""
    found = request_id.get()
    return members if found is None else {**members, "request_id": found}


def problem(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The response for a refusal, with the headers its status asks for."""
    added = {"cache-control": "no-store", **(headers or {})}  # a 404 may be kept otherwise, and be wrong a moment later
    if refusal.status == 401:
        added["www-authenticate"] = "Bearer"  # RFC 9110, 11.6.1
    if refusal.status == 503:
        added["retry-after"] = str(RETRY_AFTER_S)
    wait_ms = refusal.extra.get("retry_after_ms")
    if isinstance(wait_ms, int):
        added["retry-after"] = str(math.ceil(wait_ms / 1000))
    return Response(to_json(problem_body(refusal)), refusal.status, added, media_type="application/problem+json")


async def on_refusal(_: Request, exc: Exception) -> Response:
    """A service or handler refused the request."""
    assert isinstance(exc, Refusal)
    return problem(exc)


async def on_database_unreachable(request: Request, exc: Exception) -> Response:
    """The database did not answer: whether the call took effect is unknown, and repeating it is safe."""
    assert isinstance(exc, DatabaseUnreachable)
    _log.error("The database does not answer", extra={"path": request.url.path, "cause": str(exc)})
    return problem(DatabaseUnavailable("Repeat the call: nothing is done twice. Chunks on the device are kept."))


async def on_bucket_unreachable(request: Request, exc: Exception) -> Response:
    """The bucket did not answer."""
    assert isinstance(exc, BucketUnreachable)
    _log.error("The bucket does not answer", extra={"path": request.url.path, "cause": str(exc)})
    return problem(StorageUnavailable("Repeat the call: nothing is done twice. Chunks on the device are kept."))


async def on_http_exception(request: Request, exc: Exception) -> Response:
    """No such route, or not with that method."""
    assert isinstance(exc, HTTPException)
    if exc.status_code == 405:
        return problem(MethodNotAllowed(f"{request.method} is not for this address."), exc.headers)
    return problem(NotFound("See docs/protocol.md for the calls there are."), exc.headers)


async def on_disconnect(_request: Request, _exc: Exception) -> Response:
    """The caller went away while it sent its body: nothing was done, and nobody reads the answer (nginx's 499)."""
    return Response(status_code=499)


async def on_fault(request: Request, exc: Exception) -> Response:
    """A fault of ours: told to the log in full, and to the caller not at all."""
    _log.error("A request failed", exc_info=exc, extra={"path": request.url.path, "method": request.method})
    return problem(Internal("Repeat the call: nothing is done twice. Chunks on the device are kept."))
