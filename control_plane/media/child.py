"""The process that reads media: `python -m control_plane.media.child probe|remux …`. The only importer of PyAV.

Media comes from outside, and FFmpeg, which parses it, is written in C. So this process holds no credentials and no
descriptor but three pipes, has limits for memory and files, and its end costs one job. What it is told and tells: `framing`.
"""

import errno
import hashlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from control_plane.domain.media import (
    Container,
    FileType,
    Kind,
    MediaUnreadable,
    Remuxed,
    SegmentFormat,
    StreamFormat,
    file_type,
)
from control_plane.media.accounting import Account
from control_plane.media.confinement import Alarmed, confine, memory_left, take_stdout
from control_plane.media.framing import Broken, Frame, Input, SegmentReader, format_to_bytes, remuxed_to_bytes
from control_plane.media.orders import Order, Task
from control_plane.media.sinks import OutOfOrder, Output, Scratch, Straight
from control_plane.media.timeline import Timeline

if TYPE_CHECKING:
    from av.packet import Packet

# How much FFmpeg reads and writes through Python at once: fewer calls than with its 32 KiB, and still little memory.
BUFFER_BYTES = 256 * 1024
# The first packets of a segment are held until each track has shown where it begins, but no more of them than these.
MAX_AHEAD = 256
# So many packets are what a silent track is looked at after: five seconds of sound.
FILL_EVERY = 256
WAITED_FOR = frozenset({"vp8", "vp9", "av1"})
# Where FFmpeg reads nothing more and fails again and again, the segment is at its end for it.
MAX_VAIN_TRIES = 100
# RFC 7845, 5.1: pre-skip (2 bytes) and the rate of what was encoded (4) differ between devices, and decode alike.
OPUS_HEAD, OPUS_VARIES = b"OpusHead", slice(10, 16)
# The element that everything behind a WebM's header lies in, and the length of one that is empty.
WEBM_CLUSTER, WEBM_EMPTY = b"\x1f\x43\xb6\x75", b"\x80"
# libavformat/avformat.h: AVFMT_FLAG_GENPTS and AVFMT_FLAG_BITEXACT (PyAV's own names for them have no usable type).
GENERATE_TIMES, BIT_EXACT = 0x0001, 0x0400
# The status that says: out of memory. Others are Python's own (1, 2).
NO_MEMORY = 3
_DEMUXERS = {Container.WEBM: "matroska", Container.MP4: "mp4", Container.OGG: "ogg"}
_NAMES = {Container.WEBM: "WebM", Container.MP4: "MP4", Container.OGG: "Ogg"}

_Media = VideoStream | AudioStream
_Packet: TypeAlias = "Packet[Stream]"  # a string: it takes parameters in its type stub alone


def main(arguments: Sequence[str]) -> int:
    """Does what it was started for. The status is 0 where a last frame tells what became of it."""
    order = Order.parsed(arguments)
    confine(order)
    pipes = Alarmed(sys.stdin.buffer, take_stdout(), order.silence_s)
    source, output = Input(pipes), Output(pipes)
    try:
        _work(order, source, output)
    except MediaUnreadable as exc:
        output.end(Frame.UNREADABLE, str(exc).encode(), 0 if exc.segment is None else exc.segment + 1)
    except MemoryError:
        return NO_MEMORY
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
            raise
        output.end(Frame.SCRATCH_FULL)
    return 0


def _work(order: Order, source: Input, output: Output) -> None:
    segments = source.segments()
    if order.task is Task.PROBE:
        output.end(Frame.FORMAT, format_to_bytes(_probe(next(segments), order.container)))
    else:
        output.end(Frame.DONE, remuxed_to_bytes(_remux(segments, order, output)))


def _probe(reader: SegmentReader, container: Container) -> SegmentFormat:
    with _open(reader, container) as source:
        return _format_of(_streams_of(source, reader), container)


def _remux(segments: Iterator[SegmentReader], order: Order, output: Output) -> Remuxed:
    joining: _Joining | None = None
    for reader in segments:
        with _open(reader, order.container) as source:
            streams = _streams_of(source, reader)
            if joining is None:
                joining = _Joining(streams, order, output)
            joining.add(source, streams, reader)
    if joining is None:
        raise MediaUnreadable("There is nothing in it.")
    return joining.finish()


