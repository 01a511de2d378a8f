"""What a download is made of, how its files are called, and when it is tried again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from control_plane.domain.assembly import (
    MAX_PARTS,
    MIN_PART_BYTES,
    NotThere,
    Way,
    part_bytes,
    runs_of,
    segments_of,
    wanted,
    way_of,
)
from control_plane.domain.downloads import MOST_FAULTS, wait_after
from control_plane.domain.file_names import each_once, file_stem
from control_plane.domain.media import Container, Kind, SegmentFormat, StreamFormat
from control_plane.domain.models import Chunk, ChunkState, Source

NOW = datetime(2026, 11, 22, 10, 5, 7, tzinfo=UTC)
RECORDING = UUID("01905d5e-7b00-7c00-8a00-000000000001")


def chunk(seq: int, *, segment: int = 0, size: int = MIN_PART_BYTES, state: ChunkState = ChunkState.CONFIRMED) -> Chunk:
    return Chunk(
        RECORDING,
        seq,
        segment,
        size,
        "0" * 64,
        state,
        1,
        "etag",
        False,
        NOW,
        NOW,
        NOW,
        NOW,  # a row
    )


def form(width: int) -> SegmentFormat:
    return SegmentFormat(Container.WEBM, (StreamFormat(Kind.VIDEO, "vp8", width, 48, 0, 0, ""),))


@pytest.mark.parametrize(
    ("source", "sizes", "way"),
    [
        (Source.RECORDER, [MIN_PART_BYTES], Way.REMUX),
        (Source.FILE, [3], Way.COPY),
        (Source.FILE, [MIN_PART_BYTES, MIN_PART_BYTES, 1], Way.COPY),
        (Source.FILE, [MIN_PART_BYTES - 1, 1], Way.BYTES),
        (Source.FILE, [MIN_PART_BYTES] * (MAX_PARTS + 1), Way.BYTES),
    ],
)
def test_the_bucket_joins_what_it_can(source: Source, sizes: list[int], way: Way) -> None:
    assert way_of(source, [chunk(seq, size=size) for seq, size in enumerate(sizes)]) is way


@pytest.mark.parametrize("total", [1, 8 * 2**20, 80 * 2**30, 5 * 2**40])
def test_any_length_fits_into_the_parts_of_an_upload(total: int) -> None:
    part = part_bytes(total)
    assert part >= MIN_PART_BYTES
    assert total * 1.05 <= part * MAX_PARTS


def test_what_was_there_is_packed_in_order_and_nothing_else() -> None:
    chunks = [chunk(3), chunk(0), chunk(1, state=ChunkState.GRANTED), chunk(2), chunk(4)]
    assert [each.seq for each in wanted(chunks, 4, [(1, 1)])] == [0, 2, 3]
    with pytest.raises(NotThere) as gone:
        wanted(chunks, 4, [])
    assert [each.seq for each in gone.value.chunks] == [1]
    with pytest.raises(NotThere):  # a row that is not even there
        wanted([chunk(0)], 2, [])


def test_segments_are_told_apart_whatever_is_left_out() -> None:
    chunks = [chunk(0), chunk(2), chunk(3, segment=1), chunk(5, segment=2)]
    assert [(each.number, len(each.chunks)) for each in segments_of(chunks)] == [(0, 2), (1, 1), (2, 1)]


def test_neighbours_that_are_equal_become_one_file_and_what_is_unreadable_one_of_its_own() -> None:
    assert runs_of([form(64), form(64), form(128), form(64)]) == [[0, 1], [2], [3]]
    assert runs_of([None, None, form(64), None, form(64)]) == [[0], [1], [2], [3], [4]]


def test_waits_grow_and_end() -> None:
    waits = [wait_after(faults) for faults in range(1, MOST_FAULTS + 1)]
    assert waits[-1] is None
    found = [wait for wait in waits if wait is not None]
    assert found == sorted(found)
    assert timedelta(minutes=10) < sum(found, timedelta()) < timedelta(hours=2)


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("Room 4", "Room 4"),
        ("a/b\\c: d", "a_b_c_ d"),
        ("  ..  ", "Recording 2026-11-22 10.05.07"),
        (None, "Recording 2026-11-22 10.05.07"),
        ("con", "_con"),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_file_is_called_as_its_recording_as_far_as_it_can_be(title: str | None, stem: str) -> None:
    assert file_stem(title, NOW) == stem


def test_no_two_files_of_a_zip_have_one_name() -> None:
    assert each_once([("Visit", "webm"), ("visit", "webm"), ("Visit", "mp4")]) == [
        "Visit.webm",
        "visit (2).webm",
        "Visit.mp4",
    ]
