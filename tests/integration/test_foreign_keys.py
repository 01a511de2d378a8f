"""What others put among the chunks: it is told of, stops no audit, and hides nothing."""

import pytest

from tests.integration.test_rebuilding import rebuild
from tests.integration.test_sweeps import recorded, tickets
from tests.support.plane import Running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("odd", ["v1/00/a\nb", "v1/ff/\x01", "v1/zz"], ids=ascii)
async def test_a_key_of_any_form_stops_no_audit(running: Running, odd: str) -> None:
    async with recorded(running) as (recorder, _):
        await running.delete_object(await running.key_of(recorder, 1))
        await running.put_over(odd, b"somebody's")

        first = await running.plane.audit.run()
        assert (first.outcome, first.detail["unexpected"], first.detail["samples"]) == (
            "decided",
            {"foreign": 1},
            [odd],
        )
        await running.plane.audit.run()
        assert [ticket["seq"] for ticket in await tickets(running)] == [1]

        rebuilt = await rebuild(running)
        assert (rebuilt.objects, rebuilt.known, rebuilt.foreign) == (4, 3, 1)


async def test_a_folder_of_a_chunks_name_is_not_the_chunk(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        key = await running.key_of(recorder, 1)
        await running.put_over(f"{key}/", b"somebody's")
        report = await running.plane.audit.run()
        assert (report.detail["unexpected"], report.detail["samples"]) == ({"foreign": 1}, [f"{key}/"])

        await running.put_over(key, b"damaged")  # shown twice, as what it should be neither time
        await running.plane.audit.run()
        await running.delete_object(key)
        assert (await running.plane.audit.run()).outcome == "decided"
        await running.plane.audit.run()
        assert [ticket["seq"] for ticket in await tickets(running)] == [1]


async def test_what_cannot_be_taken_does_not_hide_what_lies_behind_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run tries so much and no more; the next one goes on there, and begins again after the end."""
    monkeypatch.setattr("control_plane.services.unexpected.TRIED_PER_UNIT", 2)
    monkeypatch.setattr("control_plane.services.unexpected.TOLD_AT_ONCE", 3)
    async with recorded(running) as (recorder, _):
        key = await running.key_of(recorder, 0)
        for seq in range(4, 8):
            await running.put_over(key.replace("/00000000-", f"/{seq:08d}-"), b"not what the key says")
        for name in range(5):
            await running.put_over(f"v1/00/{name}", b"somebody's")
        sent = recorder.chunk(8)
        (grant,) = await recorder.grant([sent])
        await recorder.put(grant, sent)

        audits = [await running.plane.audit.run() for _ in range(3)]

        assert [audit.detail["adopted"] for audit in audits] == [0, 0, 1]
        assert [audit.detail["unexpected"] for audit in audits] == [{"foreign": 5, "unknown": 4, "unacked": 1}] * 3
        assert (await recorder.status()).received == [[0, 3], [8, 8]]
        early = recorder.chunk(4)
        (grant,) = await recorder.grant([early])
        await recorder.put(grant, early)
        assert 1 in [(await running.plane.audit.run()).detail["adopted"] for _ in range(2)], "from the beginning again"


async def test_enough_to_try_in_one_run_leaves_nothing_to_another(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        await running.put_over((await running.key_of(recorder, 0)).replace("/00000000-", "/00000009-"), b"other")
        report = await running.plane.audit.run()
        assert (report.detail["truncated"], report.detail["resume_after"]) == (False, {})
