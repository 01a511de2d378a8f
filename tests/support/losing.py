"""Recorders that drop what they held, or fall silent, and what becomes of their tickets."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from control_plane.services.tickets import TicketRun
from tests.support.plane import Running
from tests.support.recorder import Beat, Chunk, Recorder
from tests.support.tickets import asked_for

SILENT = timedelta(days=7.1)


async def judge(running: Running) -> TicketRun:
    return await running.plane.services.tickets.run()


async def ends(running: Running) -> list[dict[str, Any]]:
    """How tickets stand, in the order in which they were opened."""
    return await running.sql("select seq, state, cause, reopened from tickets order by opened_at, seq")


async def told(running: Running) -> list[tuple[str, int, str | None]]:
    rows = await running.sql("select kind, seq, cause from events order by id")
    return [(row["kind"], row["seq"], row["cause"]) for row in rows]


async def says_gone(recorder: Recorder, chunks: Sequence[Chunk], seq: int) -> None:
    """It is asked for a chunk, and has dropped it."""
    (ticket,) = [ticket for ticket in (await recorder.beat(chunks)).tickets if ticket.seq == seq]
    await recorder.beat([chunk for chunk in chunks if chunk.seq != seq], gone=[ticket.id])


async def silent_for(running: Running, recorder: Recorder, time: timedelta) -> None:
    await running.sql(
        "update recorders set last_beat_at = now() - %(time)s where id = %(id)s",
        {"time": time, "id": recorder.recorder_id},
    )


async def used(running: Running) -> int:
    (row,) = await running.sql("select used_bytes from owners where id = 'alice'")
    drifted = await running.plane.services.quotas.recount_all()
    assert not drifted, "the counters are what the ledger holds"
    found: int = row["used_bytes"]
    return found


async def send_again(recorder: Recorder, beat: Beat, chunks: Sequence[Chunk]) -> None:
    for ticket in beat.tickets:
        put = await recorder.put(ticket, chunks[ticket.seq])
        (ack,) = await recorder.ack([(ticket.seq, put.etag)])
        assert ack.verdict == "match"


async def lose(running: Running, recorder: Recorder, chunks: Sequence[Chunk], seq: int) -> None:
    await asked_for(running, recorder, [seq])
    await says_gone(recorder, chunks, seq)
    assert [ticket.seq for ticket in (await judge(running)).lost] == [seq]
