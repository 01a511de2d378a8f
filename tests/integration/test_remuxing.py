"""Segments become one seekable file, packet by packet as they were recorded."""

import struct
from itertools import pairwise
from pathlib import Path

import pytest

from control_plane.domain.media import REWRITTEN_BYTES, Container, MediaUnreadable, file_type, joinable
from tests.support import films
from tests.support.movies import CLUSTER, film, long_film
from tests.support.remuxed import remux, remuxer

pytestmark = pytest.mark.anyio

CUES = b"\x1c\x53\xbb\x6b"

KINDS = [
    ("webm", "libvpx", "libopus", "webm"),
    ("webm", "libvpx-vp9", "libopus", "webm"),
    ("webm", "libsvtav1", "libopus", "webm"),
    ("webm", None, "libopus", "webm"),
    ("webm", "libvpx", None, "webm"),
    ("matroska", "libx264", "libopus", "mkv"),
    ("mp4", "libx264", "aac", "mp4"),
    ("mp4", "libvpx-vp9", "libopus", "mp4"),
    ("mp4", "libsvtav1", "libopus", "mp4"),
    ("mp4", None, "aac", "m4a"),
    ("ogg", None, "libopus", "ogg"),
]


@pytest.mark.parametrize(("recorded_as", "video", "audio", "extension"), KINDS)
async def test_two_segments_become_one_file_with_the_same_packets(
    recorded_as: str, video: str | None, audio: str | None, extension: str, tmp_path: Path
) -> None:
    segment = film(recorded_as, video, audio)
    found = remuxer(tmp_path)
    form = await found.probe(segment[:20_000], None)
    assert file_type(form).extension == extension
    made = await remux(found, [segment, segment], form.container)

    before, after = films.packets(segment, tmp_path), films.packets(made.data, tmp_path)
    for kind, lasts in (("video", video), ("audio", audio)):
        if not lasts:
            continue
        originals = [packet.md5 for packet in before if packet.kind == kind]
        of_kind = [packet for packet in after if packet.kind == kind]
        assert [packet.md5 for packet in of_kind] == originals * 2
        assert all(one.dts < next_.dts for one, next_ in pairwise(of_kind))
    assert made.told.packets == len(before) * 2
    assert made.told.damaged == ()
    assert films.lasts(made.data, tmp_path) == pytest.approx(4, abs=0.1)
    assert made.told.duration_ms == pytest.approx(4_000, abs=100)
    assert films.decode(made.data, tmp_path).keys() == {
        kind for kind, codec in (("video", video), ("audio", audio)) if codec
    }


@pytest.mark.parametrize("recorded_as", ["webm", "mp4", "ogg"])
async def test_the_same_segments_give_the_same_bytes_however_they_arrive(recorded_as: str, tmp_path: Path) -> None:
    segment = film(recorded_as, "libvpx-vp9" if recorded_as != "ogg" else None)
    found = remuxer(tmp_path)
    container = Container(recorded_as)
    made = await remux(found, [segment, segment], container)
    assert (await remux(found, [segment, segment], container, piece=777)).data == made.data
    assert (await remux(found, [segment, segment], container, piece=10**9)).data == made.data


async def test_sound_and_picture_of_the_second_segment_begin_where_the_first_ended(tmp_path: Path) -> None:
    made = await remux(remuxer(tmp_path), [film(), film(seconds=3.0), film()])
    pictures = [packet for packet in films.packets(made.data, tmp_path) if packet.kind == "video"]
    begins = [packet.pts for packet in pictures if packet.md5 == pictures[0].md5]
    assert begins == pytest.approx([0, 2.0, 5.0], abs=0.05)
    gaps = [later.pts - earlier.pts for earlier, later in pairwise(pictures)]
    assert max(gaps) < 0.2


async def test_a_webm_can_be_sought_and_its_beginning_alone_is_written_twice(tmp_path: Path) -> None:
    made = await remux(remuxer(tmp_path), [b"".join(long_film(3))])
    assert CUES in made.data
    assert made.rewritten
    assert all(at < REWRITTEN_BYTES for at in made.rewritten)
    assert films.lasts(made.data, tmp_path) == pytest.approx(made.told.duration_ms / 1000, abs=0.15)


async def test_an_mp4_begins_with_its_index_and_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    segment = film("mp4", "libx264", "aac")
    made = await remux(remuxer(scratch), [segment, segment], Container.MP4)
    boxes = _boxes(made.data)
    assert boxes.index("moov") < boxes.index("mdat")
    assert "moof" not in boxes
    assert made.rewritten == ()
    assert list(scratch.iterdir()) == []


