"""What a rebuild cannot take up, or cannot tell: it says so, acks nothing in vain, and another run goes on."""

from uuid import UUID

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.domain.bucket import BucketUnreachable, ObjectHead
from control_plane.domain.keys import recording_key
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import beside_an_empty_ledger, rebuild, recorded
from tests.support.deletions import versions
from tests.support.plane import Running, running_plane
from tests.support.proxy import FaultProxy, Respond

pytestmark = pytest.mark.anyio


async def test_beyond_the_end_that_a_manifest_tells_nothing_is_taken_up(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 2)
        beyond = recorder.chunk(2)
        (grant,) = await recorder.grant([beyond])
        await recorder.put(grant, beyond)
        assert (await recorder.complete(chunks)).complete
        assert (await running.plane.services.manifests.run()).written == 1
        async with beside_an_empty_ledger(stack, settings) as anew:
            for dry_run in (True, False, False):
                rebuilt = await rebuild(anew, dry_run=dry_run)
                assert (rebuilt.taken.refused, rebuilt.whole) == (1, False)
            assert await anew.sql("select seq from chunks order by seq") == [{"seq": 0}, {"seq": 1}]
            assert await anew.sql("select kind, detail from events where kind = 'chunk_taken_up'") == [
                {"kind": "chunk_taken_up", "detail": {"chunks": 2}}
            ]


async def test_a_manifest_of_nobody_is_told_of(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    async with running.recorder() as recorder, running.recorder("bob") as bob:
        await recorded(recorder, 1, complete=True)
        await recorded(bob, 1, complete=True)
        await running.plane.services.manifests.run()
        await running.delete_object(await running.key_of(recorder, 0))
        await running.delete_object(recording_key(UUID(recorder.recording_id)))
        async with beside_an_empty_ledger(stack, settings) as anew:
            for dry_run, completed in ((True, 1), (False, 1), (False, 0)):
                rebuilt = await rebuild(anew, dry_run=dry_run)
                assert (rebuilt.taken.nameless, rebuilt.whole, rebuilt.completed) == (1, False, completed)


async def test_what_could_not_be_looked_at_is_not_missing(
    running: Running, stack: EmbeddedStack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 3, complete=True)
        await running.plane.services.manifests.run()
        silent = await running.key_of(recorder, 1)
        async with beside_an_empty_ledger(stack, settings) as anew:
            head = S3Bucket.head

            async def no_answer(self: S3Bucket, key: str) -> ObjectHead | None:
                if key == silent:
                    raise BucketUnreachable("HEAD: 503")
                return await head(self, key)

            with monkeypatch.context() as forced:
                forced.setattr(S3Bucket, "head", no_answer)
                rebuilt = await rebuild(anew)
            assert (rebuilt.taken.chunks, rebuilt.taken.unreached, rebuilt.whole) == (2, 1, False)
            assert (rebuilt.completed, rebuilt.missing, await anew.sql("select 1 from tickets")) == (0, 0, [])

            again = await rebuild(anew)
            assert (again.taken.chunks, again.completed, again.missing, again.whole) == (1, 1, 0, True)
            assert await anew.sql("select 1 from tickets") == []


async def test_what_a_deletion_has_left_is_not_taken_up_again(
    stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    """Its database was lost after the first of its objects was removed, and before the last."""
    changed = settings.model_copy(update={"s3_endpoint": bucket_proxy.url, "s3_public_endpoint": settings.s3_endpoint})
    async with running_plane(stack, changed) as behind, behind.recorder() as recorder:
        await recorded(recorder, 3, complete=True)
        await behind.plane.services.manifests.run()
        await recorder.delete()
        bucket_proxy.add("POST", "delete", Respond(503), skip=1, times=None)
        assert (await behind.plane.services.purges.run()).failed == 1
        assert len(await versions(behind, recorder)) == 3
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.taken.recordings, rebuilt.taken.chunks, rebuilt.taken.undescribed) == (0, 0, 3)
            assert await anew.sql("select 1 from recordings") == []
