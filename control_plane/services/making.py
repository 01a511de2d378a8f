"""One download's way from chunks to a file: what it is made of is read, planned, joined, and packed where it is several files."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.db.chunks import ChunkStore
from control_plane.db.downloads import Claim, DownloadStore, WayFile
from control_plane.domain.assembly import (
    Packed,
    Segment,
    Way,
    manifest_of,
    prefix_of,
    runs_of,
    segments_of,
    wanted,
    way_of,
)
from control_plane.domain.downloads import MadeFile
from control_plane.domain.file_names import each_once, ending_of, file_stem
from control_plane.domain.media import Container, MediaUnreadable, SegmentFormat, container_of, file_type
from control_plane.domain.models import Chunk, Recording
from control_plane.services.joining import Joiner, Target
from control_plane.services.packing import zipped

# A page of the ledger's rows.
CHUNKS_TOGETHER = 1_000
ZIP = "application/zip"


class ClaimLost(Exception):
    """The download is not this process's to make any more: it was cancelled, its recording deleted, or another has it."""


class RecordingGone(Exception):
    """A recording that was to be packed is being deleted."""


class ProgressMeter:
    """Bytes of media that are done. Where files are made first and packed then, their bytes pass twice and count by halves."""

    def __init__(self) -> None:
        self._passed = 0
        self._to_pass = 1
        self._total = 0

    def expect(self, total: int, *, to_pass: int) -> None:
        """`total` bytes of media, of which `to_pass` will be told as they pass."""
        self._total = total
        self._to_pass = max(1, to_pass)

    def passed(self, size: int) -> None:
        """So many more have passed."""
        self._passed += size

    @property
    def done(self) -> int:
        """Of the media's bytes."""
        return min(self._total, self._total * self._passed // self._to_pass)


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that is to be made of segments of one recording. `form` is of what its media are, None where they are passed on
    as they are.
    """

    recording: Recording
    segments: Sequence[Segment]
    way: Way
    form: SegmentFormat | None = None

    @property
    def chunks(self) -> Sequence[Chunk]:
        """All of them, in order."""
        return [chunk for segment in self.segments for chunk in segment.chunks]

    @property
    def size(self) -> int:
        """Bytes of the chunks."""
        return sum(segment.size for segment in self.segments)

    @property
    def content_type(self) -> str:
        """Without codecs: what a file of it is."""
        return file_type(self.form).content_type if self.form else self.recording.mime_type.split(";", 1)[0].strip()

    @property
    def ending(self) -> str:
        """Of a file's name."""
        return file_type(self.form).extension if self.form else ending_of(self.content_type)


@dataclass(frozen=True, slots=True)
class Made:
    """A download's file; `unreadable`: of some media the bytes are there as they were recorded, since they cannot be read."""

    file: MadeFile
    unreadable: bool


class Making:
    """Makes the file of one claim."""

    def __init__(
        self, downloads: DownloadStore, chunks: ChunkStore, joiner: Joiner, claim: Claim, progress: ProgressMeter
    ) -> None:
        self._downloads = downloads
        self._chunks = chunks
        self._joiner = joiner
        self._claim = claim
        self._progress = progress
        self._prefix = ""
        self._unreadable = False

    async def run(self) -> Made:
        """The file, seen in the bucket.

        Raises `ClaimLost`, `RecordingGone`, `NotThere`, `ChunkWrong`, `BucketUnreachable`, `MediaFailed`, `DatabaseUnreachable`.
        """
        recordings = await self._recordings()
        self._prefix = prefix_of(self._claim.id, [recording.id for recording, _ in recordings])
        plans = [plan for recording, chunks in recordings for plan in await self._plans(recording, chunks)]
        total = sum(plan.size for plan in plans)
        if len(recordings) == 1 and len(plans) == 1:
            self._progress.expect(total, to_pass=total)
            made = await self._alone(plans[0])
        else:
            self._progress.expect(total, to_pass=total + sum(plan.size for plan in plans if plan.way is Way.REMUX))
            made = await self._together(recordings, plans)
        return Made(made, self._unreadable)

    async def _recordings(self) -> Sequence[tuple[Recording, Sequence[Chunk]]]:
        absent = {gap.recording_id: gap.missing for gap in self._claim.gaps}
        found = []
        for part in await self._downloads.parts(self._claim.id):
            if part.recording.deleted:
                raise RecordingGone
            rows = await self._rows(part.recording)
            found.append((part.recording, wanted(rows, part.chunks, absent.get(part.recording.id, ()))))
        return found

    async def _rows(self, recording: Recording) -> Sequence[Chunk]:
        rows: list[Chunk] = []
        while True:
            after = rows[-1].seq if rows else -1
            page = await self._chunks.page(recording.owner, recording.id, after=after, limit=CHUNKS_TOGETHER)
            rows.extend(page)
            if len(page) < CHUNKS_TOGETHER:
                return rows

    async def _plans(self, recording: Recording, chunks: Sequence[Chunk]) -> Sequence[Plan]:
        """The files that one recording comes to: one, but where its segments differ."""
        segments, way = segments_of(chunks), way_of(recording.source, chunks)
        container = container_of(recording.mime_type)
        if way is not Way.REMUX or container is None:
            return [Plan(recording, segments, Way.BYTES if way is Way.REMUX else way)]
        forms = [
            await self._probed(segment, container) if _readable(segment, container) else None for segment in segments
        ]
        self._unreadable = self._unreadable or None in forms
        return [
            Plan(
                recording, [segments[at] for at in group], Way.REMUX if forms[group[0]] else Way.BYTES, forms[group[0]]
            )
            for group in runs_of(forms)
        ]

    async def _probed(self, segment: Segment, container: Container) -> SegmentFormat | None:
        try:
            return await self._joiner.remuxer.probe(await self._joiner.head_of(segment), container)
        except MediaUnreadable:
            return None

    async def _alone(self, plan: Plan) -> MadeFile:
        claim = self._claim
        key = f"{self._prefix}file.{plan.ending}"
        target = Target(key, plan.content_type, claim.upload_id if claim.object_key == key else None, self._note(key))
        size = await self._join(plan, target)
        return MadeFile(key, f"{claim.file_stem}.{plan.ending}", plan.content_type, size)

    async def _together(
        self, recordings: Sequence[tuple[Recording, Sequence[Chunk]]], plans: Sequence[Plan]
    ) -> MadeFile:
        """A ZIP. Files that muxers go back into are made in the bucket first: in a ZIP nobody goes back."""
        begun = await self._downloads.files(self._claim)
        on_the_way = dict[int, WayFile]()
        for place, plan in enumerate(plans):
            if plan.way is Way.REMUX:
                on_the_way[place] = await self._on_the_way(place, plan, begun.get(place))
        names = each_once([(_stem_of(plan, plans), plan.ending) for plan in plans])
        packed = [
            Packed(name, plan.recording.id, [segment.number for segment in plan.segments], plan.way is Way.REMUX)
            for name, plan in zip(names, plans, strict=True)
        ]
        manifest = manifest_of(recordings, self._claim.gaps, packed)

        async def files() -> AsyncIterator[tuple[str, datetime, AsyncGenerator[bytes, None]]]:
            for place, (name, plan) in enumerate(zip(names, plans, strict=True)):
                yield name, plan.recording.created_at, self._content(plan, on_the_way.get(place))
            yield "manifest.json", recordings[0][0].created_at, _once(manifest)

        claim, key = self._claim, f"{self._prefix}files.zip"
        target = Target(key, ZIP, claim.upload_id if claim.object_key == key else None, self._note(key))
        size = await self._joiner.write(zipped(files()), sum(plan.size for plan in plans), target)
        return MadeFile(key, f"{claim.file_stem}.zip", ZIP, size)

    async def _on_the_way(self, place: int, plan: Plan, begun: WayFile | None) -> WayFile:
        if begun is not None and begun.size is not None:
            self._progress.passed(plan.size)
            return begun
        key = f"{self._prefix}parts/{place:04d}"

        async def note(upload_id: str) -> None:
            _require(held=await self._downloads.note_file(self._claim, WayFile(place, key, upload_id, None)))

        size = await self._join(plan, Target(key, plan.content_type, begun.upload_id if begun else None, note))
        made = WayFile(place, key, None, size)
        _require(held=await self._downloads.note_file(self._claim, made))
        return made

    async def _join(self, plan: Plan, target: Target) -> int:
        if plan.way is Way.COPY:
            return await self._joiner.copy(plan.chunks, target, self._progress.passed)
        if plan.way is Way.REMUX:
            assert plan.form is not None, "what is remuxed was probed"
            try:
                return await self._joiner.remux(plan.segments, plan.form.container, target, self._progress.passed)
            except MediaUnreadable:
                self._unreadable = True  # further on than what was probed: better its bytes than nothing
                target = replace(target, upload_id=None)
        return await self._joiner.pass_on(plan.chunks, target, self._progress.passed)

    async def _content(self, plan: Plan, file: WayFile | None) -> AsyncGenerator[bytes, None]:
        if file is None:
            async for piece in self._joiner.bytes_of(plan.chunks, self._progress.passed):
                yield piece
            return
        async for piece in self._joiner.stored(file.key):
            self._progress.passed(len(piece))
            yield piece

    def _note(self, key: str) -> Callable[[str], Awaitable[None]]:
        async def note(upload_id: str) -> None:
            _require(held=await self._downloads.note_upload(self._claim, key, upload_id))

        return note


def _readable(segment: Segment, container: Container) -> bool:
    """Not an MP4 with a hole: behind it nothing tells where the next fragment begins, and other bytes would pass for pictures."""
    return container is not Container.MP4 or segment.chunks[-1].seq - segment.chunks[0].seq < len(segment.chunks)


def _require(*, held: bool) -> None:
    """Raises `ClaimLost`."""
    if not held:
        raise ClaimLost


def _stem_of(plan: Plan, plans: Sequence[Plan]) -> str:
    """A file's name in a ZIP; of a recording of several, with the number of its first segment, counted from one."""
    stem = file_stem(plan.recording.title, plan.recording.created_at)
    several = sum(other.recording.id == plan.recording.id for other in plans) > 1
    return f"{stem} - part {plan.segments[0].number + 1}" if several else stem


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
