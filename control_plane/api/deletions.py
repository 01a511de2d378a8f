"""`DELETE /v1/recordings/{id}`, and what administrators see and start of purges."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from control_plane.api import examples
from control_plane.api.answers import Count, Id, Time, answer, rfc3339
from control_plane.api.auth import ADMIN, RECORD, administrator_of, owner_of
from control_plane.api.contract import Answer, Call
from control_plane.api.parameters import WholeNumber
from control_plane.api.state import State, services
from control_plane.domain.errors import RecordingUnknown
from control_plane.domain.limits import MAX_PAGE, WORK_OF_A_CALL
from control_plane.domain.models import DeleteCause, DeletionUnderWay, RecordingState

LIMIT = WholeNumber(
    name="limit", description="How many deletions are told at most.", default=MAX_PAGE, low=1, high=MAX_PAGE
)


class DeletionAnswer(TypedDict):
    """What became of the recording: `deleting` until nothing of it is left in the bucket, then `deleted`."""

    id: Id
    state: Literal["deleting", "deleted"]


class PendingDeletion(TypedDict):
    """A deletion that is not finished. `failures` is how often in a row the bucket could not be purged, `failure` why the last
    time; the bucket is looked at again at `next_look_at`, and at least until `looked_for_until`.
    """

    recording_id: Id
    owner: str
    cause: DeleteCause
    requested_at: Time
    failures: Count
    failure: str | None
    next_look_at: Time
    looked_for_until: Time
    removed_objects: Count


class DeletionList(TypedDict):
    """How many deletions are not finished, how many of these fail, and a page of them: those that fail first."""

    under_way: Count
    failing: Count
    deletions: list[PendingDeletion]


class PurgeAnswer(TypedDict):
    """What one run did: recordings looked at, versions removed, recordings that are `deleted` now, and failures. `more`: its time
    was up, and there may be others that are due.
    """

    looked_at: Count
    removed: Count
    finished: Count
    failed: Count
    more: bool


async def delete(request: Request[State]) -> Response:
    """Deletes a recording in any state, for ever: 202 until nothing of it is left in the bucket, then 200.

    The quota is free at once, and recorders that hold any of it are told to drop that. Repeated, it changes nothing.
    """
    recording = await services(request).deletions.delete(await owner_of(request), request.path_params["id"])
    gone = recording.state is RecordingState.DELETED
    told: DeletionAnswer = {"id": str(recording.id), "state": "deleted" if gone else "deleting"}
    return answer(told, 200 if gone else 202)


async def deletions(request: Request[State]) -> Response:
    """Those that fail come first, with the cause."""
    await administrator_of(request)
    found = await services(request).purges.under_way(limit=LIMIT.read(request))
    told: DeletionList = {
        "under_way": found.under_way,
        "failing": found.failing,
        "deletions": [_pending_answer(deletion) for deletion in found.page],
    }
    return answer(told)


async def purge(request: Request[State]) -> Response:
    """Looks now, instead of at the next run, at the bucket for deleted recordings that are due: for some ten seconds at most.
    Where the answer says that there is more, repeat the call, or leave it to the next runs.
    """
    await administrator_of(request)
    purged = await services(request).purges.run(within=WORK_OF_A_CALL)
    told: PurgeAnswer = {
        "looked_at": purged.looked_at,
        "removed": purged.removed,
        "finished": purged.finished,
        "failed": purged.failed,
        "more": purged.more,
    }
    return answer(told)


def _pending_answer(found: DeletionUnderWay) -> PendingDeletion:
    return {
        "recording_id": str(found.recording_id),
        "owner": found.owner,
        "cause": found.cause,
        "requested_at": rfc3339(found.requested_at),
        "failures": found.failures,
        "failure": found.failure,
        "next_look_at": rfc3339(found.next_look_at),
        "looked_for_until": rfc3339(found.looked_for_until),
        "removed_objects": found.removed_objects,
    }


EXAMPLE: DeletionList = {
    "under_way": 1,
    "failing": 1,
    "deletions": [
        {
            "recording_id": examples.RECORDING_ID.example,
            "owner": "alice",
            "cause": DeleteCause.OWNER,
            "requested_at": examples.NOW,
            "failures": 3,
            "failure": "LIST versions: status 503 SlowDown",
            "next_look_at": examples.LATER,
            "looked_for_until": "2026-11-02T11:15:00.000Z",
            "removed_objects": 41,
        }
    ],
}

calls = [
    Call(
        id="deleteRecording",
        method="DELETE",
        path="/v1/recordings/{id:uuid}",
        handler=delete,
        summary="Delete a recording",
        tag="Recordings",
        scope=RECORD,
        path_parameters=[examples.RECORDING_ID],
        answers=[
            Answer(
                DeletionAnswer,
                {"id": examples.RECORDING_ID.example, "state": "deleted"},
                description="Nothing of it is left.",
            ),
            Answer(
                DeletionAnswer,
                {"id": examples.RECORDING_ID.example, "state": "deleting"},
                202,
                "It is deleted for whoever asks, and being removed from the bucket.",
            ),
        ],
        problems=[RecordingUnknown],
    ),
    Call(
        id="listDeletions",
        method="GET",
        path="/v1/admin/deletions",
        handler=deletions,
        summary="List deletions that are not finished",
        tag="Administration",
        scope=ADMIN,
        query=[LIMIT],
        answers=[Answer(DeletionList, EXAMPLE, description="How many there are, and a page of them.")],
    ),
    Call(
        id="purgeNow",
        method="POST",
        path="/v1/admin/purge",
        handler=purge,
        summary="Purge what is due now",
        tag="Administration",
        scope=ADMIN,
        answers=[
            Answer(
                PurgeAnswer,
                {"looked_at": 2, "removed": 84, "finished": 1, "failed": 0, "more": False},
                description="It was done.",
            )
        ],
    ),
]
