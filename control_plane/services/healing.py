"""Healing: before a recorder is asked to send a chunk again, the bucket is asked for the bytes that it may still have.

A delete marker is taken away, an older version is copied over what is wrong: nothing is removed but markers, and only a
version whose bytes were read and have the chunk's digest is brought back.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.db.repairs import RepairStore
from control_plane.domain.bucket import Bucket, BucketUnreachable, KeptVersion, ObjectVersion, VersionsHidden
from control_plane.domain.findings import Finding
from control_plane.domain.healing import Remedy, remedies
from control_plane.domain.models import Chunk
from control_plane.services.at_once import at_once
from control_plane.services.deployment import StillOurs
from control_plane.services.proving import Prover, key_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Healing:
    """What became of findings: healed (in a dry run: could be), and those that nothing in the bucket helps."""

    healed: int
    left: Sequence[Finding]


class HealService:
    """Heals chunks that sweeps have seen missing or damaged."""

    def __init__(self, repairs: RepairStore, bucket: Bucket, prover: Prover) -> None:
        self._repairs = repairs
        self._bucket = bucket
        self._prover = prover

    async def heal(self, findings: Sequence[Finding], ours: StillOurs, *, dry_run: bool) -> Healing:
        """Tries each of them. What cannot be healed, for whatever reason, is left for a resend ticket.

        `ours` is asked before bucket or ledger are changed; raises what it raises.

        Idempotent: a chunk that was healed a moment ago by another sweep is seen to be right, and left alone.
        """
        # Whoever was deleted meanwhile stays deleted: what is copied after that is the purge's, which looks again later.
        alive = await self._repairs.alive({finding.chunk.recording_id for finding in findings})
        tried = [finding for finding in findings if finding.chunk.recording_id in alive]
        helped = await at_once(lambda finding: self._help(finding.chunk, ours, dry_run=dry_run), tried)
        cured = {
            (finding.chunk.recording_id, finding.chunk.seq)
            for finding, was_helped in zip(tried, helped, strict=True)
            if was_helped
        }
        if dry_run:
            return Healing(len(cured), _without(findings, cured))
        chunks = [finding.chunk for finding in tried if (finding.chunk.recording_id, finding.chunk.seq) in cured]
        proven = await self._prover.proven(chunks)
        await ours()  # nor is anybody asked for what another bucket does not have
        # What reads right and no HEAD bears out would be tried for ever, and nobody asked for it.
        left = _without(findings, {(chunk.recording_id, chunk.seq) for chunk, _ in proven})
        return Healing(await self._repairs.healed(proven) if proven else 0, left)

    async def _help(self, chunk: Chunk, ours: StillOurs, *, dry_run: bool) -> bool:
        """Whether the chunk's bytes lie under its key now (in a dry run: could)."""
        key = key_of(chunk)
        try:
            for remedy in remedies(await self._bucket.history(key), size=chunk.size):
                if await self._holds(chunk, remedy.version):
                    await ours()
                    if not dry_run:
                        await self._apply(key, remedy)
                    return True
        except VersionsHidden:
            pass  # nothing but what a GET shows is to be had: the recorder is asked
        except BucketUnreachable as exc:
            _log.warning("A chunk could not be healed; its recorder is asked", extra={"key": key, "cause": str(exc)})
        return False

    async def _holds(self, chunk: Chunk, version: KeptVersion) -> bool:
        try:
            return await self._prover.holds(chunk, version_id=version.version_id)
        except BucketUnreachable as exc:
            # One version that cannot be read says nothing of those before it.
            _log.warning("A version could not be read", extra={"key": key_of(chunk), "cause": str(exc)})
            return False

    async def _apply(self, key: str, remedy: Remedy) -> None:
        if remedy.markers:
            refused = await self._bucket.remove([ObjectVersion(key, marker) for marker in remedy.markers])
            if not refused:
                return
        if not remedy.is_current:
            await self._bucket.restore(key, remedy.version.version_id)


def _without(findings: Sequence[Finding], cured: Collection[tuple[UUID, int]]) -> Sequence[Finding]:
    return [finding for finding in findings if (finding.chunk.recording_id, finding.chunk.seq) not in cured]
