"""The drill's recorder: what a browser does, by the services that the API calls, and by PUT to granted URLs."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4, uuid5

import aiohttp
from yarl import URL

from control_plane.api.state import Services
from control_plane.domain.bucket import PresignedRequest
from control_plane.domain.models import (
    AckClaim,
    Beat,
    ChunkClaim,
    GrantRequest,
    Holding,
    NewRecording,
    Progress,
    Source,
    Verdict,
)
from control_plane.services.acking import Judged
from control_plane.services.granting import Granted
from control_plane.services.granting import Refused as GrantRefused
from control_plane.services.heartbeats import BeatAnswer

# Large enough to be cut, small enough for any line.
CHUNK_BYTES = 65_536
PUT_S = 30.0
# One recorder for all drills of an owner: its row is not one more with each of them.
RECORDERS = UUID("5afe5ee1-0d21-4d21-8d21-5afe5ee1d211")
RECORDINGS_LOOKED_AT = 1_000


class DrillFailed(Exception):
    """The drill could not go on; the message says why, and what to do."""


class DrillRecorder:
    """Records `count` chunks of random bytes as `owner`, and keeps them for as long as it is open."""

    def __init__(self, services: Services, owner: str, count: int) -> None:
        self._services = services
        self._owner = owner
        self._recorder_id = uuid5(RECORDERS, owner)
        self.recording_id = uuid4()
        self._bodies = [os.urandom(CHUNK_BYTES) for _ in range(count)]
        self.claims = [
            ChunkClaim(seq, 0, len(body), hashlib.sha256(body).hexdigest()) for seq, body in enumerate(self._bodies)
        ]
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def delete_leftovers(self) -> int:
        """Deletes what an earlier drill of this owner left; how many recordings."""
        found = await self._services.recordings.page(self._owner, before=None, limit=RECORDINGS_LOOKED_AT)
        left = [one for one, _ in found if one.recorder_id == self._recorder_id and not one.deleted]
        for recording in left:
            await self._services.deletions.delete(self._owner, recording.id)
        return len(left)

    async def start(self) -> None:
        """Starts the recording."""
        await self._services.recordings.start(
            NewRecording(
                self.recording_id, self._owner, self._recorder_id, Source.RECORDER, "video/webm", "Drill", None
            )
        )

    async def put_all(self) -> Mapping[int, str | None]:
        """Has all chunks granted and puts them; the ETags by seq. Raises `DrillFailed`."""
        answers = await self._services.grants.grant(GrantRequest(self._owner, self.recording_id, self.claims))
        etags = dict[int, str | None]()
        for answer in answers:
            if isinstance(answer, GrantRefused):
                raise DrillFailed(f"A grant was refused: {answer.refusal}")
            if isinstance(answer, Granted):
                etags[answer.seq] = await self._put(answer.seq, answer.put)
        return etags

    async def ack(self, etags: Mapping[int, str | None]) -> None:
        """Claims what was put. Raises `DrillFailed` where that is not believed."""
        claims = [AckClaim(seq, etag) for seq, etag in etags.items()]
        for answer in await self._services.acks.ack(self._owner, self.recording_id, claims):
            if not isinstance(answer, Judged) or answer.verdict is not Verdict.MATCH:
                seen = answer.verdict if isinstance(answer, Judged) else answer.refusal
                raise DrillFailed(f"Chunk {answer.seq} was put, and its ack was answered: {seen}.")

    async def beat(self) -> None:
        """Says that it holds everything, and serves the tickets that come; releases are nothing to it."""
        holding = [Holding(self.recording_id, [(0, len(self.claims) - 1)], True)]
        for ticket in (await self._beat(holding)).tickets:
            etag = await self._put(ticket.seq, ticket.put)
            await self._services.acks.ack(self._owner, self.recording_id, [AckClaim(ticket.seq, etag)])

    async def progress(self) -> Progress:
        """How far the recording is."""
        _, progress = await self._services.recordings.status(self._owner, self.recording_id)
        return progress

    async def delete(self) -> None:
        """Deletes the recording; the recorder holds nothing any more."""
        await self._services.deletions.delete(self._owner, self.recording_id)
        await self._beat([])

    async def _beat(self, holding: Sequence[Holding]) -> BeatAnswer:
        beat = Beat(self._recorder_id, time.time_ns() // 1_000_000, None, None, None, "drill", holding, [])
        return await self._services.heartbeats.beat(self._owner, beat)

    async def _put(self, seq: int, permission: PresignedRequest) -> str | None:
        assert self._session is not None, "the recorder is open"
        url = URL(permission.url, encoded=True)
        try:
            async with self._session.put(url, data=self._bodies[seq], headers=permission.headers) as answer:
                if answer.status not in {200, 412}:
                    raise DrillFailed(f"A PUT to {url.origin()} was answered {answer.status}: see `safereel doctor`.")
                return answer.headers.get("ETag") if answer.status == 200 else None
        except (aiohttp.ClientError, OSError) as exc:
            # Not its words: they may hold the URL, which is a permission.
            raise DrillFailed(
                f"The bucket could not be reached at {url.origin()} ({type(exc).__name__}), to which recorders are sent: "
                "run the drill where S3_PUBLIC_ENDPOINT can be reached, or see `safereel doctor`."
            ) from None
