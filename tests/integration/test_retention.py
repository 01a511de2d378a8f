"""Retention by age: off by default; never an open recording, never one that was revived, and always said before."""

import asyncio
import os
from collections.abc import AsyncIterator

import psycopg
import pytest

from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.services import retaining
from tests.support import warm
from tests.support.deletions import finish, quota, recorded, until_somebody_waits, versions
from tests.support.plane import Running, running_plane
from tests.support.recorder import Recorder

pytestmark = pytest.mark.anyio

KEEP_DAYS = {"safereel_retain_complete_days": 30, "safereel_retain_expired_days": 7}


@pytest.fixture
async def keeping(stack: EmbeddedStack, settings: Settings) -> AsyncIterator[Running]:
    """A control plane that keeps complete recordings for 30 days, and expired ones for 7."""
    async with running_plane(stack, settings.model_copy(update=KEEP_DAYS)) as found:
        yield found


async def complete(recorder: Recorder) -> None:
    """A recording that is complete."""
    await recorder.complete(await recorded(recorder))


async def expire(running: Running, recorder: Recorder) -> None:
    """A recording that has expired this moment."""
    await recorded(recorder)
    await running.sql(
        "update recordings set expires_at = now() - interval '1 second' where id = %(id)s",
        {"id": recorder.recording_id},
    )
    await running.plane.services.expiry.run()


async def age(running: Running, days: int, *recorders: Recorder) -> None:
    """Lets so many days pass for these, and a minute."""
    await running.sql(
        """update recordings set created_at = created_at - make_interval(days => %(days)s, mins => 1),
                  completed_at = completed_at - make_interval(days => %(days)s, mins => 1),
                  expires_at = expires_at - make_interval(days => %(days)s, mins => 1)
            where id = any (%(ids)s::uuid[])""",
        {"days": days, "ids": [recorder.recording_id for recorder in recorders]},
    )


async def states(*recorders: Recorder) -> list[str]:
    return [(await recorder.status()).state for recorder in recorders]


async def due(running: Running) -> list[str]:
    return [str(found.id) async for found in running.plane.retention.due()]


async def test_nothing_goes_by_age_unless_it_is_set(running: Running) -> None:
    async with running.recorder() as first, running.recorder() as second:
        await complete(first)
        await expire(running, second)
        await age(running, 36_500, first, second)
        assert await due(running) == []
        assert (await running.plane.retention.run()).recordings == 0
        assert await states(first, second) == ["complete", "expired"]


async def test_what_is_too_old_goes_by_its_own_age_and_nothing_else(keeping: Running) -> None:
    async with (
        keeping.recorder() as old,
        keeping.recorder() as young,
        keeping.recorder("bob") as idle,
        keeping.recorder() as back_soon,
        keeping.recorder() as unfinished,
    ):
        await complete(old)
        await complete(young)
        await expire(keeping, idle)
        await expire(keeping, back_soon)
        await recorded(unfinished)
        await age(keeping, 30, old)
        await age(keeping, 29, young)
        await age(keeping, 7, idle)
        await age(keeping, 6, back_soon)
        await age(keeping, 1_000, unfinished)  # idle for years, and the expiry has not run yet: open is open
        everybody = (old, young, idle, back_soon, unfinished)

        listed = [found async for found in keeping.plane.retention.due()]
        assert [(str(found.id), found.owner, found.state, found.age.days, found.bytes) for found in listed] == [
            (old.recording_id, "alice", "complete", 30, 9_000),
            (idle.recording_id, "bob", "expired", 7, 9_000),
        ]
        assert await states(*everybody) == ["complete", "complete", "expired", "expired", "open"], "listed, not touched"

        run = await keeping.plane.retention.run()
        assert (run.recordings, run.freed_bytes) == (2, 18_000)
        assert await states(*everybody) == ["deleting", "complete", "deleting", "expired", "open"]
        assert (await old.status()).members["deletion"]["cause"] == "retention"
        assert (await quota(old), await quota(idle)) == ((27_000, 0), (0, 0))
        assert (await keeping.plane.retention.run()).recordings == 0
        assert (await idle.beat([idle.chunk(0)])).discard == (idle.recording_id,)

        await finish(keeping)
        assert await versions(keeping, old) == await versions(keeping, idle) == []
        assert len(await versions(keeping, young)) == len(await versions(keeping, unfinished)) == 4
        assert await keeping.plane.services.quotas.recount_all() == []


