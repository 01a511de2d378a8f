"""What an independent reader makes of recorded bytes: ffprobe decodes every frame of them."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
    file = folder / "film"
    file.write_bytes(data)
    wanted = ["-count_frames", "-show_entries", "stream=codec_type,codec_name,nb_read_frames", "-of", "json"]
    done = subprocess.run(
        [str(parts.ffprobe()), "-v", "error", *wanted, str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DECODE_S,
    )
    if done.returncode != 0:
        raise AssertionError(f"ffprobe cannot read {len(data)} bytes: {done.stderr}")
    streams = json.loads(done.stdout)["streams"]
    return {s["codec_type"]: Stream(s["codec_type"], s["codec_name"], int(s.get("nb_read_frames", 0))) for s in streams}
