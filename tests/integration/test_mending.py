"""What sees to the other statements, and sums over reports: neither is led astray by what is over."""

from datetime import timedelta
from uuid import UUID

import pytest

from control_plane.domain.work import Shards, cut
from tests.integration.test_sweeps import recorded
from tests.support.plane import Running

pytestmark = pytest.mark.anyio


async def test_what_is_being_deleted_does_not_keep_others_from_their_tickets(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.services.tickets.JUDGED_A_RUN", 1)
    async with running.recorder() as one, running.recorder() as two:
        first, second = sorted([one, two], key=lambda recorder: UUID(recorder.recording_id))
        for recorder in (first, second):
            await recorder.start()
            await recorder.send([recorder.chunk(0)])
        await running.sql("update chunks set state = 'missing'")
        await first.delete()
        run = await running.plane.services.tickets.run()
        assert run.mended == 1
        assert await running.sql("select recording_id from tickets") == [{"recording_id": UUID(second.recording_id)}]


async def test_unknown_keys_count_once_however_the_bucket_is_cut(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        key = await running.key_of(recorder, 0)
        for seq in range(4, 9):
            await running.put_over(key.replace("/00000000-", f"/{seq:08d}-"), b"not what the key says")

        async def seen() -> tuple[int, int]:
            unknown = await running.plane.services.freezing._freezes.unknown(timedelta(hours=1))
            return unknown.unknown, unknown.looked_at

        await running.plane.audit.run()
        assert await seen() == (5, 4)
        (part,) = [part for part in cut(range(256), 16) if f"/{part.first:02x}/"[1] == key[3]]
        await running.plane.audit.run(shards=part)
        assert await seen() == (5, round(4 + 4 * 240 / 256)), "chunks looked at are told for the whole part alone"
        for other in cut(range(256), 16):
            await running.plane.audit.run(shards=other)
        assert await seen() == (5, 4)
        await running.plane.audit.run(shards=Shards(0, 255))
        assert await seen() == (5, 4)
