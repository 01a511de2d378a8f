"""Which segments make one file, what it is called, and where its packets lie."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.media import (
    Container,
    Kind,
    SegmentFormat,
    StreamFormat,
    container_of,
    container_of_bytes,
    file_type,
    groups,
    joinable,
)
from control_plane.media.accounting import UNFINISHED_BYTES, Account
from control_plane.media.timeline import Timeline

VP8 = StreamFormat(Kind.VIDEO, "vp8", 640, 480, 0, 0, "aa" * 32)
H264 = replace(VP8, codec="h264")
OPUS = StreamFormat(Kind.AUDIO, "opus", 0, 0, 48_000, 1, "bb" * 32)
FILM = SegmentFormat(Container.WEBM, (VP8, OPUS))
SOUND = SegmentFormat(Container.WEBM, (OPUS,))
MS = Fraction(1, 1000)


@pytest.mark.parametrize(
    ("mime_type", "container"),
    [
        ("video/webm", Container.WEBM),
        ("Video/WebM; codecs=vp8,opus", Container.WEBM),
        ("audio/webm;codecs=opus", Container.WEBM),
        ("video/x-matroska;codecs=avc1", Container.WEBM),
        ("video/mp4", Container.MP4),
        ("audio/mp4; codecs=mp4a.40.2", Container.MP4),
        ("audio/ogg; codecs=opus", Container.OGG),
        ("application/ogg", None),
        ("image/webm", None),
        ("text/html", None),
        ("webm", None),
        ("", None),
    ],
)
def test_the_container_that_a_mime_type_names(mime_type: str, container: Container | None) -> None:
    assert container_of(mime_type) == container


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\x1a\x45\xdf\xa3\x9f", Container.WEBM),
        (b"\x00\x00\x00\x1cftypiso5", Container.MP4),
        (b"OggS\x00\x02", Container.OGG),
        (b"<!doctype html>", None),
        (b"\x1a\x45\xdf", None),
        (b"", None),
    ],
)
def test_the_container_that_bytes_show(head: bytes, container: Container | None) -> None:
    assert container_of_bytes(head) == container


@pytest.mark.parametrize(
    "other",
    [
        replace(FILM, container=Container.MP4),
        SOUND,
        replace(FILM, streams=(replace(VP8, codec="vp9"), OPUS)),
        replace(FILM, streams=(replace(VP8, width=480, height=640), OPUS)),
        replace(FILM, streams=(replace(VP8, extradata="cc" * 32), OPUS)),
        replace(FILM, streams=(VP8, replace(OPUS, channels=2))),
        replace(FILM, streams=(VP8, replace(OPUS, sample_rate=44_100))),
    ],
)
def test_what_differs_in_anything_a_decoder_is_set_up_with_is_not_joined(other: SegmentFormat) -> None:
    assert joinable([FILM, FILM])
    assert not joinable([FILM, FILM, other])


def test_the_order_of_streams_does_not_count() -> None:
    assert joinable([FILM, replace(FILM, streams=(OPUS, VP8))])


def test_runs_of_equal_neighbours_become_one_file_each() -> None:
    assert groups([FILM, FILM, SOUND, FILM, SOUND, SOUND]) == [[0, 1], [2], [3], [4, 5]]
    assert groups([]) == []
    assert joinable([])


@pytest.mark.parametrize(
    ("form", "extension", "content_type"),
    [
        (FILM, "webm", "video/webm"),
        (SOUND, "webm", "audio/webm"),
        (replace(FILM, streams=(H264, OPUS)), "mkv", "video/x-matroska"),
        (SegmentFormat(Container.WEBM, (replace(OPUS, codec="pcm_f32le"),)), "mka", "audio/x-matroska"),
        (SegmentFormat(Container.MP4, (H264, OPUS)), "mp4", "video/mp4"),
        (SegmentFormat(Container.MP4, (OPUS,)), "m4a", "audio/mp4"),
        (SegmentFormat(Container.OGG, (OPUS,)), "ogg", "audio/ogg"),
    ],
)
def test_what_a_file_is_called_and_served_as(form: SegmentFormat, extension: str, content_type: str) -> None:
    found = file_type(form)
    assert (found.extension, found.content_type) == (extension, content_type)


def test_a_segment_goes_on_where_the_longest_track_of_the_one_before_ended() -> None:
    timeline = Timeline([MS, MS])
    timeline.begin_segment([MS, MS], Fraction(0))
    assert timeline.place(0, 0, 0, 100) == (0, 0, 100)
    assert timeline.place(1, 0, 0, 250) == (0, 0, 250)
    timeline.begin_segment([MS, MS], Fraction(40, 1000))
    assert timeline.place(0, 40, 40, 100) == (250, 250, 100)
    assert timeline.place(1, 60, 60, 20) == (270, 270, 20)
    assert timeline.end == Fraction(350, 1000)


def test_what_begins_late_is_moved_to_the_beginning_of_the_file() -> None:
    timeline = Timeline([MS])
    timeline.begin_segment([MS], Fraction(5))
    assert timeline.place(0, 5_000, 5_000, 20) == (0, 0, 20)


def test_what_an_encoder_needs_to_settle_in_stays_before_the_beginning_of_the_file() -> None:
    timeline = Timeline([MS])
    timeline.begin_segment([MS], Fraction(-7, 1000))
    assert timeline.place(0, -7, -7, 20) == (-7, -7, 20)


def test_units_of_a_segment_become_those_of_the_file() -> None:
    timeline = Timeline([MS])
    timeline.begin_segment([Fraction(1, 48_000)], Fraction(0))
    assert timeline.place(0, 960, 960, 960) == (20, 20, 20)


def test_a_packet_that_does_not_say_how_long_it_lasts_lasts_as_long_as_the_one_before() -> None:
    timeline = Timeline([MS])
    timeline.begin_segment([MS], Fraction(0))
    for at in (0, 40, 80):
        assert timeline.place(0, at, at, 0) == (at, at, 0)
    assert timeline.end == Fraction(120, 1000)


times = st.none() | st.integers(-(10**9), 10**9)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 1), times, times, st.integers(-5, 10**6)), max_size=20), max_size=4),
    st.sampled_from([MS, Fraction(1, 90_000), Fraction(1, 10**9), Fraction(1, 1)]),
)
def test_times_of_a_file_grow_whatever_the_segments_say(
    segments: list[list[tuple[int, int | None, int | None, int]]], base: Fraction
) -> None:
    timeline = Timeline([MS, Fraction(1, 48_000)])
    last: dict[int, int] = {}
    for packets in segments:
        began = timeline.end
        timeline.begin_segment([base, base], Fraction(0))
        for track, pts, dts, duration in packets:
            shown, decoded, lasts = timeline.place(track, pts, dts, duration)
            assert shown >= decoded
            assert lasts >= 0
            assert track not in last or decoded > last[track]
            last[track] = decoded
        assert timeline.end >= began


def test_bytes_between_packets_that_are_no_header_are_lost() -> None:
    account = Account(Container.WEBM)
    for position in (500, 1_510, 2_520, 102_520, 103_530):
        account.add(position, 1_000)
    assert account.lost(104_530) == 99_000


def test_the_packet_that_a_killed_recorder_did_not_finish_is_not_lost() -> None:
    account = Account(Container.WEBM)
    account.add(500, 1_000)
    assert account.lost(1_500 + UNFINISHED_BYTES) == 0
    assert account.lost(1_501 + UNFINISHED_BYTES) == UNFINISHED_BYTES + 1


def test_a_segment_without_packets_is_lost_but_for_its_header() -> None:
    assert Account(Container.WEBM).lost(500) == 0
    assert Account(Container.WEBM).lost(5_000_000) == 5_000_000


def test_a_track_that_is_silent_says_so_and_goes_on_where_it_likes() -> None:
    timeline = Timeline([MS, MS])
    timeline.begin_segment([MS, MS], Fraction(0))
    timeline.place(0, 0, 0, 100)
    timeline.place(1, 59_000, 59_000, 20)
    assert timeline.fill(0) is None
    timeline.place(1, 61_000, 61_000, 20)
    assert timeline.fill(0) == 31_000
    assert timeline.fill(0) is None
    assert timeline.fill(1) is None
    assert timeline.place(0, 61_100, 61_100, 100) == (61_100, 61_100, 100)
