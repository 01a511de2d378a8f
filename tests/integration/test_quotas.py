"""Quotas: reserved at grant, settled at ack, freed when grants die; never exceeded by grants, never in the way of a re-send."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from tests.support.plane import Running, running_plane
from tests.support.recorder import Recorder, Refused

pytestmark = pytest.mark.anyio

LIMIT = 100_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A small quota for everybody."""
    return settings.model_copy(update={"safereel_quota_bytes": LIMIT})


async def quota(recorder: Recorder) -> dict[str, Any]:
    """The owner's counters as the owner sees them."""
    found: dict[str, Any] = (await recorder.call("GET", "/v1/me"))["quota"]
    return found


async def ledger(running: Running, owner: str = "alice") -> tuple[int, int, int]:
    """Used and reserved bytes, and the number of live grants, counted anew from the chunks."""
    (row,) = await running.sql(
        """select coalesce(sum(size) filter (where c.state in ('acked', 'confirmed', 'missing')), 0)::bigint as used,
                  coalesce(sum(size) filter (where reserved), 0)::bigint as reserved,
                  count(*) filter (where reserved) as live
             from chunks c join recordings r on r.id = c.recording_id
            where r.owner = %(owner)s and r.state in ('open', 'expired', 'complete')""",
        {"owner": owner},
    )
    return row["used"], row["reserved"], row["live"]


async def end_grants(running: Running) -> None:
    """Lets all grants that are out die, and the control plane notice."""
    await running.sql("update chunks set expires_at = now() - interval '1 second' where reserved")
    await running.plane.services.expiry.run()


async def admin(running: Running, method: str, path: str, body: object = None) -> dict[str, Any]:
    """An administrator's call."""
    headers = {"authorization": f"Bearer {running.token('root', scopes=['admin'])}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, running.endpoint + path, json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def test_grants_reserve_and_acks_use(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.grant([recorder.chunk(0, size=30_000), recorder.chunk(1, size=20_000)])
        assert await quota(recorder) == {"limit_bytes": LIMIT, "used_bytes": 0, "reserved_bytes": 50_000}
        await recorder.grant([recorder.chunk(0, size=30_000)])  # once more: nothing more
        assert (await quota(recorder))["reserved_bytes"] == 50_000
        await recorder.send([recorder.chunk(0, size=30_000)])
        assert await quota(recorder) == {"limit_bytes": LIMIT, "used_bytes": 30_000, "reserved_bytes": 20_000}


async def test_over_quota_is_told_with_numbers_and_what_fits_is_granted(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=40_000) for seq in range(3)]
        first, second, third = await recorder.grant(chunks)
        assert (first.state, second.state, third.state) == ("granted", "granted", "refused")
        assert third.problem is not None
        assert third.problem.code == "quota_exceeded"
        told = third.problem.members
        assert (told["limit_bytes"], told["used_bytes"], told["reserved_bytes"]) == (LIMIT, 0, 0)
        assert (await quota(recorder))["reserved_bytes"] == 80_000
        # An administrator gives more: the same call is granted.
        await admin(running, "PUT", "/v1/admin/owners/alice/quota", {"limit_bytes": 120_000})
        (again,) = await recorder.grant(chunks[2:])
        assert again.state == "granted"


