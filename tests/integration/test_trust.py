"""The bucket comes into doubt: what was confirmed before is not released until it was seen there again."""

from collections.abc import Sequence

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import DEPLOYMENT_KEY
from control_plane.embedded import EmbeddedStack
from control_plane.services.deployment import WrongBucket
from tests.support.plane import Running, running_plane
from tests.support.proxy import FaultProxy, Respond
from tests.support.recorder import Beat, Chunk, Recorder

pytestmark = pytest.mark.anyio


async def confirmed(running: Running, recorder: Recorder, count: int = 3, first: int = 0) -> list[Chunk]:
    """Chunks that are confirmed, of which the recorder has not heard yet."""
    chunks = [recorder.chunk(seq, size=400) for seq in range(first, first + count)]
    if not first:
        await recorder.start()
    await recorder.send(chunks)
    await running.plane.confirm.run()
    return chunks


def released(beat: Beat) -> Sequence[int]:
    return sorted(seq for chunks in beat.releases.values() for seq, _ in chunks)


async def emptied(running: Running) -> None:
    """Everything is gone, versions too, the mark first of all."""
    bucket = running.settings.s3_bucket_name
    found = running.s3.list_object_versions(Bucket=bucket)
    for version in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        running.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


async def test_after_it_was_emptied_and_marked_again_nothing_is_dropped(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await confirmed(running, recorder)
        await emptied(running)
        with pytest.raises(WrongBucket):
            await running.plane.deployment.claim_bucket(begins=True)
        assert released(await recorder.beat(chunks)) == []
        await running.plane.deployment.mark_again()
        assert released(await recorder.beat(chunks)) == []
        await running.plane.audit.run()
        assert released(await recorder.beat(chunks)) == []
        await running.plane.audit.run()
        beat = await recorder.beat(chunks)
        assert released(beat) == []
        assert sorted(ticket.seq for ticket in beat.tickets) == [0, 1, 2]


async def test_after_a_start_an_audit_has_to_find_it_first(running: Running) -> None:
    """An older copy of the bucket was put back while nothing ran: it bears the mark, and lacks what came since."""
    async with running.recorder() as recorder:
        chunks = await confirmed(running, recorder)
        await running.delete_object(await running.key_of(recorder, 1))
        await running.plane.deployment.claim_bucket(begins=True)
        assert released(await recorder.beat(chunks)) == []
        # What is confirmed from now on is not held up.
        more = await confirmed(running, recorder, 1, first=3)
        assert released(await recorder.beat([*chunks, *more])) == [3]
        await running.plane.audit.run()
        assert released(await recorder.beat([*chunks, *more])) == [0, 2, 3]


async def test_a_thaw_of_a_bucket_without_its_mark_releases_nothing_unseen(running: Running) -> None:
    async with running.recorder() as recorder:
        chunks = await confirmed(running, recorder)
        mark = running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=DEPLOYMENT_KEY)["Body"].read()
        await emptied(running)
        await running.plane.audit.run()
        await running.plane.services.freezing.thaw()
        assert await running.plane.services.freezing.now() is None
        assert released(await recorder.beat(chunks)) == []
        await running.put_over(DEPLOYMENT_KEY, mark)
        assert released(await recorder.beat(chunks)) == []


async def test_while_sweeps_decide_nothing_what_was_confirmed_before_stays(
    running: Running, stack: EmbeddedStack, settings: Settings, bucket_proxy: FaultProxy
) -> None:
    through = settings.model_copy(update={"s3_endpoint": bucket_proxy.url, "s3_public_endpoint": settings.s3_endpoint})
    async with running.recorder() as recorder, running_plane(stack, through) as behind:
        chunks = await confirmed(running, recorder)
        bucket_proxy.add("GET", ".*", Respond(503), times=None)
        assert (await behind.plane.audit.run(dry_run=True)).outcome == "undecided"
        assert released(await recorder.beat(chunks)) == [0, 1, 2]  # a dry run changes nothing
        assert (await behind.plane.confirm.run()).outcome == "undecided"
        assert released(await recorder.beat(chunks)) == []
        bucket_proxy.clear()
        await behind.plane.audit.run()
        assert released(await recorder.beat(chunks)) == [0, 1, 2]
