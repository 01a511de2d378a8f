"""Steps of two parties in the order in which they hurt most, forced."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from control_plane.config import Settings
from control_plane.db.queries import queries
from control_plane.db.repairs import RepairStore
from control_plane.domain.models import SweepOutcome
from control_plane.embedded import EmbeddedStack
from control_plane.services.deployment import WrongBucket
from tests.integration.test_doubt import until_somebody_waits
from tests.support.databases import fresh_database
from tests.support.deletions import finish, recorded, versions
from tests.support.plane import Running, running_plane, settings_for

pytestmark = pytest.mark.anyio

QUOTA = "select used_bytes, reserved_bytes, reserved_chunks from owners"
NOTHING = [{"used_bytes": 0, "reserved_bytes": 0, "reserved_chunks": 0}]


async def test_a_deletion_between_proof_and_adoption_wins(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        (grant,) = await recorder.grant([chunk])
        await recorder.put(grant, chunk)
        adopt = RepairStore.adopted

        async def delete_first(store: RepairStore, proven: Sequence[Any]) -> int:
            assert len(proven) == 1
            await recorder.delete()
            return await adopt(store, proven)

        monkeypatch.setattr(RepairStore, "adopted", delete_first)
        assert (await running.plane.audit.run()).detail["adopted"] == 0
        assert await running.sql("select state from chunks") == [{"state": "granted"}]
        assert await running.sql(QUOTA) == NOTHING
        await finish(running)
        assert await versions(running, recorder) == []


async def test_a_deletion_while_a_version_is_copied_back_wins(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy lands after the deletion: the purge, which looks again later, takes it away."""
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 1)
        await running.put_over(await running.key_of(recorder, 0), b"x" * chunks[0].size)
        await running.plane.audit.run()
        healed = RepairStore.healed

        async def delete_first(store: RepairStore, proven: Sequence[Any]) -> int:
            assert len(proven) == 1
            await recorder.delete()
            await running.plane.services.purges.run()
            return await healed(store, proven)

        monkeypatch.setattr(RepairStore, "healed", delete_first)
        assert (await running.plane.audit.run()).detail["healed"] == 0
        await finish(running)
        assert await versions(running, recorder) == []
        assert await running.sql(QUOTA) == NOTHING
        assert await recorder.delete() == "deleted"


async def test_an_ack_between_look_and_adoption_counts_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)
        adopt = RepairStore.adopted

        async def ack_first(store: RepairStore, proven: Sequence[Any]) -> int:
            (ack,) = await recorder.ack([(0, put.etag)])
            assert ack.verdict == "match"
            return await adopt(store, proven)

        monkeypatch.setattr(RepairStore, "adopted", ack_first)
        assert (await running.plane.audit.run()).detail["adopted"] == 0
        assert await running.sql(QUOTA) == [{"used_bytes": 2_000, "reserved_bytes": 0, "reserved_chunks": 0}]


async def test_a_put_that_ends_after_its_grant_has_died_is_adopted(running: Running) -> None:
    """The reservation was freed, the recording has expired; the bytes are there, so they count, and nobody sends them again."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=2_000)
        (grant,) = await recorder.grant([chunk])
        await running.sql("update chunks set expires_at = now() - interval '1 second'")
        await running.sql("update recordings set expires_at = now() - interval '1 second'")
        await running.plane.services.expiry.run()
        assert await running.sql(QUOTA) == NOTHING
        assert (await recorder.status()).state == "expired"
        assert (await recorder.put(grant, chunk)).status == 200

        assert (await running.plane.audit.run()).detail["adopted"] == 1

        assert await running.sql(QUOTA) == [{"used_bytes": 2_000, "reserved_bytes": 0, "reserved_chunks": 0}]
        await running.plane.confirm.run()
        assert {seq for seq, _ in (await recorder.beat([chunk])).releases[recorder.recording_id]} == {0}
        assert (await recorder.complete([chunk])).complete


async def test_two_deployments_on_one_bucket(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    """Whoever comes second does not start, and what runs of it all the same decides nothing."""
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 2)
        with fresh_database(stack) as url:
            second = settings_for(stack, url, settings.s3_bucket_name)
            async with running_plane(stack, second, claims=False) as other:
                await other.sql("update deployment set id = gen_random_uuid()")
                with pytest.raises(WrongBucket):
                    await other.plane.deployment.claim_bucket()
                async with other.recorder() as stranger:
                    theirs = await recorded(stranger, 1)
                    for sweep in (other.plane.confirm, other.plane.audit, other.plane.audit):
                        assert (await sweep.run()).outcome is SweepOutcome.UNDECIDED
                    assert not (await stranger.beat(theirs)).releases, "nobody has seen it in a bucket of theirs"

        # What the stranger put is nothing to the first: well-formed, and of a recording that its description names.
        await running.plane.confirm.run()
        assert len((await recorder.beat(chunks)).releases[recorder.recording_id]) == 2


async def test_what_is_reopened_while_it_is_taken_back_leaves_no_ticket(running: Running) -> None:
    """A lost chunk is in the bucket again, and in that moment a beat says that somebody holds it: one of the two is enough."""
    async with running.recorder() as recorder:
        (chunk,) = await recorded(recorder, 1)
        key = await running.key_of(recorder, 0)
        await running.delete_object(key)
        await running.plane.audit.run()
        await running.plane.audit.run()
        await running.sql("update tickets set state = 'lost', closed_at = now(), cause = 'gone'")
        await running.sql("update chunks set state = 'lost'")
        await running.sql("update owners set used_bytes = 0")
        await running.put_object_with_digest(key, chunk.data)

        url = running.settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url) as beat:
            await beat.execute("select from owners for update")
            audit = asyncio.create_task(running.plane.audit.run())
            await until_somebody_waits(running)
            held = {
                "owner": "alice",
                "recorder_id": UUID(recorder.recorder_id),
                "recording_ids": [UUID(recorder.recording_id)],
                "chunks": ["{[0,1)}"],
                "limit": 10,
            }
            await beat.execute(queries()["tickets_reopen"], held)
            await beat.commit()
        report = await audit

        assert report.detail["returned"] == 1
        assert await running.sql("select state from chunks") == [{"state": "acked"}]
        assert await running.sql("select 1 from tickets where state = 'open'") == []
        assert not await running.plane.services.quotas.recount_all()
