"""Values that examples of several calls share, so that they tell one story: alice records in room 4."""

from control_plane.api.answers import LIMITS, Put, Quota, RecordingAnswer, RecordingFacts, RecordingSummary
from control_plane.api.parameters import PathId
from control_plane.domain.models import RecordingState, Source

RECORDING_ID = PathId(
    name="id",
    description="The recording's id, chosen by whoever started it: a UUID, best version 7.",
    example="01905d5e-7b00-7c00-8a00-000000000001",
)
RECORDER = "6f1c9a52-3f0e-4b7e-9a55-2f6f0c3f9b11"
TICKET = "01890a5d-ac96-774b-bcce-b302099a8057"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
KEY = f"v1/4e/{RECORDING_ID.example}/00000000-0000-5242880-{DIGEST}"
NOW = "2026-11-02T10:00:00.000Z"
LATER = "2026-11-02T10:15:00.000Z"

PUT: Put = {
    "url": f"https://bucket.example.com/{KEY}?X-Amz-Algorithm=AWS4-HMAC-SHA256&…",
    "headers": {
        "content-type": "video/webm",
        "x-amz-checksum-sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        "if-none-match": "*",
    },
}

QUOTA: Quota = {"limit_bytes": 107_374_182_400, "used_bytes": 220_200_960, "reserved_bytes": 5_242_880}

_FACTS: RecordingFacts = {
    "id": RECORDING_ID.example,
    "share_id": "q2mX0v1uYH3l8r5d",
    "state": RecordingState.OPEN,
    "complete": False,
    "source": Source.RECORDER,
    "mime_type": "video/webm;codecs=vp8,opus",
    "title": "Room 4",
    "recorder_id": RECORDER,
    "created_at": NOW,
    "completed_at": None,
    "expires_at": None,
    "chunk_count": None,
    "total_bytes": None,
    "deletion": None,
    "share": {"shared": True, "expires_at": None},
}
RECORDING: RecordingAnswer = {
    **_FACTS,
    "received": [(0, 41)],
    "confirmed": [(0, 40)],
    "missing": [],
    "lost": [],
    "received_chunks": 42,
    "received_bytes": 220_200_960,
    "confirmed_bytes": 214_958_080,
    "duration_ms": 210_000,
    "next_chunk_index": 42,
    "open_tickets": 0,
    "limits": LIMITS,
    "heartbeat_interval_ms": 5_000,
}
NEW_RECORDING: RecordingAnswer = {
    **RECORDING,
    "received": [],
    "confirmed": [],
    "received_chunks": 0,
    "received_bytes": 0,
    "confirmed_bytes": 0,
    "duration_ms": None,
    "next_chunk_index": 0,
}
COMPLETE_RECORDING: RecordingAnswer = {
    **RECORDING,
    "state": RecordingState.COMPLETE,
    "complete": True,
    "completed_at": LATER,
    "chunk_count": 42,
    "total_bytes": 220_200_960,
}
SUMMARY: RecordingSummary = {
    **_FACTS,
    "received_chunks": 42,
    "received_bytes": 220_200_960,
    "confirmed_chunks": 41,
    "confirmed_bytes": 214_958_080,
    "missing_chunks": 0,
    "lost_chunks": 0,
    "duration_ms": 210_000,
}
