"""Films for tests, made with PyAV's encoders the way browsers make them: WebM as it streams, MP4 in fragments, Ogg."""

import io
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import av
import av.container
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

FPS = 10
RATE = 48_000
CLUSTER = b"\x1f\x43\xb6\x75"  # the id before each of a WebM's pieces
AUDIO_FRAME = 960  # 20 ms, as Opus has it
# As recorders write: what was written is never changed, so nothing tells how long anything is.
LIVE = {"live": "1"}
_OPTIONS = {
    "webm": LIVE,
    "matroska": LIVE,
    "mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    "ogg": {},
}
_FAST = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "13", "svtav1-params": "lp=1"},
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"},
}


class Stream(io.RawIOBase):
    """Where a recorder writes: it cannot go back."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.bytes += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since it was last asked for."""
        found, self.bytes = bytes(self.bytes), bytearray()
        return found


@cache
def film(
    container: str = "webm",
    video: str | None = "libvpx",
    audio: str | None = "libopus",
    *,
    seconds: float = 2.0,
    size: tuple[int, int] = (64, 48),
    audio_first: bool = False,
    tag: str | None = None,
) -> bytes:
    """A recorder's segment: these codecs, a picture that moves, a sound; a whole picture every second."""
    target = Stream()
    with av.open(target, "w", format=container, container_options=_OPTIONS[container]) as out:
        kinds = [kind for kind, codec in (("video", video), ("audio", audio)) if codec]
        tracks: dict[str, Any] = {}
        for kind in reversed(kinds) if audio_first else kinds:
            tracks[kind] = (
                _video_track(out, video or "", size, tag) if kind == "video" else _audio_track(out, audio or "")
            )
        frames = sorted(_frames(tracks, seconds, size), key=lambda found: found[0])
        for _, kind, frame in frames:
            out.mux(tracks[kind].encode(frame))
        for track in tracks.values():
            out.mux(track.encode(None))
    return bytes(target.bytes)


def long_film(
    megabytes: int, *, picture_bytes: int = 100_000, sound_bytes: int = 0, pictures_every_ms: int = 100
) -> Iterator[bytes]:
    """A WebM of VP8 and Opus of so many MiB, as it is made: real packets with nonsense behind each, to be of that size."""
    pictures, sounds = _packets("video"), _packets("audio")
    target, made = Stream(), 0
    with (
        av.open(io.BytesIO(film()), "r") as template,
        av.open(target, "w", format="webm", container_options=LIVE) as out,
    ):
        tracks = [out.add_stream_from_template(stream, opaque=True) for stream in template.streams]
        for at in range(0, 1_000_000_000, 20):
            if at % pictures_every_ms == 0:
                number = at // pictures_every_ms % FPS
                out.mux(_packet(tracks[0], pictures[number] + bytes(picture_bytes), at, 100, number == 0))
            out.mux(_packet(tracks[1], sounds[at // 20 % 50] + bytes(sound_bytes), at, 20, True))
            data = target.taken()
            made += len(data)
            if data:
                yield data
            if made > megabytes * 1024 * 1024:
                break
    yield target.taken()


def tiny_clusters(count: int) -> bytes:
    """A WebM of so many clusters, each with one packet of sound."""
    whole = film(video=None)
    head, block = whole[: whole.index(CLUSTER)], b"\xa3\x86\x81\x00\x00\x80\xf8\xff"
    times = (b"\xe7\x84" + (at * 20).to_bytes(4, "big") for at in range(count))
    return head + b"".join(CLUSTER + b"\x8e" + time + block for time in times)


def _video_track(out: av.container.OutputContainer, codec: str, size: tuple[int, int], tag: str | None) -> Any:
    track: Any = out.add_stream(codec, rate=FPS, options=_FAST.get(codec, {}))
    track.width, track.height = size
    track.pix_fmt = "yuv420p"
    track.codec_context.gop_size = FPS
    track.codec_context.thread_count = 1
    if tag:
        track.codec_context.codec_tag = tag
    return track


def _audio_track(out: av.container.OutputContainer, codec: str) -> Any:
    track: Any = out.add_stream(codec, rate=RATE)
    track.codec_context.layout = "mono"
    return track


def _frames(tracks: dict[str, Any], seconds: float, size: tuple[int, int]) -> Iterator[tuple[Fraction, str, Any]]:
    if "video" in tracks:
        for at in range(int(seconds * FPS)):
            picture = VideoFrame(*size, "yuv420p")
            for number, plane in enumerate(picture.planes):
                plane.update(bytes((at * 5 + number * 60 + place // 7) % 256 for place in range(plane.buffer_size)))
            picture.pts, picture.time_base = at, Fraction(1, FPS)
            yield Fraction(at, FPS), "video", picture
    if "audio" in tracks:
        track = tracks["audio"]
        track.codec_context.open()
        samples = track.codec_context.frame_size or AUDIO_FRAME
        for at in range(0, int(seconds * RATE), samples):
            sound = AudioFrame(track.codec_context.format.name, "mono", samples)
            for part in sound.planes:
                part.update(bytes((at // 960 * 31 + place // 90 * 2) % 64 for place in range(part.buffer_size)))
            sound.pts, sound.time_base, sound.sample_rate = at, Fraction(1, RATE), RATE
            yield Fraction(at, RATE), "audio", sound


@cache
def _packets(kind: str) -> list[bytes]:
    with av.open(io.BytesIO(film()), "r") as source:
        return [bytes(packet) for packet in source.demux(**{kind: 0}) if packet.size]


def _packet(track: Any, data: bytes, at: int, duration: int, whole: bool) -> Any:
    packet = av.Packet(data)
    packet.pts = packet.dts = at
    packet.duration, packet.time_base, packet.is_keyframe = duration, Fraction(1, 1000), whole
    packet.stream = track
    return packet