async def test_a_segment_that_was_cut_anywhere_gives_all_that_was_whole(tmp_path: Path) -> None:
    whole = film(seconds=3.0)
    pictures = films.packets(whole, tmp_path)
    found = remuxer(tmp_path)
    clusters = whole.index(CLUSTER)
    for cut in range(clusters + 1_000, len(whole), (len(whole) - clusters) // 6):
        made = await remux(found, [whole[:cut], whole])
        after = films.packets(made.data, tmp_path)
        for kind in ("video", "audio"):
            originals = [packet.md5 for packet in pictures if packet.kind == kind]
            joined = [packet.md5 for packet in after if packet.kind == kind]
            first = joined[: len(joined) - len(originals)]
            assert first[: len(originals)] == originals[: len(first)]
            assert joined[len(first) :] == originals
        assert len(after) > len(pictures)


async def test_a_segment_of_which_only_the_header_was_written_adds_nothing(tmp_path: Path) -> None:
    whole = film()
    header = whole[: whole.index(CLUSTER)]
    found = remuxer(tmp_path)
    assert joinable([await found.probe(header, None), await found.probe(whole, None)])
    assert (await remux(found, [whole, header])).data == (await remux(found, [whole])).data
    made = await remux(found, [header, whole])
    assert films.packets(made.data, tmp_path) == films.packets(whole, tmp_path)
    with pytest.raises(MediaUnreadable, match="neither a picture nor a sound"):
        await remux(found, [header])


async def test_behind_a_chunk_that_is_missing_it_goes_on_with_the_next_cluster(tmp_path: Path) -> None:
    whole = b"".join(long_film(6))
    made = await remux(remuxer(tmp_path), [whole[:2_000_000] + whole[3_000_000:]])
    before, after = films.packets(whole, tmp_path), films.packets(made.data, tmp_path)
    assert made.told.damaged == (0,)
    assert after[-1].md5 == before[-1].md5
    assert after[-1].pts == pytest.approx(before[-1].pts, abs=0.01)
    lost = 1 - len(after) / len(before)
    assert 0.1 < lost < 0.4  # a sixth is missing, and what its clusters began with


async def test_streams_in_another_order_are_joined_by_kind(tmp_path: Path) -> None:
    one, other = film(), film(audio_first=True)
    found = remuxer(tmp_path)
    assert joinable([await found.probe(one, None), await found.probe(other, None)])
    made = await remux(found, [one, other])
    kinds = films.decode(made.data, tmp_path)
    assert (kinds["video"].frames, kinds["audio"].codec) == (40, "opus")


async def test_what_an_encoder_skips_at_its_beginning_makes_no_segment_unequal(tmp_path: Path) -> None:
    segment = film()
    at = segment.index(b"OpusHead") + 10
    other = segment[:at] + struct.pack("<HI", 3_840, 44_100) + segment[at + 6 :]
    found = remuxer(tmp_path)
    assert joinable([await found.probe(segment, None), await found.probe(other, None)])


async def test_another_header_of_h264_makes_a_segment_unequal(tmp_path: Path) -> None:
    segment = film("mp4", "libx264", "aac")
    at = segment.index(b"avcC") + 7
    other = segment[:at] + bytes([segment[at] ^ 1]) + segment[at + 1 :]
    found = remuxer(tmp_path)
    assert joinable([await found.probe(segment, None), await found.probe(segment, None)])
    assert not joinable([await found.probe(segment, None), await found.probe(other, None)])


async def test_what_a_probe_tells(tmp_path: Path) -> None:
    form = await remuxer(tmp_path).probe(film(size=(128, 96))[:3_000], Container.WEBM)
    video, audio = form.streams
    assert (video.kind, video.codec, video.width, video.height) == ("video", "vp8", 128, 96)
    assert (audio.kind, audio.codec, audio.sample_rate, audio.channels) == ("audio", "opus", 48_000, 1)
    assert form.container is Container.WEBM


async def test_apple_s_name_for_hevc_is_kept(tmp_path: Path) -> None:
    made = await remux(remuxer(tmp_path), [film("mp4", "libx265", "aac", tag="hvc1")], Container.MP4)
    assert b"hvc1" in made.data
    assert b"hev1" not in made.data


async def test_a_segment_with_other_streams_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadable) as refused:
        await remux(remuxer(tmp_path), [film(), film(video=None)])
    assert refused.value.segment == 1


def _boxes(data: bytes) -> list[str]:
    """The names of the outermost boxes of an MP4."""
    found, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        found.append(name.decode())
        at += size or len(data)
    return found
