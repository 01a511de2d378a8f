"""`POST /v1/recordings/{id}/grants`."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import HELD, HeldState, ItemProblem, Put, Time, answer, put_answer, rfc3339, usage_answer
from control_plane.api.auth import ADMIN, RECORD, identify
from control_plane.api.bodies import GrantsBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.state import State, services
from control_plane.domain.errors import (
    ChunkConflict,
    QuotaExceeded,
    RecordingComplete,
    RecordingConflict,
    RecordingDeleted,
    RecordingUnknown,
    Refusal,
    TooManyGrants,
)
from control_plane.domain.models import ChunkClaim, GrantRequest
from control_plane.services.granting import AlreadyHeld, GrantAnswer, Granted


class GrantedChunk(TypedDict):
    """Permission to PUT this chunk until `expires_at`."""

    seq: int
    state: Literal["granted"]
    put: Put
    expires_at: Time


class HeldChunk(TypedDict):
    """The bucket holds this chunk already: nothing is to be sent."""

    seq: int
    state: HeldState


class RefusedChunk(TypedDict):
    """This chunk is refused, and no other of the batch with it: `chunk_conflict`, `recording_complete`,
    `quota_exceeded`, `too_many_grants`."""

    seq: int
    state: Literal["refused"]
    problem: ItemProblem


GrantAnswerItem = GrantedChunk | HeldChunk | RefusedChunk


class GrantsAnswer(TypedDict):
    """One answer for each chunk, in the order asked."""

    grants: list[GrantAnswerItem]


async def grant(request: Request[State]) -> Response:
    """Answers each claim in order: granted with a presigned PUT, held already, or refused.

    `(recording, seq)` is bound to the first granted segment, size and digest for ever. An expired grant is simply asked
    for again. After a verdict other than `match` and `unreachable`, the next grant for the same digest allows overwriting.
    """
    identity = await identify(request)
    body = await read(request, GrantsBody)
    claims = [
        ChunkClaim(chunk.seq, chunk.segment, chunk.size, chunk.sha256, chunk.start_ms, chunk.duration_ms)
        for chunk in body.chunks
    ]
    wanted = GrantRequest(identity.owner, request.path_params["id"], claims, exempt=ADMIN in identity.scopes)
    answers = await services(request).grants.grant(wanted)
    told: GrantsAnswer = {"grants": [_grant_answer(found) for found in answers]}
    return answer(told)


def _grant_answer(found: GrantAnswer) -> GrantAnswerItem:
    match found:
        case Granted(seq, put, expires_at):
            return {"seq": seq, "state": "granted", "put": put_answer(put), "expires_at": rfc3339(expires_at)}
        case AlreadyHeld(seq, state):
            return {"seq": seq, "state": HELD[state]}
        case _:
            return {"seq": found.seq, "state": "refused", "problem": _problem(found.refusal)}


def _problem(refusal: Refusal) -> ItemProblem:
    told: ItemProblem = {"code": refusal.code, "detail": refusal.detail}
    match refusal:
        case QuotaExceeded():
            return {**told, **usage_answer(refusal.usage)}
        case TooManyGrants():
            return {**told, "live_grants": refusal.live.live, "max_live_grants": refusal.live.limit}
        case _:
            return told


EXAMPLE: GrantsAnswer = {
    "grants": [
        {"seq": 0, "state": "granted", "put": examples.PUT, "expires_at": examples.LATER},
        {"seq": 1, "state": "acked"},
        {
            "seq": 2,
            "state": "refused",
            "problem": {"code": "chunk_conflict", "detail": "Chunk 2 was first granted with another digest."},
        },
    ]
}

calls = [
    Call(
        id="grantChunks",
        method="POST",
        path="/v1/recordings/{id:uuid}/grants",
        handler=grant,
        summary="Ask for permission to PUT chunks",
        tag="Recorders",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        body=GrantsBody,
        example={
            "chunks": [
                {
                    "seq": 0,
                    "segment": 0,
                    "size": 5_242_880,
                    "sha256": examples.DIGEST,
                    "start_ms": 0,
                    "duration_ms": 5_000,
                }
            ]
        },
        answers=[Answer(GrantsAnswer, EXAMPLE, description="One answer for each chunk, in the order asked.")],
        problems=[RecordingUnknown, RecordingDeleted, RecordingConflict],
        item_problems=[ChunkConflict, RecordingComplete, QuotaExceeded, TooManyGrants],
    ),
]
