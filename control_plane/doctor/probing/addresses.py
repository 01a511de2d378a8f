"""Asks for the bucket: without a signature, with ours, and with a forged one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from control_plane.doctor.asking import Asker
from control_plane.doctor.judging.addresses import PermissionsSeen, SignaturesSeen
from control_plane.doctor.judging.clocks import Reading
from control_plane.doctor.probing.visit import Visit
from control_plane.doctor.seen import Answer, Outcome
from control_plane.doctor.signing import Signing
from control_plane.domain.keys import DEPLOYMENT_KEY


async def reached(asker: Asker, signing: Signing) -> Outcome:
    """The answer to an unsigned GET of the bucket."""
    return await asker.ask(signing.unsigned("GET", ""))


async def read_clock(asker: Asker, signing: Signing, clock: Callable[[], datetime]) -> Reading | None:
    """The store's clock by its Date header (RFC 9110, 6.6.1: whole seconds)."""
    asked_at = clock()
    answer = await asker.ask(signing.unsigned("GET", ""))
    answered_at = clock()
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]) if isinstance(answer, Answer) else None
    except (KeyError, ValueError):
        return None
    if theirs is None or theirs.tzinfo is None:
        return None
    return Reading(asked_at, answered_at, theirs, resolution=timedelta(seconds=1))


async def absent_object(visit: Visit) -> Outcome:
    """The answer to a signed GET of an object that is not there."""
    return await visit.asker.ask(visit.inside.get(visit.key("absent")))


async def permissions(visit: Visit) -> PermissionsSeen:
    """The calls that the control plane itself makes."""
    key, body = visit.key("permissions"), visit.body("permissions")
    return PermissionsSeen(
        list=await visit.asker.ask(visit.inside.get("")),
        put=await visit.asker.ask(visit.inside.put(key, body, overwrite=True)),
        head=await visit.asker.ask(visit.inside.head(key)),
        get=await visit.asker.ask(visit.inside.get(key)),
        delete=await visit.asker.ask(visit.inside.delete(key)),
    )


async def signatures(visit: Visit) -> SignaturesSeen:
    """What somebody without keys would try."""
    key, body = visit.key("signatures"), visit.body("signatures")
    await visit.asker.ask(visit.inside.put(key, body, overwrite=True))
    return SignaturesSeen(
        unsigned_get=await visit.asker.ask(visit.inside.unsigned("GET", key)),
        unsigned_put=await visit.asker.ask(visit.inside.unsigned("PUT", visit.key("unsigned"), body)),
        forged_get=await visit.asker.ask(visit.forged.get(key)),
    )


async def marker(visit: Visit) -> Outcome:
    """The deployment marker, as the control plane reads it."""
    return await visit.asker.ask(visit.inside.get(DEPLOYMENT_KEY))
