"""Bytes that are no media, or want to harm: a sentence for their owner or a file, never a crash and never a hang."""

import asyncio
import os
import random
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from control_plane.domain.media import Container, MediaUnreadable
from tests.support.movies import CLUSTER, film, tiny_clusters
from tests.support.remuxed import SILENCE_S, Made, remux, remuxer

pytestmark = pytest.mark.anyio

# Longer than a hang would be let live.
ENDS_S = 2 * SILENCE_S
EBML = b"\x1a\x45\xdf\xa3"
SIMPLE_TAG, TAGS, TAG = b"\x67\xc8", b"\x12\x54\xc3\x67", b"\x73\x73"
UNKNOWN, HUGE = b"\x01" + b"\xff" * 7, b"\x01\x7f\xff\xff\xff\xff\xff\xff"


async def survive(data: bytes, container: Container, folder: Path) -> Made | None:
    """The file that it becomes, or None where its owner is told that it becomes none. Anything else is raised."""
    found, made = remuxer(folder), None
    async with asyncio.timeout(ENDS_S):
        with suppress(MediaUnreadable):
            await found.probe(data, container)
        with suppress(MediaUnreadable):
            made = await remux(found, [data], container)
    assert os.listdir(folder) == []  # noqa: PTH208  # as short as it can be said
    return made


@pytest.mark.parametrize("container", list(Container))
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"<!doctype html><title>502 Bad Gateway</title>" * 50,
        random.Random(1).randbytes(100_000),
        EBML + random.Random(2).randbytes(100_000),
        b"\x00\x00\x00\x1cftypiso5" + random.Random(3).randbytes(100_000),
        b"OggS\x00\x02" + random.Random(4).randbytes(100_000),
    ],
    ids=["empty", "a byte", "html", "noise", "ebml", "ftyp", "ogg"],
)
async def test_what_is_no_media_is_said_to_be_none(data: bytes, container: Container, tmp_path: Path) -> None:
    found = remuxer(tmp_path)
    for task in (found.probe(data, container), remux(found, [data], container)):
        async with asyncio.timeout(ENDS_S):
            with pytest.raises(MediaUnreadable) as refused:
                await task
        assert str(refused.value).endswith(".")
        assert refused.value.segment == 0


async def test_no_segment_at_all_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadable, match="nothing in it"):
        await remux(remuxer(tmp_path), [])


async def test_a_segment_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadable) as refused:
        await remux(remuxer(tmp_path), [film(), film(), b"nothing of the kind"])
    assert refused.value.segment == 2


async def test_clusters_without_number_become_a_file(tmp_path: Path) -> None:
    made = await survive(tiny_clusters(30_000), Container.WEBM, tmp_path)
    assert made is not None
    assert made.told.packets == 30_000


@pytest.mark.thorough
async def test_a_million_clusters_become_a_file(tmp_path: Path) -> None:
    made = await survive(tiny_clusters(1_000_000), Container.WEBM, tmp_path)
    assert made is not None
    assert made.told.packets == 1_000_000


def _length(data: bytes) -> bytes:
    """An element's length in the longest way that EBML has."""
    return (1 << 56 | len(data)).to_bytes(8, "big")


def hostile_webms() -> dict[str, bytes]:
    """WebMs of which one number, or their depth, is a lie."""
    whole = film()
    head, rest = whole[: whole.index(CLUSTER)], whole[whole.index(CLUSTER) :]
    nested = b""
    for _ in range(5_000):
        nested = SIMPLE_TAG + _length(nested) + nested
    tags = TAG + _length(nested) + nested
    return {
        "a cluster of petabytes": head + CLUSTER + HUGE + rest[12:],
        "a block of petabytes": head + CLUSTER + UNKNOWN + b"\xe7\x81\x00" + b"\xa3" + HUGE + rest,
        "a header of petabytes": EBML + HUGE + whole,
        "a block of two hundred megabytes": head + CLUSTER + UNKNOWN + b"\xe7\x81\x00\xa3\x1c\x80\x00\x00" + rest,
        "a codec's header of gigabytes": head.replace(b"\x63\xa2", b"\x63\xa2\x08\xff\xff\xff\xff", 1) + rest,
        "masters without end": head + (TAGS + UNKNOWN + TAG + UNKNOWN + (SIMPLE_TAG + UNKNOWN) * 100_000) + rest,
        "masters within masters": head + TAGS + _length(tags) + tags + rest,
        "times of the end of the world": head + rest.replace(b"\xe7\x81", b"\xe7\x88\x7f\xff\xff\xff\xff\xff\xff", 1),
        "no length at all": head + CLUSTER + b"\x00" * 1_000_000,
    }


@pytest.mark.parametrize("lie", hostile_webms())
async def test_a_webm_that_lies_costs_nothing(lie: str, tmp_path: Path) -> None:
    await survive(hostile_webms()[lie], Container.WEBM, tmp_path)


def hostile_mp4s() -> dict[str, bytes]:
    """MP4s likewise."""
    whole = film("mp4", "libx264", "aac")
    nested = b"".join(struct.pack(">I4s", 8 * (20_000 - depth), b"moov") for depth in range(20_000))
    at = whole.index(b"trun") + 8
    return {
        "a box of exabytes": struct.pack(">I4sQ", 1, b"ftyp", 2**63 - 1) + whole,
        "boxes within boxes": whole[:28] + nested,
        "a fragment of four billion pictures": whole[:at] + b"\xff" * 4 + whole[at + 4 :],
        "an index of four billion entries": whole.replace(
            b"stsz\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"stsz\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff",
        ),
        "boxes of nothing": whole + struct.pack(">I4s", 8, b"free") * 200_000,
    }


@pytest.mark.parametrize("lie", hostile_mp4s())
async def test_an_mp4_that_lies_costs_nothing(lie: str, tmp_path: Path) -> None:
    await survive(hostile_mp4s()[lie], Container.MP4, tmp_path)


@pytest.mark.parametrize("recorded_as", ["webm", "mp4"])
async def test_a_header_that_was_cut_anywhere_is_no_media_or_a_header(recorded_as: str, tmp_path: Path) -> None:
    whole = film(recorded_as, "libvpx-vp9")
    end = whole.index(CLUSTER if recorded_as == "webm" else b"moof")
    for cut in range(1, end, max(end // 6, 1)):
        assert await survive(whole[:cut], Container(recorded_as), tmp_path) is None


async def some_damage(seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    recorded_as = chance.choice(["webm", "mp4", "ogg"])
    data = bytearray(film(recorded_as, None if recorded_as == "ogg" else "libvpx-vp9"))
    for _ in range(chance.choice([1, 10, 100, 1_000])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(data))
        del data[at : at + chance.randrange(3_000)]
    await survive(bytes(data), Container(recorded_as), folder)


@pytest.mark.parametrize("seed", range(8))
async def test_damage_of_any_kind_costs_nothing(seed: int, tmp_path: Path) -> None:
    await some_damage(seed, tmp_path)


@pytest.mark.thorough
async def test_much_damage_of_any_kind_costs_nothing(tmp_path: Path) -> None:
    for seed in range(100, 400):
        await some_damage(seed, tmp_path)
