"""Writes objects and looks at them the way acks, sweeps and players do."""

from control_plane.doctor.judging.objects import RANGE_FROM, RANGE_TO, Listed, Looked
from control_plane.doctor.probing.visit import Visit
from control_plane.doctor.seen import Answer, Silence
from control_plane.domain.bucket import BucketUnreachable


async def looked_at(visit: Visit) -> Looked | Silence:
    """One object: HEAD, and a GET with a range. `Silence` if it could not be written."""
    key, body = visit.key("object"), visit.body("object")
    put = await visit.asker.ask(visit.outside.put(key, body, overwrite=True))
    if not isinstance(put, Answer):
        return put
    return Looked(
        body=body,
        put=put,
        head=await visit.stored(key),
        ranged=await visit.asker.ask(visit.outside.get(key, {"range": f"bytes={RANGE_FROM}-{RANGE_TO}"})),
    )


async def listed(visit: Visit) -> Listed:
    """Two folders whose names begin alike, listed by what sweeps list with."""
    prefix = visit.key("list/a/")
    written = [f"{prefix}1", f"{prefix}2", f"{prefix}3", visit.key("list/ab/1")]
    for key in written:
        await visit.asker.ask(visit.inside.put(key, visit.body("list"), overwrite=True))
    try:
        whole = [found.key async for page in visit.listing.list_pages(prefix) for found in page]
        later = [found.key async for page in visit.listing.list_pages(prefix, start_after=written[0]) for found in page]
    except BucketUnreachable as exc:
        return Listed(prefix, written, [], written[0], [], failed=str(exc))
    return Listed(prefix, written, whole, written[0], later)
