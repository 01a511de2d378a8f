"""Another owner's recording is a 404 on every route; a taken id is a bare 409."""

import pytest

from tests.support.plane import Running
from tests.support.recorder import Refused

pytestmark = pytest.mark.anyio

CHUNK = {"seq": 0, "segment": 0, "size": 1, "sha256": "a" * 64}


async def test_two_owners_never_meet(running: Running) -> None:
    async with running.recorder("alice") as alice:
        await alice.start(title="Private")
        chunks = [alice.chunk(seq, size=100) for seq in range(2)]
        await alice.send(chunks)
        await running.plane.confirm.run()
        before = await running.sql("select * from chunks order by seq")

        async with running.recorder("bob", recording_id=alice.recording_id, recorder_id=alice.recorder_id) as bob:
            path = f"/v1/recordings/{alice.recording_id}"
            for method, route, body in [
                ("GET", path, None),
                ("GET", f"{path}/chunks", None),
                ("POST", f"{path}/grants", {"chunks": [CHUNK]}),
                ("POST", f"{path}/acks", {"acks": [{"seq": 0}]}),
                ("POST", f"{path}/complete", {"chunk_count": 2, "total_bytes": 200}),
            ]:
                with pytest.raises(Refused) as refused:
                    await bob.call(method, route, body)
                assert (refused.value.problem.status, refused.value.problem.code) == (404, "recording_unknown"), route

            with pytest.raises(Refused) as refused:
                await bob.start()
            assert (refused.value.problem.status, refused.value.problem.code) == (409, "recording_conflict")
            assert "Private" not in str(refused.value.problem.members)
            assert "alice" not in str(refused.value.problem.members)

            assert (await bob.call("GET", "/v1/recordings"))["recordings"] == []
            beat = await bob.beat(chunks)
            assert (beat.releases, beat.tickets) == ({}, ())
            assert beat.notices == ({"code": "recording_unknown", "recording_id": alice.recording_id},)

            # Not by the ticket either: bob's word that it is gone does not count.
            await running.delete_object(await running.key_of(alice, 0))
            await running.plane.audit.run()
            await running.plane.audit.run()
            assert not (await bob.beat(chunks)).tickets
            (ticket,) = (await alice.beat(chunks)).tickets
            await bob.beat(gone=[ticket.id])
            assert await running.sql("select * from gone_reports") == []

        after = await running.sql("select * from chunks where seq = 1")
        assert after == [row for row in before if row["seq"] == 1]


async def test_a_token_speaks_for_its_owner(running: Running) -> None:
    for owner in ("alice", "org|42", "Ärztin ☤"):
        async with running.recorder(owner) as recorder:
            assert (await recorder.call("GET", "/v1/me"))["owner"] == owner
