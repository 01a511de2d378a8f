"""Object keys: made from validated parts alone, parsed back whole or not at all."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.keys import (
    MAX_SEGMENT,
    MAX_SEQ,
    ChunkKey,
    before_seq,
    chunk_key,
    parse_chunk_key,
    recording_key,
    recording_prefix,
    shard_of,
    shard_prefix,
)

SHA = "0f" * 32
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(st.uuids(), st.integers(0, MAX_SEQ), st.integers(0, MAX_SEGMENT), st.integers(1, 2**40), digests)
def test_a_key_is_parsed_back_to_what_it_was_made_of(
    recording_id: uuid.UUID, seq: int, segment: int, size: int, sha256: str
) -> None:
    key = chunk_key(recording_id, seq, segment, size, sha256)
    assert parse_chunk_key(key) == ChunkKey(recording_id, seq, segment, size, sha256)
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789/-")
    assert key.count("/") == 3
    assert key.startswith(recording_prefix(recording_id))


@given(st.uuids(), st.integers(0, MAX_SEQ - 1), st.integers(0, MAX_SEGMENT), st.integers(1, 2**40), digests)
def test_a_listing_that_starts_before_a_seq_has_it_and_nothing_older(
    recording_id: uuid.UUID, seq: int, segment: int, size: int, sha256: str
) -> None:
    assert before_seq(recording_id, seq) < chunk_key(recording_id, seq, segment, size, sha256)
    assert chunk_key(recording_id, seq, segment, size, sha256) < before_seq(recording_id, seq + 1)


@pytest.mark.parametrize(
    ("seq", "segment", "size", "sha256"),
    [
        (-1, 0, 1, SHA),
        (MAX_SEQ + 1, 0, 1, SHA),
        (0, -1, 1, SHA),
        (0, MAX_SEGMENT + 1, 1, SHA),
        (0, 0, 0, SHA),
        (0, 0, -5, SHA),
        (0, 0, 1, SHA.upper()),
        (0, 0, 1, SHA[:-1]),
        (0, 0, 1, SHA + "0"),
        (0, 0, 1, "../" + SHA[3:]),
    ],
)
def test_what_cannot_be_parsed_back_is_no_key(seq: int, segment: int, size: int, sha256: str) -> None:
    with pytest.raises(ValueError, match="no chunk has"):
        chunk_key(uuid.uuid4(), seq, segment, size, sha256)


def test_foreign_names_are_not_taken_for_chunks() -> None:
    recording_id = uuid.uuid4()
    key = chunk_key(recording_id, 3, 0, 10, SHA)
    foreign_shard = shard_prefix((shard_of(recording_id) + 1) % 256) + key.split("/", 2)[2]
    for name in (key + "0", key + "/x", "x" + key, key.replace("v1", "v2"), key.upper(), foreign_shard, "", "v1/"):
        assert parse_chunk_key(name) is None


def test_a_prefix_ends_with_a_slash() -> None:
    """A prefix without it lists its neighbours too, and makes false orphans of them."""
    recording_id = uuid.uuid4()
    assert shard_prefix(0) == "v1/00/"
    assert recording_prefix(recording_id).endswith(f"/{recording_id}/")
    assert not recording_key(recording_id).startswith("v1/")


@pytest.mark.parametrize("shard", [-1, 256])
def test_there_are_256_shards(shard: int) -> None:
    with pytest.raises(ValueError, match="shard"):
        shard_prefix(shard)
