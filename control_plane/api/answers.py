"""Answers: the ledger's values as the JSON of docs/protocol.md."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic_core import to_json
from starlette.responses import Response

from control_plane.domain.bucket import PresignedRequest
from control_plane.domain.limits import MAX_BATCH, MAX_CHUNK_BYTES, MAX_SEGMENT, MAX_SEQ
from control_plane.domain.models import Progress, Recording, RecordingState, Totals, Usage

LIMITS = {
    "max_chunk_bytes": MAX_CHUNK_BYTES,
    "max_batch": MAX_BATCH,
    "max_seq": MAX_SEQ,
    "max_segment": MAX_SEGMENT,
}


def answer(body: object, status: int = 200) -> Response:
    """A JSON response. Answers carry URLs that are permissions, and change from call to call: never cached."""
    return Response(to_json(body), status, {"cache-control": "no-store"}, media_type="application/json")


def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe_rfc3339(at: datetime | None) -> str | None:
    """The same, where there may be no time."""
    return None if at is None else rfc3339(at)


def put_answer(put: PresignedRequest) -> dict[str, object]:
    """A presigned PUT."""
    return {"url": put.url, "headers": put.headers}


def usage_answer(usage: Usage) -> dict[str, object]:
    """What an owner has of its quota, in bytes."""
    return {"limit_bytes": usage.limit, "used_bytes": usage.used, "reserved_bytes": usage.reserved}


def recording_answer(recording: Recording, progress: Progress, *, heartbeat_interval_ms: int) -> dict[str, object]:
    """A recording with its ranges."""
    return {
        **_facts(recording),
        "received": progress.received,
        "confirmed": progress.confirmed,
        "missing": progress.missing,
        "lost": progress.lost,
        "received_chunks": progress.received_chunks,
        "received_bytes": progress.received_bytes,
        "confirmed_bytes": progress.confirmed_bytes,
        "next_chunk_index": progress.next_chunk_index,
        "open_tickets": progress.open_tickets,
        "limits": LIMITS,
        "heartbeat_interval_ms": heartbeat_interval_ms,
    }


def listed_answer(recording: Recording, totals: Totals) -> dict[str, object]:
    """A recording as a list shows it: counts instead of ranges."""
    return {
        **_facts(recording),
        "received_chunks": totals.received_chunks,
        "received_bytes": totals.received_bytes,
        "confirmed_chunks": totals.confirmed_chunks,
        "confirmed_bytes": totals.confirmed_bytes,
        "missing_chunks": totals.missing_chunks,
        "lost_chunks": totals.lost_chunks,
    }


def listed_answers(rows: Sequence[tuple[Recording, Totals]]) -> list[dict[str, object]]:
    """A page of a list."""
    return [listed_answer(recording, totals) for recording, totals in rows]


def _facts(recording: Recording) -> dict[str, object]:
    return {
        "id": str(recording.id),
        "share_id": recording.share_id,
        "state": recording.state.value,
        "complete": recording.state is RecordingState.COMPLETE,
        "source": recording.source.value,
        "mime_type": recording.mime_type,
        "title": recording.title,
        "recorder_id": str(recording.recorder_id),
        "created_at": rfc3339(recording.created_at),
        "completed_at": maybe_rfc3339(recording.completed_at),
        "expires_at": maybe_rfc3339(recording.expires_at),
        "chunk_count": recording.chunk_count,
        "total_bytes": recording.total_bytes,
    }
