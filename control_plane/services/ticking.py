"""Whose turn it is: replicas with the same clock do each thing of it once, whoever claims it first.

That only saves work. What is done may be done twice at once without harm, and rests on no claim.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from control_plane.db.work import WorkStore


class TickService:
    """Claims turns in the database, by its clock."""

    def __init__(self, work: WorkStore) -> None:
        self._work = work

    def claimed(
        self, name: str, every: timedelta, run: Callable[[], Awaitable[object]]
    ) -> Callable[[], Awaitable[object]]:
        """`run` for the one caller that is first in each interval, and nothing for the others."""

        async def if_claimed() -> object:
            return await run() if await self._work.claim(name, every) else None

        return if_claimed
