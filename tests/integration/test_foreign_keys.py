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
