"""What every probe needs: the bucket seen from inside and outside, a place to write to, and a deadline for blocking calls."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from control_plane.bucket.inspecting import BucketInspector
from control_plane.bucket.s3 import S3Bucket
from control_plane.doctor.asking import Asker
from control_plane.doctor.seen import Outcome, Place
from control_plane.doctor.signing import Signing

DOCTOR_PREFIX = "meta/doctor/"
"""Everything that doctor writes lies under here: no audit lists it (chunks are under `v1/`), and no rebuild reads it."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit. `inside` signs for the control plane's address, `outside` for the browsers', `forged` with a wrong secret."""

    place: Place
    asker: Asker
    inside: Signing
    outside: Signing
    forged: Signing
    inspector: BucketInspector
    listing: S3Bucket
    prefix: str

    def key(self, name: str) -> str:
        """A key of this visit's own."""
        return f"{self.prefix}{name}"

    def body(self, name: str) -> bytes:
        """Some bytes, of one length for all names, that no other visit and no other name has."""
        return f"safereel doctor {self.prefix} {name:>20}".encode()

    async def stored(self, key: str) -> Outcome:
        """HEAD at the control plane's own address: whether something lies there."""
        return await self.asker.ask(self.inside.head(key))


def own_prefix() -> str:
    """A new place for one visit."""
    return f"{DOCTOR_PREFIX}{uuid4()}/"


async def in_thread(call: Callable[[], Result]) -> Result:
    """Runs a blocking call in a thread that the process does not wait for at its end: nothing that hangs hangs doctor."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None only if the call answered it

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as exc:  # noqa: BLE001 - handed to who waits
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await future
