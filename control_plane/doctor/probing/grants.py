"""Uses grants as they are meant, and as they are not."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from control_plane.doctor.judging.grants import GrantedPut, Refusal, SecondWrite
from control_plane.doctor.probing.visit import Visit
from control_plane.doctor.seen import Outcome

# Enough to overlap in a store, few enough for a small one.
WRITERS = 8
# Beyond what clocks that were read differ by.
OVERDUE = timedelta(minutes=1)


async def granted_put(visit: Visit) -> GrantedPut:
    """A grant, used."""
    key = visit.key("put")
    answer = await visit.asker.ask(visit.outside.put(key, visit.body("put")))
    return GrantedPut(answer, await visit.stored(key))


async def other_bytes(visit: Visit) -> Refusal:
    """Bytes of the right length and the wrong content."""
    key = visit.key("digest")
    request = visit.outside.put(key, visit.body("swapped"), granted=visit.body("granted"))
    return await _refusal(visit, "other bytes", key, await visit.asker.ask(request))


async def other_lengths(visit: Visit) -> list[Refusal]:
    """Too few bytes, and too many."""
    body = visit.body("length")
    bodies = {"shorter": body[:-1], "longer": body + b"!"}
    return [
        await _refusal(
            visit,
            name,
            visit.key(name),
            await visit.asker.ask(visit.outside.put(visit.key(name), sent, granted=body)),
        )
        for name, sent in bodies.items()
    ]


async def other_key(visit: Visit) -> Refusal:
    """A grant for one key, sent to another."""
    granted, other = visit.key("key/granted"), visit.key("key/another")
    request = visit.outside.put(granted, visit.body("key"))
    moved = replace(request, url=request.url.replace("key/granted", "key/another", 1))
    return await _refusal(visit, "another key", other, await visit.asker.ask(moved))


async def expired(visit: Visit, offset: timedelta) -> Refusal:
    """A grant that ended a minute ago by the bucket's clock, which is `offset` ahead of ours."""
    key = visit.key("expiry")
    at = visit.outside.clock() + offset - visit.outside.grant_ttl - OVERDUE
    request = visit.outside.put(key, visit.body("expiry"), at=at)
    return await _refusal(visit, "expired", key, await visit.asker.ask(request))


async def second_write(visit: Visit, name: str, *, overwrite: bool) -> SecondWrite:
    """Two writes to one key; the second may overwrite or not."""
    key, first, second = visit.key(name), visit.body(f"{name} first"), visit.body(f"{name} second")
    return SecondWrite(
        first=await visit.asker.ask(visit.outside.put(key, first)),
        second=await visit.asker.ask(visit.outside.put(key, second, overwrite=overwrite)),
        kept=await visit.asker.ask(visit.inside.get(key)),
        first_body=first,
        second_body=second,
    )


async def racing_writes(visit: Visit) -> list[Outcome]:
    """Several writers with different bytes and one key, at once."""
    key = visit.key("race")
    requests = [visit.outside.put(key, visit.body(f"race {number}")) for number in range(WRITERS)]
    return list(await asyncio.gather(*(visit.asker.ask(request) for request in requests)))


async def _refusal(visit: Visit, what: str, key: str, answer: Outcome) -> Refusal:
    return Refusal(what, answer, await visit.stored(key))
