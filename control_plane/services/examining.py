"""Looking at acked chunks once more by HEAD, many at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.domain.findings import Finding
from control_plane.domain.judging import judge_again
from control_plane.domain.models import Chunk, Verdict
from control_plane.services.looking import Looker


@dataclass(frozen=True, slots=True)
class Examined:
    """Chunks that were looked at: seen as they should be (with the ETag shown), not so, and not reached."""

    right: Sequence[tuple[Chunk, str]]
    findings: Sequence[Finding]
    unreachable: int


async def examine(looker: Looker, chunks: Sequence[Chunk]) -> Examined:
    """HEADs each chunk and judges what was seen; a HEAD that failed concludes nothing."""
    sights = await asyncio.gather(*(looker.look(chunk) for chunk in chunks))
    right: list[tuple[Chunk, str]] = []
    findings: list[Finding] = []
    unreachable = 0
    for chunk, sight in zip(chunks, sights, strict=True):
        if not sight.reached:
            unreachable += 1
            continue
        verdict = judge_again(chunk, sight.head)
        if verdict is Verdict.MATCH and sight.head is not None:
            right.append((chunk, sight.head.etag))
        else:
            findings.append(Finding(chunk, verdict))
    return Examined(right, findings, unreachable)
