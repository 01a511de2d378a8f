"""A file that is uploaded goes the way of any recording: asked for again, lost, back again, and made anew from the bucket."""

import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import QUOTAS, beside_an_empty_ledger, rebuild
from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

SIZE, COUNT = 3_000, 5
DESCRIBED = """
select owner, recorder_id, source, mime_type, title, expected_bytes, share_id, state, chunk_count, total_bytes from recordings
"""
CHUNKS = "select seq, segment, size, sha256, state from chunks order by seq"


async def uploaded(recorder: Recorder) -> list[Chunk]:
    await recorder.start(source="file", mime_type="video/mp4", title="holiday.mp4", expected_bytes=SIZE * COUNT)
    chunks = [recorder.chunk(seq, size=SIZE) for seq in range(COUNT)]
    await recorder.send(chunks)
    return chunks


async def vanished(running: Running, recorder: Recorder, seq: int) -> None:
    """The bucket has lost it, and two audits have seen that."""
    await running.delete_object(await running.key_of(recorder, seq))
    await running.plane.audit.run()
    await running.plane.audit.run()


async def test_from_its_loss_to_its_return(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    async with running.recorder() as recorder:
        chunks = await uploaded(recorder)
        await running.plane.confirm.run()

        await vanished(running, recorder, 1)
        (ticket,) = (await recorder.beat(chunks)).tickets
        put = await recorder.put(ticket, chunks[1])
        (ack,) = await recorder.ack([(1, put.etag)])
        assert ack.verdict == "match"

        await vanished(running, recorder, 3)
        (ticket,) = (await recorder.beat(chunks)).tickets
        await recorder.beat([chunk for chunk in chunks if chunk.seq != 3], gone=[ticket.id])
        await running.plane.services.tickets.run()
        assert (await recorder.status()).lost == [[3, 3]]
        assert (await recorder.complete(chunks, accept_lost=True)).complete
        assert (await running.plane.services.manifests.run()).written == 1
        await running.plane.confirm.run()

        before, quotas = await running.sql(DESCRIBED), await running.sql(QUOTAS)
        assert (before[0]["source"], before[0]["expected_bytes"]) == ("file", SIZE * COUNT)
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.whole, rebuilt.completed, rebuilt.missing) == (True, 1, 0)
            assert await anew.sql(DESCRIBED) == before
            assert await anew.sql(QUOTAS) == quotas
            await anew.plane.confirm.run()
            assert await anew.sql(CHUNKS) == await running.sql(CHUNKS)

            recorder.move_to(anew.endpoint)
            (ticket,) = (await recorder.beat([chunks[3]], more_to_come=False)).tickets  # the file was chosen again
            put = await recorder.put(ticket, chunks[3])
            (ack,) = await recorder.ack([(3, put.etag)])
            assert ack.verdict == "match"
            await anew.plane.confirm.run()
            status = await recorder.status()
            assert (status.confirmed, status.lost, status.open_tickets) == ([[0, COUNT - 1]], [], 0)
            assert (await anew.plane.audit.run()).detail["discrepancies"] == {}
            assert not await anew.plane.services.quotas.recount_all()
