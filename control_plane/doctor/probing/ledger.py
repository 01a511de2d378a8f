"""Asks the database: one connection, nothing written."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from uuid import UUID

from control_plane.db.inspecting import Inspection, ServerFacts
from control_plane.db.migrations import Comparison, compare, migrations
from control_plane.doctor.judging.clocks import Reading

# Enough for a median that one hiccup does not move.
ROUND_TRIPS = 15


@dataclass(frozen=True, slots=True)
class LedgerSeen:
    """All that was asked. `deployment`, `schema` and `queue` are None where no migration was ever applied."""

    facts: ServerFacts
    clock: Reading
    why_no_temp: str
    withheld: list[str]
    schema: Comparison | None
    queue: Sequence[str] | None
    deployment: tuple[UUID, bool] | None
    median_ms: float


async def look(url: str, clock: Callable[[], datetime]) -> LedgerSeen:
    """Raises `DatabaseUnreachable`."""
    async with Inspection.open(url) as server:
        asked_at = clock()
        theirs = await server.clock()
        reading = Reading(asked_at, clock(), theirs)
        applied = await server.applied()
        schema = None if applied is None else compare(migrations(), applied)
        return LedgerSeen(
            facts=await server.facts(),
            clock=reading,
            why_no_temp=await server.why_no_temp_tables(),
            withheld=list(await server.tables_withheld()),
            schema=schema,
            queue=await server.queue_applied(),
            deployment=await server.deployment() if applied else None,
            median_ms=await _median_ms(server),
        )


async def _median_ms(server: Inspection) -> float:
    took = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        await server.clock()
        took.append((time.perf_counter() - start) * 1_000)
    return median(took)