class _Joining:
    """The file that segments become."""

    def __init__(self, streams: Sequence[_Media], order: Order, output: Output) -> None:
        self._order = order
        self._file = Scratch(order.scratch_dir, output) if order.container is Container.MP4 else Straight(output)
        self._container = _create(self._file, file_type(_format_of(streams, order.container)))
        try:
            self._tracks = [_track_like(stream, self._container) for stream in streams]
            self._container.start_encoding()
        except (av.FFmpegError, ValueError) as exc:
            raise MediaUnreadable(f"What it holds cannot be put into a file: {_words(exc)}.", 0) from exc
        self._bases = [track.time_base or Fraction(1, 1000) for track in self._tracks]
        self._timeline = Timeline(self._bases)
        self._packets = 0
        self._damaged: list[int] = []

    def add(self, source: InputContainer, streams: Sequence[_Media], reader: SegmentReader) -> None:
        """Appends all that can be read of a segment."""
        ordered = self._matched(streams, reader)
        track_of = {stream.index: number for number, stream in enumerate(ordered)}
        packets = self._readable(source, ordered, reader)
        ahead = _ahead(packets, len(ordered))
        if ahead:
            bases = [stream.time_base or Fraction(1, 1000) for stream in ordered]
            self._timeline.begin_segment(bases, min(map(_begins, ahead)))
        account = Account(self._order.container)
        for packet in chain(ahead, packets):
            account.add(packet.pos, packet.size)
            self._put(packet, track_of[packet.stream_index], reader)
        reader.pass_over()
        if lost := account.lost(reader.position):
            if lost > memory_left(self._order):
                raise MemoryError  # FFmpeg passes over what it has no room for: that is no fault of the media
            self._note_damage(reader)

    def finish(self) -> Remuxed:
        """Ends the file and tells the rest of it."""
        if not self._packets:
            raise MediaUnreadable("There is neither a picture nor a sound in it.")
        try:
            self._container.close()
        except (av.FFmpegError, OutOfOrder) as exc:
            raise MediaUnreadable(f"The file cannot be ended: {_words(exc)}.") from exc
        self._file.finish()
        return Remuxed(round(self._timeline.end * 1000), self._packets, tuple(self._damaged))

    def _matched(self, streams: Sequence[_Media], reader: SegmentReader) -> Sequence[_Media]:
        """A segment's streams in the order of the file's tracks."""
        left = list(streams)
        found = []
        for track in self._tracks:
            same = next((each for each in left if (each.type, _codec(each)) == (track.type, _codec(track))), None)
            if same is None:
                raise MediaUnreadable("Its streams are not those of the part before it.", reader.index)
            left.remove(same)
            found.append(same)
        return found

    def _readable(self, source: InputContainer, streams: Sequence[_Media], reader: SegmentReader) -> Iterator[_Packet]:
        """The packets; behind damage it goes on as long as FFmpeg gets on."""
        position, vain = -1, 0
        while vain < MAX_VAIN_TRIES:
            try:
                for packet in source.demux(streams):
                    if packet.size:
                        vain = 0
                        yield packet
            except MemoryError:
                raise
            except av.FFmpegError:
                self._note_damage(reader)
            else:
                return
            vain = vain + 1 if reader.position == position else 0
            position = reader.position

    def _put(self, packet: _Packet, track: int, reader: SegmentReader) -> None:
        try:
            packet.pts, packet.dts, packet.duration = self._timeline.place(
                track, packet.pts, packet.dts, packet.duration or 0
            )
            packet.time_base = self._bases[track]
            packet.stream = self._tracks[track]
            self._container.mux_one(packet)
            self._packets += 1
            if self._packets % FILL_EVERY == 0:
                self._fill()
        except MemoryError:
            raise
        except (av.FFmpegError, OverflowError, OutOfOrder) as exc:
            raise MediaUnreadable(
                f"Its pictures or sounds cannot be put into a file: {_words(exc)}.", reader.index
            ) from exc

    def _fill(self) -> None:
        """Ends the muxer's waiting for pictures that do not come, by an empty packet, which players pass over.

        For tracks of these codecs it waits without end, and holds all others (`ff_interleave_packet_per_dts`).
        """
        for number, track in enumerate(self._tracks):
            if _codec(track) in WAITED_FOR and (at := self._timeline.fill(number)) is not None:
                empty = av.Packet(0)
                empty.pts = empty.dts = at
                empty.time_base, empty.stream = self._bases[number], track
                self._container.mux_one(empty)

    def _note_damage(self, reader: SegmentReader) -> None:
        if reader.index not in self._damaged[-1:]:
            self._damaged.append(reader.index)


class _Remembered:
    """A segment's reader that knows what it has read, if that is no more than a buffer."""

    name = "segment"

    def __init__(self, reader: SegmentReader) -> None:
        self._reader = reader
        self.head = b""
        self.is_whole = False  # the segment has ended, and `head` is all of it

    def read(self, count: int) -> bytes:
        """As the reader's."""
        data = self._reader.read(count)
        if len(self.head) < BUFFER_BYTES:
            self.head += data
            self.is_whole = not data
        return data


