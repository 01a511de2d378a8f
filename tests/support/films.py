"""What an independent reader makes of recorded bytes: ffprobe decodes every frame of them."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import parts

DECODE_S = 60.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a film: `kind` is `video` or `audio`, `frames` as many as were decoded."""

    kind: str
    codec: str
    frames: int


def decode(data: bytes, folder: Path) -> dict[str, Stream]:
    """The streams by kind. Raises with ffprobe's words if it cannot read them."""
    streams = _probe(data, folder, "-count_frames", "stream=codec_type,codec_name,nb_read_frames")["streams"]
    return {s["codec_type"]: Stream(s["codec_type"], s["codec_name"], int(s.get("nb_read_frames", 0))) for s in streams}


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it lies in a film: times in seconds, the MD5 of its bytes."""

    kind: str
    pts: float
    dts: float
    whole: bool
    md5: str


def packets(data: bytes, folder: Path) -> list[Packet]:
    """All packets in the order of the file. Raises as `decode`."""
    entries = "packet=codec_type,pts_time,dts_time,flags,data_hash"
    return [
        Packet(
            found["codec_type"],
            float(found.get("pts_time", "nan")),
            float(found.get("dts_time", "nan")),
            "K" in found["flags"],
            found["data_hash"],
        )
        for found in _probe(data, folder, "-show_packets", entries, "-show_data_hash", "md5")["packets"]
    ]


def lasts(data: bytes, folder: Path) -> float:
    """For how many seconds it says that it lasts; NaN where it does not say. Raises as `decode`."""
    return float(_probe(data, folder, "-show_format", "format=duration")["format"].get("duration", "nan"))


def ends_at(data: bytes, folder: Path) -> float:
    """Up to which second of its own time the film has all of its streams. Raises as `decode`."""
    ends: dict[int, float] = {}
    for packet in _probe(data, folder, "-show_packets", "packet=stream_index,pts_time,duration_time")["packets"]:
        end = float(packet.get("pts_time", 0)) + float(packet.get("duration_time", 0))
        ends[packet["stream_index"]] = max(end, ends.get(packet["stream_index"], 0))
    return min(ends.values(), default=0)


def _probe(data: bytes, folder: Path, how: str, entries: str, *more: str) -> Any:
    file = folder / "film"
    file.write_bytes(data)
    done = subprocess.run(
        [str(parts.ffprobe()), "-v", "error", how, *more, "-show_entries", entries, "-of", "json", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DECODE_S,
    )
    if done.returncode != 0:
        raise AssertionError(f"ffprobe cannot read {len(data)} bytes: {done.stderr}")
    return json.loads(done.stdout)
