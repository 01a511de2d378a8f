"""The right bucket: `meta/deployment.json` says whose it is, and a sweep believes no other.

Measured: SeaweedFS shutting down answers 404 for objects that exist, and a HEAD in a bucket that does not exist is a 404
too. Absence counts only in a bucket that has just shown this deployment's marker.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from control_plane.db.deployment import DeploymentStore
from control_plane.domain.bucket import Bucket, ObjectExists
from control_plane.domain.keys import DEPLOYMENT_KEY

# The marker is some 80 bytes; anything much longer is not ours.
MARKER_LIMIT = 4_096

StillOurs: TypeAlias = Callable[[], Awaitable[None]]
"""Returns if the bucket is the right one at this moment, else raises: for whoever writes what it has just seen there."""

_log = logging.getLogger(__name__)


class WrongBucket(Exception):
    """The bucket is not (provably) this deployment's; the message says what was seen."""


class DeploymentService:
    """Marks a fresh bucket, and checks the mark."""

    def __init__(self, deployment: DeploymentStore, bucket: Bucket) -> None:
        self._deployment = deployment
        self._bucket = bucket

    async def claim_bucket(self, *, begins: bool = False) -> UUID:
        """Marks the bucket as this deployment's, where it bears no mark yet; answers the deployment's id.

        `begins`: the control plane was down, and nobody knows what was done to the bucket meanwhile. What was confirmed before is
        released only once it was seen there again.

        Raises `WrongBucket` where it bears another's, or bears none although chunks were acked already (then it is not
        the bucket they are in), and `BucketUnreachable`.
        """
        if begins:
            await self._deployment.doubt()
        deployment_id = await self._deployment.id()
        body = await self._bucket.read(DEPLOYMENT_KEY, limit=MARKER_LIMIT)
        if body is None:
            if not await self._deployment.ledger_is_empty():
                raise WrongBucket(
                    f"The ledger has acknowledged chunks, but the bucket has no {DEPLOYMENT_KEY}: it is not the bucket they are "
                    "in, or it was emptied. Check S3_ENDPOINT and S3_BUCKET_NAME; if it was emptied, say so: `safereel provision "
                    "--emptied`."
                )
            await self._mark(deployment_id)
        elif marked_id(body) not in {None, deployment_id} and await self._deployment.ledger_is_empty():
            raise WrongBucket(
                f"{DEPLOYMENT_KEY} names the deployment {marked_id(body)}, and this database is an empty one of {deployment_id}. "
                "Check DATABASE_URL, S3_ENDPOINT and S3_BUCKET_NAME; if the database was lost and this is a new one, make the "
                "ledger anew: `safereel rebuild`."
            )
        await self.require(deployment_id)
        return deployment_id

    async def ledger_is_empty(self) -> bool:
        """Whether the database knows of no chunk that a bucket should have."""
        return await self._deployment.ledger_is_empty()

    async def mark_again(self) -> bool:
        """Marks a bucket that was emptied as this deployment's, on somebody's word; whether it bore no mark.

        Raises `WrongBucket` where it bears another's, and `BucketUnreachable`.
        """
        # Before the mark is there, and sweeps believe it: whatever was confirmed was confirmed in the bucket that is gone.
        await self._deployment.doubt()
        deployment_id = await self._deployment.id()
        unmarked = await self._bucket.read(DEPLOYMENT_KEY, limit=MARKER_LIMIT) is None
        if unmarked:
            await self._mark(deployment_id)
        await self.require(deployment_id)
        return unmarked

    async def require(self, deployment_id: UUID) -> None:
        """Returns if the bucket bears this deployment's mark now. Raises `WrongBucket`, `BucketUnreachable`."""
        body = await self._bucket.read(DEPLOYMENT_KEY, limit=MARKER_LIMIT)
        if body is None:
            raise WrongBucket(f"The bucket has no {DEPLOYMENT_KEY}.")
        if marked_id(body) != deployment_id:
            raise WrongBucket(f"{DEPLOYMENT_KEY} names another deployment than this database's {deployment_id}.")

    async def _mark(self, deployment_id: UUID) -> None:
        body = json.dumps({"version": 1, "deployment_id": str(deployment_id)}).encode()
        try:
            await self._bucket.write(DEPLOYMENT_KEY, body, content_type="application/json", overwrite=False)
        except ObjectExists:
            _log.info("Another process marked the bucket first")


def marked_id(body: bytes) -> UUID | None:
    """The deployment id that a marker names, None where it is not one."""
    try:
        return UUID(json.loads(body)["deployment_id"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