def _open(reader: SegmentReader, container: Container) -> InputContainer:
    """Reads a segment's header, and as much as it takes to know its streams."""
    beginning = _Remembered(reader)
    try:
        try:
            found = _open_as(beginning, container)
        except av.FFmpegError:
            if container is not Container.WEBM or not beginning.is_whole or WEBM_CLUSTER in beginning.head:
                raise
            # Only its header was written. FFmpeg takes that for no WebM, but a header before nothing for one.
            found = _open_as(io.BytesIO(beginning.head + WEBM_CLUSTER + WEBM_EMPTY), container)
    except (av.FFmpegError, ValueError, OverflowError) as exc:
        # Of memory as well: so early, only a size that is told and not true takes so much.
        raise MediaUnreadable(f"It is not {_NAMES[container]}, or its beginning is damaged.", reader.index) from exc
    # Else FFmpeg holds packets without a time until it meets one with a time, however far that is.
    found.flags &= ~GENERATE_TIMES
    return found


def _open_as(file: object, container: Container) -> InputContainer:
    return av.open(
        file,
        "r",
        format=_DEMUXERS[container],
        metadata_errors="replace",
        buffer_size=BUFFER_BYTES,
        io_open=_refuse_to_open,
    )


def _create(file: Scratch | Straight, kind: FileType) -> OutputContainer:
    options = {"movflags": "faststart"} if kind.muxer == "mp4" else {}
    found = av.open(
        file, "w", format=kind.muxer, container_options=options, buffer_size=BUFFER_BYTES, io_open=file.second_reader
    )
    # No random ids, no versions: the same segments give the same bytes.
    found.flags |= BIT_EXACT
    return found


def _track_like(stream: _Media, container: OutputContainer) -> Stream:
    track = container.add_stream_from_template(stream, opaque=True)
    if stream.codec_context.codec_tag == "hvc1":  # FFmpeg's own choice is hev1, which Apple's players refuse
        track.codec_context.codec_tag = "hvc1"
    return track


def _streams_of(source: InputContainer, reader: SegmentReader) -> Sequence[_Media]:
    found = [
        stream
        for stream in source.streams
        if isinstance(stream, VideoStream | AudioStream) and not stream.disposition & Disposition.attached_pic
    ]
    if not found:
        raise MediaUnreadable("There is neither a picture nor a sound in it.", reader.index)
    if any(_codec(stream) is None for stream in found):
        raise MediaUnreadable("It is encoded in a way that is not known here.", reader.index)
    return found


def _format_of(streams: Sequence[_Media], container: Container) -> SegmentFormat:
    return SegmentFormat(container, tuple(map(_stream_format, streams)))


def _stream_format(stream: _Media) -> StreamFormat:
    codec, context = _codec(stream) or "", stream.codec_context
    extradata = _extradata_digest(context.extradata or b"")
    if isinstance(stream, VideoStream):
        return StreamFormat(Kind.VIDEO, codec, stream.width, stream.height, 0, 0, extradata)
    return StreamFormat(Kind.AUDIO, codec, 0, 0, stream.sample_rate, stream.channels, extradata)


def _extradata_digest(extradata: bytes) -> str:
    found = bytearray(extradata)
    if found.startswith(OPUS_HEAD):
        found[OPUS_VARIES] = bytes(len(found[OPUS_VARIES]))
    return hashlib.sha256(found).hexdigest()


def _codec(stream: Stream) -> str | None:
    context: Any = stream.codec_context  # None where FFmpeg has no decoder, whatever its types say
    return None if context is None else str(context.codec.canonical_name)


def _ahead(packets: Iterator[_Packet], tracks: int) -> Sequence[_Packet]:
    """The first packets, up to one of each track."""
    found: list[_Packet] = []
    seen: set[int] = set()
    for packet in packets:
        found.append(packet)
        seen.add(packet.stream_index)
        if len(seen) == tracks or len(found) == MAX_AHEAD:
            break
    return found


def _begins(packet: _Packet) -> Fraction:
    time = packet.pts if packet.dts is None else packet.dts
    return (time or 0) * packet.time_base


def _words(exc: Exception) -> str:
    return (exc.strerror or str(exc)) if isinstance(exc, av.FFmpegError) else str(exc)


def _refuse_to_open(*_: object) -> Any:
    raise PermissionError("media may not name other files")


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except (Broken, BrokenPipeError):
        status = 1  # the parent is gone: nobody is left to be told
    sys.stderr.flush()
    # No finalizers: an unfinished file would be ended, and told, by its own.
    os._exit(status)
