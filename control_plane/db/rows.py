"""Rows to the ledger's dataclasses."""

from collections.abc import Sequence
from typing import Any

from control_plane.db.database import Row
from control_plane.domain.findings import Finding
from control_plane.domain.models import (
    Chunk,
    ChunkState,
    DeleteCause,
    Deletion,
    Recording,
    RecordingState,
    ShareLink,
    Source,
)
from control_plane.domain.ranges import Range


def recording_of(row: Row) -> Recording:
    """A row of `recordings`."""
    return Recording(
        id=row["id"],
        owner=row["owner"],
        recorder_id=row["recorder_id"],
        source=Source(row["source"]),
        mime_type=row["mime_type"],
        title=row["title"],
        expected_bytes=row["expected_bytes"],
        state=RecordingState(row["state"]),
        chunk_count=row["chunk_count"],
        total_bytes=row["total_bytes"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
        expires_at=row["expires_at"],
        described_at=row["described_at"],
        deletion=_deletion_of(row),
        link=ShareLink(row["share_id"], row["shared"], row["share_expires_at"]),
    )


def _deletion_of(row: Row) -> Deletion | None:
    if row["deleting_at"] is None:
        return None
    return Deletion(DeleteCause(row["delete_cause"] or DeleteCause.OWNER), row["deleting_at"], row["purge_failures"])


def chunk_of(row: Row) -> Chunk:
    """A row of `chunks`."""
    return Chunk(
        recording_id=row["recording_id"],
        seq=row["seq"],
        segment=row["segment"],
        size=row["size"],
        sha256=bytes(row["sha256"]).hex(),
        state=ChunkState(row["state"]),
        generation=row["generation"],
        etag=row["etag"],
        overwrite=row["overwrite"],
        granted_at=row["granted_at"],
        expires_at=row["expires_at"],
        acked_at=row["acked_at"],
        confirmed_at=row["confirmed_at"],
        start_ms=row.get("start_ms"),  # an audit's copy of the ledger does without
        duration_ms=row.get("duration_ms"),
    )


def ranges_of(multirange: Any) -> list[Range]:
    """PostgreSQL's half-open multirange (null: nothing) as inclusive ranges."""
    return [] if multirange is None else [(span.lower, span.upper - 1) for span in multirange]


def multirange_text(ranges: Sequence[Range]) -> str:
    """Inclusive ranges as the text of an int4multirange, which merges what touches or overlaps."""
    return "{" + ",".join(f"[{first},{last}]" for first, last in ranges) + "}"


def chunk_columns(chunks: Sequence[Chunk]) -> dict[str, object]:
    """Chunks as the parallel arrays that statements unnest: what a sweep's conditional writes are conditional on."""
    return {
        "recording_ids": [chunk.recording_id for chunk in chunks],
        "seqs": [chunk.seq for chunk in chunks],
        "generations": [chunk.generation for chunk in chunks],
    }


def sighting_columns(findings: Sequence[Finding]) -> dict[str, object]:
    """Findings as parallel arrays."""
    return {
        **chunk_columns([finding.chunk for finding in findings]),
        "verdicts": [finding.verdict.value for finding in findings],
        "read_again": [finding.read_again for finding in findings],
    }
