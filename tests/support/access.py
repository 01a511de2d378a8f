"""Who may make which call: every route of the application, by hand, so that a new one is a decision.

A route that is not in `ROUTES` fails `tests/unit/test_access.py`; `tests/integration/test_access.py` makes every call of it
as nobody, as a forger, as another owner and without the scope.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from control_plane.api.auth import ADMIN, RECORD

# In a body: the recording that the call is about.
ID = "{id}"
_PLACEHOLDER = re.compile(r"\{(\w+)(?::\w+)?\}")
_CLAIM = {"seq": 0, "segment": 0, "size": 1, "sha256": "a" * 64}
_BEAT = {"recorder_id": str(uuid4()), "counter": 1, "sdk": "", "storage": {}, "holding": []}


@dataclass(frozen=True, slots=True)
class Access:
    """What a call asks of who makes it. `scope` None: nothing. `body` is one that is taken, if there must be one.

    `strangers` is what another owner's recording is answered with: status and code. `by_link`: whoever has the link may.
    """

    scope: str | None
    body: Mapping[str, Any] | None = None
    strangers: tuple[int, str] | None = None
    embedded_only: bool = False
    by_link: bool = False


OPEN = Access(None)
UNKNOWN = (404, "recording_unknown")
NO_DOWNLOAD = (404, "download_unknown")

ROUTES: Mapping[str, Access] = {
    "GET /v1/recordings": Access(RECORD),
    "PUT /v1/recordings/{id:uuid}": Access(
        RECORD,
        {"recorder_id": str(uuid4()), "source": "recorder", "mime_type": "video/webm"},
        # Ids are chosen by recorders: that one is taken is all that may be said.
        strangers=(409, "recording_conflict"),
    ),
    "GET /v1/recordings/{id:uuid}": Access(RECORD, strangers=UNKNOWN),
    "GET /v1/recordings/{id:uuid}/chunks": Access(RECORD, strangers=UNKNOWN),
    "POST /v1/recordings/{id:uuid}/grants": Access(RECORD, {"chunks": [_CLAIM]}, strangers=UNKNOWN),
    "POST /v1/recordings/{id:uuid}/acks": Access(RECORD, {"acks": [{"seq": 0}]}, strangers=UNKNOWN),
    "POST /v1/recordings/{id:uuid}/complete": Access(RECORD, {"chunk_count": 1, "total_bytes": 100}, strangers=UNKNOWN),
    "DELETE /v1/recordings/{id:uuid}": Access(RECORD, strangers=UNKNOWN),
    "PUT /v1/recordings/{id:uuid}/share": Access(RECORD, {"expires_at": None}, strangers=UNKNOWN),
    "DELETE /v1/recordings/{id:uuid}/share": Access(RECORD, strangers=UNKNOWN),
    "GET /v1/shares/{share_id:str}": Access(None, by_link=True),
    "GET /v1/shares/{share_id:str}/chunks": Access(None, by_link=True),
    "GET /v1/downloads": Access(RECORD),
    "POST /v1/downloads": Access(RECORD, {"recordings": [ID]}, strangers=UNKNOWN),
    "POST /v1/downloads/check": Access(RECORD, {"recordings": [str(uuid4())]}),
    "GET /v1/downloads/events": Access(RECORD),
    "GET /v1/downloads/{id:uuid}": Access(RECORD, strangers=NO_DOWNLOAD),
    "DELETE /v1/downloads/{id:uuid}": Access(RECORD, strangers=NO_DOWNLOAD),
    "GET /v1/downloads/{id:uuid}/file": Access(RECORD, strangers=NO_DOWNLOAD),
    "GET /v1/downloads/{id:uuid}/events": Access(RECORD, strangers=NO_DOWNLOAD),
    "POST /v1/heartbeat": Access(RECORD, _BEAT),
    "GET /v1/me": Access(RECORD),
    "POST /v1/session": Access(None, embedded_only=True),
    "GET /v1/admin/owners": Access(ADMIN),
    "PUT /v1/admin/owners/{owner:path}/quota": Access(ADMIN, {"limit_bytes": 1}),
    "POST /v1/admin/quotas/recount": Access(ADMIN),
    "POST /v1/admin/expire": Access(ADMIN),
    "GET /v1/admin/deletions": Access(ADMIN),
    "POST /v1/admin/purge": Access(ADMIN),
    "POST /v1/admin/manifests": Access(ADMIN),
    "GET /v1/admin/overview": Access(ADMIN),
    "GET /v1/admin/tickets": Access(ADMIN),
    "GET /v1/admin/at-risk": Access(ADMIN),
    "POST /v1/admin/releases/freeze": Access(ADMIN),
    "POST /v1/admin/releases/thaw": Access(ADMIN),
    "GET /v1/admin/events": Access(ADMIN),
    "GET /v1/admin/sweeps": Access(ADMIN),
    "POST /v1/admin/sweeps": Access(ADMIN, {"kind": "confirm", "dry_run": True}),
    "GET /v1/admin/sweeps/{id:uuid}": Access(ADMIN),
    "GET /openapi.json": OPEN,
    "GET /metrics": OPEN,
    "GET /health": OPEN,
    "GET /health/live": OPEN,
    "GET /health/ready": OPEN,
    "GET /": OPEN,
    "GET /docs": OPEN,
    "GET /docs/": OPEN,
    "GET /recordings": OPEN,
    "GET /recordings/{rest:path}": OPEN,
    "GET /s/{share_id}": OPEN,
    "GET /downloads": OPEN,
    "GET /assets/…": OPEN,
}


def path_of(route: str, recording_id: UUID | str) -> str:
    """The route's path with its placeholders filled in."""
    values = {"id": str(recording_id), "owner": "alice", "rest": str(recording_id), "share_id": "none"}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], route.partition(" ")[2])


def filled(body: Mapping[str, Any], recording_id: object) -> bytes:
    """The body as it is sent, about this recording."""
    return json.dumps(body).replace(ID, str(recording_id)).encode()
