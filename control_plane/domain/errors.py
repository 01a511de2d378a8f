"""What the control plane refuses, each with a stable code and the HTTP status of its problem document.

    Refusal
    ├── HttpMalformed, AddressTooLong, HeadersTooLarge        400, 414, 431
    ├── RequestTimeout, RateLimited, TooManyGrants, TooManyDownloads  408, 429
    ├── Token…, ScopeMissing, Origin…, QuotaExceeded          401, 403
    ├── NotFound, RecordingUnknown, MethodNotAllowed          404, 405
    ├── Recording…, Chunk…, Download…, Share…, AlreadyComplete, TotalsDiffer, IdempotencyConflict, WebhooksOff  409, 410
    ├── Body…, JsonMalformed, Content…Unsupported, WebhookUrl…  400, 413, 415, 422
    ├── …Unavailable, AnswerTimeout, ShuttingDown             503
    └── Internal                                              500

Codes never change their meaning; `docs/protocol.md` lists each with what the recorder and the operator do.
"""

from collections.abc import Mapping, Sequence

from control_plane.domain.models import LiveGrants, Usage


class Refusal(Exception):
    """A request that is refused. `detail` says what to do; `extra` are further members of the problem document."""

    status: int
    code: str
    title: str

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, object] = extra


class TokenMissing(Refusal):
    status, code, title = 401, "token_missing", "No bearer token"


class TokenInvalid(Refusal):
    status, code, title = 401, "token_invalid", "The token is forged, malformed or not for this service"


class TokenExpired(Refusal):
    status, code, title = 401, "token_expired", "The token has expired"


class ScopeMissing(Refusal):
    status, code, title = 403, "scope_missing", "The token lacks a scope"


class OriginForbidden(Refusal):
    status, code, title = 403, "origin_forbidden", "Only the page of this stack may ask for this"


class OriginNotListed(Refusal):
    status, code, title = 403, "origin_not_listed", "Pages of this origin may not call"


class NotFound(Refusal):
    status, code, title = 404, "not_found", "There is nothing here"


class MethodNotAllowed(Refusal):
    status, code, title = 405, "method_not_allowed", "This address does not take that method"


class RecordingUnknown(Refusal):
    status, code, title = 404, "recording_unknown", "No such recording"


class SweepUnknown(Refusal):
    status, code, title = 404, "sweep_unknown", "No such sweep"


class RecordingConflict(Refusal):
    status, code, title = 409, "recording_conflict", "The recording id is taken"


class RecordingDeleted(Refusal):
    status, code, title = 410, "recording_deleted", "The recording was deleted"


class RecordingComplete(Refusal):
    status, code, title = 409, "recording_complete", "The recording is complete"


class AlreadyComplete(Refusal):
    status, code, title = 409, "already_complete", "The recording was completed otherwise"


class ChunksMissing(Refusal):
    status, code, title = 409, "chunks_missing", "Not all chunks are in the bucket"


class TotalsDiffer(Refusal):
    status, code, title = 409, "totals_differ", "The totals do not add up"


class RecordingIncomplete(Refusal):
    status, code, title = 409, "recording_incomplete", "The recording is not complete"


class RecordingEmpty(Refusal):
    status, code, title = 409, "recording_empty", "The recording has nothing in the bucket"


class DownloadUnknown(Refusal):
    status, code, title = 404, "download_unknown", "No such download"


class DownloadNotReady(Refusal):
    status, code, title = 409, "download_not_ready", "The download has no file yet"


class DownloadEnded(Refusal):
    status, code, title = 410, "download_ended", "The download has no file any more"


class ShareUnknown(Refusal):
    status, code, title = 404, "share_unknown", "This link leads nowhere"


class ShareNotReady(Refusal):
    status, code, title = 409, "share_not_ready", "It is still being recorded"


class ShareExpiryPast(Refusal):
    status, code, title = 422, "share_expiry_past", "The link would have ended already"


class IdempotencyConflict(Refusal):
    status, code, title = 409, "idempotency_conflict", "The idempotency key stands for another request"


class TooManyDownloads(Refusal):
    status, code, title = 429, "too_many_downloads", "Too many downloads are under way"


class WebhooksOff(Refusal):
    status, code, title = 409, "webhooks_off", "No webhooks are sent here"


class WebhookUrlMalformed(Refusal):
    status, code, title = 422, "webhook_url_malformed", "The webhook's URL cannot be read"


class WebhookUrlForbidden(Refusal):
    status, code, title = 422, "webhook_url_forbidden", "No webhook may be sent to this URL"


class ChunkConflict(Refusal):
    status, code, title = 409, "chunk_conflict", "The chunk's number is bound to other bytes"


class QuotaExceeded(Refusal):
    """The owner's quota has no room; `usage` is what it has of it."""

    status, code, title = 403, "quota_exceeded", "The quota has no room for it"

    def __init__(self, detail: str, usage: Usage) -> None:
        super().__init__(detail)
        self.usage = usage


class TooManyGrants(Refusal):
    """The owner has as many live grants as it may have at once, `live`. It passes as they are acked, or die."""

    status, code, title = 429, "too_many_grants", "Too many grants are live"

    def __init__(self, detail: str, live: LiveGrants) -> None:
        super().__init__(detail)
        self.live = live


class ChunkNotGranted(Refusal):
    status, code, title = 409, "chunk_not_granted", "The chunk was never granted"


class BodyTooLarge(Refusal):
    status, code, title = 413, "body_too_large", "The body is too large"


class ContentTypeUnsupported(Refusal):
    status, code, title = 415, "content_type_unsupported", "Bodies must be application/json"


class ContentEncodingUnsupported(Refusal):
    status, code, title = 415, "content_encoding_unsupported", "Bodies must not be compressed"


class JsonMalformed(Refusal):
    status, code, title = 400, "json_malformed", "The body is not JSON"


class BodyInvalid(Refusal):
    """Members of the body or parameters of the address are wrong. The code is that of the first; `errors` names each: a member
    by its JSON pointer (`pointer`), a parameter by its name (`parameter`).
    """

    status, code, title = 422, "body_invalid", "The request is not valid"

    def __init__(self, code: str, detail: str, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(detail, errors=errors)
        self.code = code


class StorageUnavailable(Refusal):
    status, code, title = 503, "storage_unavailable", "The bucket does not answer"


class DatabaseUnavailable(Refusal):
    status, code, title = 503, "database_unavailable", "The database does not answer"


class IdentityUnavailable(Refusal):
    status, code, title = 503, "identity_unavailable", "The identity provider does not answer"


class HttpMalformed(Refusal):
    status, code, title = 400, "http_malformed", "This is not HTTP"


class AddressTooLong(Refusal):
    status, code, title = 414, "address_too_long", "The address is too long"


class HeadersTooLarge(Refusal):
    status, code, title = 431, "headers_too_large", "The headers are too large"


class RequestTimeout(Refusal):
    status, code, title = 408, "request_timeout", "The request did not arrive in time"


class RateLimited(Refusal):
    """`retry_after_ms` says when there are calls again."""

    status, code, title = 429, "rate_limited", "Too many calls"


class AnswerTimeout(Refusal):
    status, code, title = 503, "answer_timeout", "The call took too long"


class ShuttingDown(Refusal):
    status, code, title = 503, "shutting_down", "This process is about to end"


class Internal(Refusal):
    status, code, title = 500, "internal", "The control plane failed"
