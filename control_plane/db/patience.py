"""How long anybody waits for the database, whatever the server does: one that hangs sends no timeout either.

A request waits so long in all, however many statements it makes; other work waits so long for each.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Half of what the SDK waits for an answer: time is left for what a call does besides, and for the answer itself.
REQUEST_S = 15.0
# Longer than the server lets a statement run: where not even its refusal comes, it hangs.
WORK_S = 75.0


class _Patience:
    """What is left of it; it wears off while somebody waits."""

    __slots__ = ("left_s",)

    def __init__(self, left_s: float) -> None:
        self.left_s = left_s


_of_request: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def within_request() -> Iterator[None]:
    """Whatever waits for the database inside waits no longer in all than a request may."""
    token = _of_request.set(_Patience(REQUEST_S))
    try:
        yield
    finally:
        _of_request.reset(token)


@contextmanager
def waiting() -> Iterator[float]:
    """The running loop's time at which to give up; how long it takes to leave is what was waited."""
    patience = _of_request.get() or _Patience(WORK_S)
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        yield began + patience.left_s
    finally:
        patience.left_s -= clock() - began
