"""Limits of the protocol, as `limits` tells recorders and the bodies enforce."""

from datetime import timedelta

from control_plane.domain.keys import MAX_SEGMENT, MAX_SEQ

MAX_BATCH = 1_000  # grants or acks a call: one statement's arrays, some 150 KB of JSON
MAX_CHUNK_BYTES = 128 * 1024 * 1024  # after sleep, MediaRecorder has handed over slices of 50 MB
MAX_RECORDING_BYTES = 5 * 1024**4  # what S3 takes as one object, which a download will be
MAX_RECORDING_MS = 366 * 24 * 60 * 60 * 1000  # a year: no browser runs for longer
MAX_TITLE_LENGTH = 200
MAX_HELD_RECORDINGS = 1_000  # a recorder with more tells the rest in later beats
MAX_HELD_RANGES = 10_000
MAX_RELEASES = 1_000  # an answer: some 80 KB of JSON
MAX_TICKETS = 100  # an answer: in mass loss, recorders are asked at a bounded rate
MAX_FROZEN_TICKETS = 20  # an answer while releases are frozen: a bucket in trouble is not to be stormed by everybody
MAX_GONE = 1_000
MAX_PAGE = 1_000
MAX_DOWNLOAD_RECORDINGS = 1_000  # a page of the list; a ZIP of more is nobody's to look through
WORK_OF_A_CALL = timedelta(seconds=10)  # what an administrator starts; a step under way then may take as long again

MIME_TYPES = frozenset({"audio/webm", "audio/ogg", "audio/mp4", "video/webm", "video/mp4", "video/x-matroska"})
"""What MediaRecorder records in any browser, and containers that hold the same."""

__all__ = [
    "MAX_BATCH",
    "MAX_CHUNK_BYTES",
    "MAX_DOWNLOAD_RECORDINGS",
    "MAX_FROZEN_TICKETS",
    "MAX_GONE",
    "MAX_HELD_RANGES",
    "MAX_HELD_RECORDINGS",
    "MAX_PAGE",
    "MAX_RECORDING_BYTES",
    "MAX_RECORDING_MS",
    "MAX_RELEASES",
    "MAX_SEGMENT",
    "MAX_SEQ",
    "MAX_TICKETS",
    "MAX_TITLE_LENGTH",
    "MIME_TYPES",
    "WORK_OF_A_CALL",
]
