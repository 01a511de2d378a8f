"""Asks as a page would: preflights first, then the call itself with its origin."""

from dataclasses import replace

from control_plane.doctor.asking import Request
from control_plane.doctor.judging.cors import GET_HEADERS, PUT_HEADERS, CorsSeen
from control_plane.doctor.probing.visit import Visit
from control_plane.doctor.seen import Outcome


async def from_page(visit: Visit, origin: str, number: int) -> CorsSeen:
    """All that a page of `origin` sends to the bucket."""
    key = visit.key(f"cors/{number}")
    put, get = visit.outside.put(key, visit.body("cors")), visit.outside.get(key)
    return CorsSeen(
        origin=origin,
        put_preflight=await visit.asker.ask(_preflight(put, origin, PUT_HEADERS)),
        put=await visit.asker.ask(_from(put, origin)),
        get_preflight=await visit.asker.ask(_preflight(get, origin, GET_HEADERS)),
        get=await visit.asker.ask(_from(replace(get, headers={"range": "bytes=0-3"}), origin)),
    )


async def from_stranger(visit: Visit, origin: str) -> Outcome:
    """The preflight of a page that nobody listed."""
    put = visit.outside.put(visit.key("cors/stranger"), visit.body("cors"))
    return await visit.asker.ask(_preflight(put, origin, PUT_HEADERS))


def _preflight(request: Request, origin: str, names: tuple[str, ...]) -> Request:
    asked = {
        "origin": origin,
        "access-control-request-method": request.method,
        "access-control-request-headers": ",".join(names),  # lower case, sorted: as browsers send them
    }
    return Request("OPTIONS", request.url, asked)


def _from(request: Request, origin: str) -> Request:
    return replace(request, headers={**request.headers, "origin": origin})