async def test_a_grant_that_died_unused_frees_its_room(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.grant([recorder.chunk(0, size=LIMIT)])
        (refused,) = await recorder.grant([recorder.chunk(1, size=1)])
        assert refused.state == "refused"
        await end_grants(running)
        assert (await quota(recorder))["reserved_bytes"] == 0
        (granted,) = await recorder.grant([recorder.chunk(1, size=LIMIT)])
        assert granted.state == "granted"
        # The first chunk's turn comes again only when there is room, and what it was granted for still holds.
        (later,) = await recorder.grant([recorder.chunk(0, size=LIMIT)])
        assert later.problem is not None
        assert later.problem.code == "quota_exceeded"


async def test_a_late_ack_is_taken_above_the_limit_and_blocks_new_grants(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        late = recorder.chunk(0, size=60_000)
        (grant,) = await recorder.grant([late])
        await recorder.put(grant, late)
        await end_grants(running)
        await recorder.send([recorder.chunk(1, size=80_000)])
        (ack,) = await recorder.ack([(0, None)])
        assert ack.verdict == "match"
        assert (await quota(recorder))["used_bytes"] == 140_000
        (refused,) = await recorder.grant([recorder.chunk(2, size=1)])
        assert refused.state == "refused"


async def test_a_resend_is_never_refused_for_quota(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=LIMIT)
        await recorder.send([chunk])
        await running.plane.confirm.run()
        await admin(running, "PUT", "/v1/admin/owners/alice/quota", {"limit_bytes": 1})
        await running.delete_object(await running.key_of(recorder, 0))
        await running.plane.audit.run()
        await running.plane.audit.run()
        assert (await quota(recorder))["used_bytes"] == LIMIT  # missing: still the owner's
        (again,) = await recorder.grant([chunk])
        assert again.state == "granted"
        (ack,) = await recorder.send([chunk])
        assert ack.verdict == "match"
        assert await quota(recorder) == {"limit_bytes": 1, "used_bytes": LIMIT, "reserved_bytes": 0}


async def test_administrators_are_exempt_and_still_counted(running: Running) -> None:
    token = running.token("alice", scopes=["record", "admin"])
    async with Recorder(running.endpoint, token) as recorder:
        await recorder.start()
        (grant,) = await recorder.grant([recorder.chunk(0, size=2 * LIMIT)])
        assert grant.state == "granted"
        assert (await quota(recorder))["reserved_bytes"] == 2 * LIMIT


async def test_owners_do_not_share_a_quota(running: Running) -> None:
    async with running.recorder("alice") as alice, running.recorder("bob") as bob:
        for recorder in (alice, bob):
            await recorder.start()
            (grant,) = await recorder.grant([recorder.chunk(0, size=LIMIT)])
            assert grant.state == "granted"
        assert {owner["owner"] for owner in (await admin(running, "GET", "/v1/admin/owners"))["owners"]} == {
            "alice",
            "bob",
        }


async def test_a_recount_finds_and_mends_what_is_off(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0, size=10)])
        await running.sql("update owners set used_bytes = 999, reserved_bytes = -5, reserved_chunks = 3")
        found = await admin(running, "POST", "/v1/admin/quotas/recount")
        assert found == {
            "drifted": [{"owner": "alice", "used_off_bytes": -989, "reserved_off_bytes": 5, "grants_off": -3}],
            "next_after": None,
        }
        assert (await quota(recorder))["used_bytes"] == 10
        assert await admin(running, "POST", "/v1/admin/quotas/recount") == {"drifted": [], "next_after": None}
        (owner,) = (await admin(running, "GET", "/v1/admin/owners"))["owners"]
        assert (owner["drift_bytes"], owner["drifted_times"]) == (0, 1)


async def test_an_idle_recording_expires_and_its_recorder_revives_it(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0, size=10)])
        await recorder.grant([recorder.chunk(1, size=50)])
        await running.sql("update recordings set expires_at = now() - interval '1 second'")
        told = await admin(running, "POST", "/v1/admin/expire")
        assert told == {"grants": 0, "freed_bytes": 0, "recordings": []}, "its recorder may be at work"
        await running.sql("update chunks set expires_at = now() - interval '1 second' where reserved")
        told = await admin(running, "POST", "/v1/admin/expire")
        assert told == {"grants": 1, "freed_bytes": 50, "recordings": [recorder.recording_id]}
        status = await recorder.status()
        assert (status.state, status.received) == ("expired", [[0, 0]])
        assert await quota(recorder) == {"limit_bytes": LIMIT, "used_bytes": 10, "reserved_bytes": 0}
        (ack,) = await recorder.send([recorder.chunk(1, size=50)])  # back: what it asks for is granted
        assert ack.verdict == "match"
        assert (await recorder.status()).state == "open"
        assert (await admin(running, "POST", "/v1/admin/expire"))["recordings"] == []


