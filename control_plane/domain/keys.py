"""Object keys: `v1/{shard}/{recording_id}/{seq:08d}-{segment:04d}-{size}-{sha256}`.

A key binds a chunk to its place, size and content, so that a chunk cannot be swapped and a listing alone tells what
should be there. Only `[a-z0-9/-]` and always the same depth: SeaweedFS pages other names in another order than S3.
Keys are made here from validated numbers and digests alone; nothing that a client sends is copied into one.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

MAX_SEQ = 99_999_999  # eight digits in the key keep a listing in order of seq
MAX_SEGMENT = 9_999  # four digits in the key
SHARDS = 256  # two hex digits: spreads S3's per-prefix request limits, and is the unit of audit work
DEPLOYMENT_KEY = "meta/deployment.json"
CHUNKS_PREFIX = "v1/"
META_PREFIX = "meta/recordings/"
DOWNLOADS_PREFIX = "downloads/"

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK_KEY = re.compile(
    r"v1/(?P<shard>[0-9a-f]{2})/(?P<recording>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"/(?P<seq>[0-9]{8})-(?P<segment>[0-9]{4})-(?P<size>[1-9][0-9]{0,18})-(?P<sha256>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """What a chunk's key says."""

    recording_id: UUID
    seq: int
    segment: int
    size: int
    sha256: str


def shard_of(recording_id: UUID) -> int:
    """The recording's shard, 0 … 255: a hash, because the first bytes of a UUIDv7 are a clock."""
    return hashlib.sha256(recording_id.bytes).digest()[0]


def shard_prefix(shard: int) -> str:
    """Where all chunks of one shard lie. Ends with `/`: `v1/0` would list sixteen shards."""
    if not 0 <= shard < SHARDS:
        raise ValueError(f"shard {shard} is not within 0 … {SHARDS - 1}")
    return f"v1/{shard:02x}/"


@lru_cache(maxsize=4_096)  # asked for once a chunk, the same for all chunks of a recording
def recording_prefix(recording_id: UUID) -> str:
    """Where all chunks of one recording lie. Ends with `/`."""
    return f"{shard_prefix(shard_of(recording_id))}{recording_id}/"


def before_seq(recording_id: UUID, seq: int) -> str:
    """A key that sorts just before every key of `seq`, and after those of `seq - 1`: where a listing may start."""
    return f"{recording_prefix(recording_id)}{seq:08d}"


def chunk_key(recording_id: UUID, seq: int, segment: int, size: int, sha256: str) -> str:
    """The key of a chunk. Raises ValueError for anything that could not be parsed back."""
    if not (0 <= seq <= MAX_SEQ and 0 <= segment <= MAX_SEGMENT and size > 0 and _DIGEST.fullmatch(sha256)):
        raise ValueError(f"no chunk has seq {seq}, segment {segment}, size {size} and SHA-256 {sha256!r}")
    return f"{recording_prefix(recording_id)}{seq:08d}-{segment:04d}-{size}-{sha256}"


def parse_chunk_key(key: str) -> ChunkKey | None:
    """What `key` says, or None if it is not the key of a chunk (wrong form, or filed under a foreign shard)."""
    found = _CHUNK_KEY.fullmatch(key)
    if found is None:
        return None
    parsed = ChunkKey(
        recording_id=UUID(found["recording"]),
        seq=int(found["seq"]),
        segment=int(found["segment"]),
        size=int(found["size"]),
        sha256=found["sha256"],
    )
    return parsed if int(found["shard"], 16) == shard_of(parsed.recording_id) else None


def meta_shard_prefix(shard: int) -> str:
    """Where everything about one shard's recordings lies that is not a chunk. Ends with `/`."""
    return f"{META_PREFIX}{shard:02x}/"


def meta_prefix(recording_id: UUID) -> str:
    """Where everything about one recording lies that is not a chunk. Ends with `/`."""
    return f"{meta_shard_prefix(shard_of(recording_id))}{recording_id}/"


def derived_prefix(recording_id: UUID) -> str:
    """Where files made of one recording lie. Ends with `/`."""
    return f"{DOWNLOADS_PREFIX}{shard_of(recording_id):02x}/{recording_id}/"


def bulk_prefix(download_id: UUID) -> str:
    """Where the files of a download of several recordings lie. Ends with `/`."""
    return f"downloads/bulk/{download_id}/"


def prefixes_of(recording_id: UUID) -> tuple[str, ...]:
    """Every prefix that belongs to one recording, and to it alone: what a deletion empties, in this order.

    The description first: of a recording without one nothing is taken up, should the ledger be lost before the rest is gone.
    """
    return (meta_prefix(recording_id), recording_prefix(recording_id), derived_prefix(recording_id))


def manifest_key(recording_id: UUID) -> str:
    """Where a complete recording's chunks are listed."""
    return f"{meta_prefix(recording_id)}manifest.json"


def recording_key(recording_id: UUID) -> str:
    """Where a recording is described (`recording.json`): owner, MIME type, times; apart from the chunks."""
    return f"{meta_prefix(recording_id)}recording.json"


def share_key(recording_id: UUID) -> str:
    """Where it is told whether a recording's link works (`share.json`), once its owner has said anything about it."""
    return f"{meta_prefix(recording_id)}share.json"