async def test_one_rule_alone_leaves_the_other_state_alone(stack: EmbeddedStack, settings: Settings) -> None:
    changed = settings.model_copy(update={"safereel_retain_expired_days": 7})
    async with running_plane(stack, changed) as running, running.recorder() as kept, running.recorder() as gone:
        await complete(kept)
        await expire(running, gone)
        await age(running, 10_000, kept, gone)
        await running.plane.retention.run()
        assert await states(kept, gone) == ["complete", "deleting"]


async def test_what_is_revived_after_it_was_listed_stays(keeping: Running) -> None:
    async with keeping.recorder() as recorder:
        await expire(keeping, recorder)
        await age(keeping, 8, recorder)
        assert await due(keeping) == [recorder.recording_id]
        (found,) = [found async for found in keeping.plane.retention.due()]
        await recorder.grant([recorder.chunk(3)])  # its recorder is back
        deletions = keeping.plane.services.deletions
        assert not await deletions.retire(found.owner, found.id, keeping.plane.retention.rules)
        assert await states(recorder) == ["open"]
        await expire(keeping, recorder)
        assert not await deletions.retire(found.owner, found.id, keeping.plane.retention.rules), "expired, but just now"


async def test_what_is_revived_at_the_same_moment_stays(keeping: Running) -> None:
    """The revival is under way and not committed: retention waits for it, and then finds nothing to delete."""
    async with keeping.recorder() as recorder:
        await expire(keeping, recorder)
        await age(keeping, 8, recorder)
        url = keeping.settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url) as reviving:
            await reviving.execute("update recordings set state = 'open', expires_at = now() + interval '1 day'")
            running = asyncio.create_task(keeping.plane.retention.run())
            await until_somebody_waits(keeping)
            await reviving.commit()
        assert (await running).recordings == 0
        assert await states(recorder) == ["open"]


async def test_two_runs_at_once_delete_each_once_and_runs_are_bounded(
    keeping: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "DELETIONS_A_RUN", 4)
    monkeypatch.setattr(retaining, "LISTED_TOGETHER", 2)
    recorders = [keeping.recorder() for _ in range(7)]
    for recorder in recorders:
        async with recorder:
            await complete(recorder)
    await age(keeping, 31, *recorders)
    assert sorted(await due(keeping)) == sorted(recorder.recording_id for recorder in recorders)
    assert (await keeping.plane.retention.run()).recordings == 4
    runs = await asyncio.gather(*(keeping.plane.retention.run() for _ in range(3)))
    assert sum(run.recordings for run in runs) == 3
    assert await keeping.plane.services.quotas.recount_all() == []


def run_command(settings: Settings, *arguments: str, **days: str) -> warm.Ended:
    """`safereel retention` on the test's parts."""
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_ACCESS_KEY_ID": settings.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": settings.s3_secret_access_key.get_secret_value(),
        "S3_BUCKET_NAME": settings.s3_bucket_name,
        **days,
    }
    return warm.run(["retention", *arguments], env=environment, timeout=60)


async def test_the_command_lists_and_deletes(running: Running) -> None:
    async with running.recorder() as old, running.recorder() as young:
        await complete(old)
        await complete(young)
        await age(running, 31, old)
        dry_off = await asyncio.to_thread(run_command, running.settings, "--dry-run")
        off = await asyncio.to_thread(run_command, running.settings)
        assert (off.returncode, off.stdout) == (2, "")
        assert "SAFEREEL_RETAIN_COMPLETE_DAYS" in off.stderr
        assert (dry_off.returncode, dry_off.stdout, dry_off.stderr) == (2, "", off.stderr)

        setting = {"SAFEREEL_RETAIN_COMPLETE_DAYS": "30"}
        dry = await asyncio.to_thread(run_command, running.settings, "--dry-run", **setting)
        assert dry.returncode == 0, dry.stderr
        lines = [line.split("\t") for line in dry.stdout.splitlines()]
        assert lines[0] == ["recording", "owner", "state", "days", "bytes"]
        assert lines[1] == [old.recording_id, "alice", "complete", "31", "9000"]
        assert dry.stdout.splitlines()[2:] == ["1 recordings of 9000 bytes would be deleted."]
        assert await states(old, young) == ["complete", "complete"]

        done = await asyncio.to_thread(run_command, running.settings, **setting)
        assert (done.returncode, done.stdout) == (0, "1 recordings of 9000 bytes are being deleted.\n"), done.stderr
        assert await states(old, young) == ["deleting", "complete"]
