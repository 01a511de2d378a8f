"""`POST /v1/recordings/{id}/acks`."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import ItemProblem, answer
from control_plane.api.auth import RECORD, owner_of
from control_plane.api.bodies import AcksBody, read
from control_plane.api.contract import Answer, Call
from control_plane.api.state import State, services
from control_plane.domain.errors import ChunkNotGranted, RecordingComplete, RecordingDeleted, RecordingUnknown
from control_plane.domain.models import AckClaim, ChunkState, Verdict
from control_plane.services.acking import AckAnswer, Judged


class JudgedAck(TypedDict):
    """What a HEAD showed of the chunk, and the state it is in now."""

    seq: int
    verdict: Verdict
    state: ChunkState


class RefusedAck(TypedDict):
    """This claim is refused, and no other of the batch with it: `chunk_not_granted`, `recording_complete`."""

    seq: int
    verdict: None
    state: Literal["refused"]
    problem: ItemProblem


AckAnswerItem = JudgedAck | RefusedAck


class AcksAnswer(TypedDict):
    """One answer for each claim, in the order asked."""

    acks: list[AckAnswerItem]


async def ack(request: Request[State]) -> Response:
    """Answers each claim in order, after a HEAD of its object: only what that showed is believed.

    `match`: nothing more to do but to wait for the release. `unreachable`: the bucket failed or was too slow, ack again
    later. Any other verdict: ask for a grant and PUT again.
    """
    owner = await owner_of(request)
    body = await read(request, AcksBody)
    claims = [AckClaim(claim.seq, claim.etag) for claim in body.acks]
    answers = await services(request).acks.ack(owner, request.path_params["id"], claims)
    told: AcksAnswer = {"acks": [_ack_answer(found) for found in answers]}
    return answer(told)


def _ack_answer(found: AckAnswer) -> AckAnswerItem:
    match found:
        case Judged(seq, verdict, state):
            return {"seq": seq, "verdict": verdict, "state": state}
        case _:
            return {
                "seq": found.seq,
                "verdict": None,
                "state": "refused",
                "problem": {"code": found.refusal.code, "detail": found.refusal.detail},
            }


EXAMPLE: AcksAnswer = {
    "acks": [
        {"seq": 0, "verdict": Verdict.MATCH, "state": ChunkState.ACKED},
        {"seq": 1, "verdict": Verdict.MISSING, "state": ChunkState.GRANTED},
        {
            "seq": 2,
            "verdict": None,
            "state": "refused",
            "problem": {"code": "chunk_not_granted", "detail": "Ask for a grant for chunk 2, PUT it, then ack it."},
        },
    ]
}

calls = [
    Call(
        id="ackChunks",
        method="POST",
        path="/v1/recordings/{id:uuid}/acks",
        handler=ack,
        summary="Claim chunks that were PUT",
        tag="Recorders",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        body=AcksBody,
        example={"acks": [{"seq": 0, "etag": '"9bb58f26192e4ba00f01e2e7b136bbd8"'}, {"seq": 1}]},
        answers=[Answer(AcksAnswer, EXAMPLE, description="One verdict for each claim, in the order asked.")],
        problems=[RecordingUnknown, RecordingDeleted],
        item_problems=[ChunkNotGranted, RecordingComplete],
    ),
]
