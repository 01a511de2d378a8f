"""Health: asks each part, and says which one does not answer."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Literal

from control_plane.db.database import DatabaseReadOnly, DatabaseUnreachable
from control_plane.db.deployment import DeploymentStore
from control_plane.domain.bucket import Bucket, BucketUnreachable

# A part that takes longer does not serve recorders either.
PART_TIMEOUT_S = 3.0
# Anybody may ask; the parts are asked at most once in this time.
KEEP_S = 0.5


Part = Literal["ok", "unreachable", "read_only"]
"""How a part is; `read_only`: the database answers, and takes no writes."""


@dataclass(frozen=True, slots=True)
class Health:
    """How each part is."""

    storage: Part
    database: Part

    @property
    def healthy(self) -> bool:
        return self.storage == self.database == "ok"


class HealthService:
    """Asks bucket and database side by side."""

    def __init__(self, deployment: DeploymentStore, bucket: Bucket) -> None:
        self._deployment = deployment
        self._bucket = bucket
        self._asking: asyncio.Task[Health] | None = None
        self._asked_at = 0.0

    async def check(self) -> Health:
        """The parts' health, at most half a second old."""
        now = time.monotonic()
        if self._asking is None or (self._asking.done() and now - self._asked_at > KEEP_S):
            self._asking, self._asked_at = asyncio.create_task(self._ask()), now
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Health:
        storage, database = await asyncio.gather(_answers(self._bucket.probe()), _answers(self._deployment.ping()))
        return Health(storage, database)


async def _answers(probe: Coroutine[None, None, None]) -> Part:
    asking = asyncio.create_task(probe)
    # Not wait_for: it would also wait for the cancelled probe, and a driver asks a hanging server to cancel for seconds.
    done, _ = await asyncio.wait({asking}, timeout=PART_TIMEOUT_S)
    if not done:
        asking.cancel()
        return "unreachable"
    try:
        await asking
    except DatabaseReadOnly:
        return "read_only"
    except (BucketUnreachable, DatabaseUnreachable):
        return "unreachable"
    return "ok"
