"""How many grants an owner may have at once: what is beyond waits on the device, and nothing that counts already does."""

from collections.abc import Sequence

import pytest

from control_plane.config import Settings
from tests.support.plane import Running
from tests.support.recorder import Grant, Recorder

pytestmark = pytest.mark.anyio

LIVE = 3


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Few grants at once, and a quota that is not what stands in the way."""
    return settings.model_copy(update={"safereel_live_grants": LIVE, "safereel_quota_bytes": 1_000_000})


async def ask(recorder: Recorder, seqs: Sequence[int]) -> list[Grant]:
    return await recorder.grant([recorder.chunk(seq, size=1_000) for seq in seqs])


async def states(recorder: Recorder, seqs: Sequence[int]) -> list[str]:
    return [grant.state for grant in await ask(recorder, seqs)]


async def live(running: Running, owner: str = "alice") -> tuple[int, int]:
    """How many grants are live, as kept and as counted anew."""
    (row,) = await running.sql(
        """select reserved_chunks as kept,
                  (select count(*) from chunks c join recordings r on r.id = c.recording_id
                    where r.owner = o.id and c.reserved) as counted
             from owners o where id = %(owner)s""",
        {"owner": owner},
    )
    return row["kept"], row["counted"]


async def test_what_fits_of_a_batch_is_granted_and_the_rest_is_told_to_wait(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        grants = await ask(recorder, range(5))
        assert [grant.state for grant in grants] == ["granted"] * 3 + ["refused"] * 2
        problem = grants[-1].problem
        assert problem is not None
        assert problem.code == "too_many_grants"
        assert (problem.members["live_grants"], problem.members["max_live_grants"]) == (LIVE, LIVE)
        assert "ask again" in problem.detail
        assert await live(running) == (LIVE, LIVE)


async def test_a_renewed_grant_needs_no_room(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await ask(recorder, range(LIVE))
        for _ in range(2):
            assert await states(recorder, [0, 1, 2, 3]) == ["granted"] * 3 + ["refused"]
        assert await live(running) == (LIVE, LIVE)


async def test_each_ack_and_each_grant_that_dies_makes_room(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await ask(recorder, range(LIVE))
        await recorder.send([recorder.chunk(0, size=1_000)])
        assert await states(recorder, [3, 4]) == ["granted", "refused"]
        await running.sql("update chunks set expires_at = now() - interval '1 second' where reserved")
        await running.plane.services.expiry.run()
        assert await live(running) == (0, 0)
        assert await states(recorder, [4, 5]) == ["granted", "granted"]
        assert await live(running) == (2, 2)


async def test_a_deletion_makes_room(running: Running) -> None:
    async with running.recorder() as doomed, running.recorder() as kept:
        await doomed.start()
        await kept.start()
        await ask(doomed, range(LIVE))
        assert await states(kept, [0]) == ["refused"], "all recordings of an owner count together"
        await doomed.delete()
        assert await live(running) == (0, 0)
        assert await states(kept, [0]) == ["granted"]


async def test_owners_do_not_share_it_and_administrators_are_not_exempt(running: Running) -> None:
    token = running.token("root", scopes=["record", "admin"])
    async with Recorder(running.endpoint, token) as root, running.recorder("bob") as bob:
        for recorder in (root, bob):
            await recorder.start()
            assert await states(recorder, range(LIVE + 1)) == ["granted"] * LIVE + ["refused"]


async def test_what_the_bucket_lost_is_sent_again_whatever_is_live(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        lost, by_ticket = recorder.chunk(0, size=1_000), recorder.chunk(1, size=1_000)
        await recorder.send([lost, by_ticket])
        for chunk in (lost, by_ticket):
            await running.delete_object(await running.key_of(recorder, chunk.seq))
        await running.plane.audit.run()
        await running.plane.audit.run()
        await ask(recorder, range(2, 2 + LIVE))
        assert await states(recorder, [0, 9]) == ["granted", "refused"]
        beat = await recorder.beat([by_ticket])
        (ticket,) = beat.tickets
        await recorder.put(ticket, by_ticket)
        (ack,) = await recorder.ack([(1, None)])
        assert ack.verdict == "match"
        assert (await recorder.send([lost]))[0].verdict == "match"
        assert await live(running) == (LIVE, LIVE)


async def test_the_quota_is_told_where_both_are_used_up(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await ask(recorder, range(LIVE))
        (refused,) = await recorder.grant([recorder.chunk(3, size=1_000_000)])
        assert refused.problem is not None
        assert refused.problem.code == "quota_exceeded", "what passes by itself is not why this one waits"


async def test_a_lower_limit_takes_no_grant_back(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await ask(recorder, range(LIVE))
        await running.sql("update owners set reserved_chunks = reserved_chunks + 5")  # as if there had been more
        grants = await ask(recorder, [0, 3])
        assert [grant.state for grant in grants] == ["granted", "refused"]
        assert grants[1].problem is not None
        assert grants[1].problem.members["live_grants"] == LIVE + 5
        (found,) = await running.plane.services.quotas.recount_all()
        assert found.grants_off == -5
        assert await live(running) == (LIVE, LIVE)