async def test_a_heartbeat_that_holds_chunks_keeps_a_recording_open(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await running.sql("update recordings set expires_at = now() - interval '1 second'")
        await running.plane.services.expiry.run()
        assert (await recorder.status()).state == "expired"
        await recorder.beat([recorder.chunk(0)])
        assert (await recorder.status()).state == "open"


LIVE = 6
GUARD = """
create function refuse_over() returns trigger language plpgsql as $$
begin
    if new.reserved_bytes > old.reserved_bytes and new.used_bytes + new.reserved_bytes > 100000 then
        raise exception 'granted beyond the limit: % used, % reserved', new.used_bytes, new.reserved_bytes;
    end if;
    if new.reserved_chunks > old.reserved_chunks and new.reserved_chunks > 6 then
        raise exception 'more than so many grants at once: %', new.reserved_chunks;
    end if;
    return new;
end $$;
create trigger refuse_over before update on owners for each row execute function refuse_over()
"""


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_at_once_grants_stay_within_the_limits(
    stack: EmbeddedStack, settings: Settings, seed: int
) -> None:
    """Fifty actors at once, as the seed decides: grants, acks, grants that die, idle recordings, deletions."""
    few = settings.model_copy(update={"safereel_live_grants": LIVE})
    async with running_plane(stack, few) as running:
        await fifty_actors(running, seed)


async def fifty_actors(running: Running, seed: int) -> None:
    """Does it all, and compares counters with the ledger.

    The database itself watches: a grant beyond either limit fails. A late ack may lie above the quota, and only that.
    """
    chance = random.Random(seed)
    await running.sql(GUARD)
    async with AsyncExitStack() as opened:
        recorders = [await opened.enter_async_context(running.recorder()) for _ in range(6)]
        doomed = recorders[3:]
        refusals = set[tuple[bool, str]]()
        waiting = set[str]()
        for recorder in recorders:
            await recorder.start()
            await recorder.send([recorder.chunk(12, size=1_000)])

        async def act(number: int) -> None:
            recorder = chance.choice(recorders)
            match number % 5:
                case 2 if number % 2:
                    await chance.choice(doomed).delete()
                    await running.plane.services.purges.run()
                case 0:
                    await running.sql(
                        "update chunks set expires_at = now() - interval '1 second' where reserved and seq %% 3 = %(n)s",
                        {"n": number % 3},
                    )
                    await running.plane.services.expiry.run()
                case 1:
                    await running.sql(
                        "update recordings set expires_at = now() - interval '1 second' where id = %(id)s",
                        {"id": recorder.recording_id},
                    )
                    await running.plane.services.expiry.run()
                case _:
                    seq = chance.randrange(12)
                    chunk = recorder.chunk(seq, size=4_000 + 1_000 * seq)
                    try:
                        (grant,) = await recorder.grant([chunk])
                        if grant.problem is not None:
                            waiting.add(grant.problem.code)
                        if grant.state == "granted" and chance.random() < 0.7:
                            await recorder.put(grant, chunk)
                            await recorder.ack([(chunk.seq, None)])
                    except Refused as exc:
                        refusals.add((recorder in doomed, exc.problem.code))

        await asyncio.gather(*(act(number) for number in range(50)))
        assert refusals == {(True, "recording_deleted")}
        kept = await counters(running)
        assert kept == await ledger(running)
        assert await running.plane.services.quotas.recount_all() == []
        assert "too_many_grants" in waiting, "so much was asked for that a limit was met"


async def counters(running: Running, owner: str = "alice") -> tuple[int, int, int]:
    """The same as they are kept."""
    kept = "select used_bytes, reserved_bytes, reserved_chunks from owners where id = %(owner)s"
    (row,) = await running.sql(kept, {"owner": owner})
    return row["used_bytes"], row["reserved_bytes"], row["reserved_chunks"]


async def test_fifty_grants_at_once_never_exceed_the_limit(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=7_000) for seq in range(50)]
        answers = await asyncio.gather(*(recorder.grant([chunk]) for chunk in chunks))
        granted = [grant for (grant,) in answers if grant.state == "granted"]
        assert len(granted) == LIMIT // 7_000
        assert await ledger(running) == await counters(running) == (0, 7_000 * len(granted), len(granted))


async def test_two_replicas_keep_one_limit(stack: EmbeddedStack, settings: Settings, running: Running) -> None:
    async with running_plane(stack, settings) as other, running.recorder() as here:
        await here.start()
        async with Recorder(other.endpoint, other.token(), recording_id=here.recording_id) as there:
            chunks = [here.chunk(seq, size=7_000) for seq in range(40)]
            calls = [(here if chunk.seq % 2 else there).grant([chunk]) for chunk in chunks]
            answers = await asyncio.gather(*calls)
        assert sum(grant.state == "granted" for (grant,) in answers) == LIMIT // 7_000
        assert await ledger(running) == await counters(running)


async def test_routes_of_administrators_want_their_scope(running: Running) -> None:
    async with running.recorder() as recorder:
        for method, path in [
            ("GET", "/v1/admin/owners"),
            ("PUT", "/v1/admin/owners/alice/quota"),
            ("POST", "/v1/admin/quotas/recount"),
            ("POST", "/v1/admin/expire"),
            ("GET", "/v1/admin/deletions"),
            ("POST", "/v1/admin/purge"),
        ]:
            with pytest.raises(Refused) as refused:
                await recorder.call(method, path)
            assert refused.value.problem.code == "scope_missing"
