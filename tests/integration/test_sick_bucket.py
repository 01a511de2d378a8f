"""A bucket that hangs, answers 503 or half a body: an audit and a rebuild end, decide nothing wrong, and the next run goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.domain.bucket import BucketUnreachable
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import on, rebuild, recorded
from tests.support.databases import fresh_database
from tests.support.plane import Running, running_plane
from tests.support.proxy import CutAnswer, Fault, FaultProxy, Hold, Respond

pytestmark = pytest.mark.anyio

CALL_S = 0.4
DEADLINE_S = 60.0
RECORDINGS, CHUNKS = 6, 4
SICK: Sequence[tuple[str, str, int, Fault]] = [
    (method, path, skip, fault)
    for method, path, skip in [
        ("GET", "list-type=2.*prefix=v1", 0),
        ("GET", r"/recording\.json", 2),
        ("GET", r"/manifest\.json", 1),
        ("HEAD", "/v1/", 5),
    ]
    for fault in (Hold(), Respond(503), CutAnswer())
    if (method, fault) != ("HEAD", CutAnswer())  # it has no body
]
CHUNKS_KNOWN = "select recording_id::text, seq, sha256, state, generation from chunks order by 1, 2"
WRONG = "select recording_id::text, 'ticket' as what from tickets union all select recording_id::text, 'sighting' from sightings"
FORGET = "truncate recordings, chunks, tickets, sightings, owners cascade"


@pytest.fixture
async def anew(
    running: Running,
    stack: EmbeddedStack,
    settings: Settings,
    bucket_proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Running]:
    """An empty ledger beside a bucket of some recordings, two of them complete; calls are short."""
    for at in range(RECORDINGS):
        async with running.recorder() as recorder:
            await recorded(recorder, CHUNKS, complete=at < 2)
    while (await running.plane.services.manifests.run()).written:
        pass
    monkeypatch.setattr("control_plane.wiring.S3Bucket", partial(S3Bucket, call_s=CALL_S))
    monkeypatch.setattr("control_plane.services.looking.SILENT_S", CALL_S)
    (deployment,) = await running.sql("select id from deployment")
    with fresh_database(stack) as url:
        lost = on(settings, stack, url).model_copy(
            update={"s3_endpoint": bucket_proxy.url, "s3_public_endpoint": settings.s3_endpoint}
        )
        async with running_plane(stack, lost, claims=False) as found:
            await found.sql("update deployment set id = %(id)s", deployment)  # as the first rebuild does
            yield found


def fall_ill(proxy: FaultProxy, method: str, path: str, skip: int, fault: Fault) -> None:
    proxy.add(method, path, fault, skip=skip, times=None)


def recover(proxy: FaultProxy) -> None:
    proxy.clear()
    proxy.release_held()


async def test_an_audit_takes_up_what_it_reached_and_the_next_one_the_rest(
    anew: Running, bucket_proxy: FaultProxy
) -> None:
    audit = anew.plane.audit.run
    await audit()
    expected = await anew.sql(CHUNKS_KNOWN)
    assert len(expected) == RECORDINGS * CHUNKS
    for sick in SICK:
        await anew.sql(FORGET)
        fall_ill(bucket_proxy, *sick)
        report = await asyncio.wait_for(audit(), DEADLINE_S)
        taken = await anew.sql(CHUNKS_KNOWN)
        told = report.outcome == "undecided" or report.detail["unreachable"] == len(expected) - len(taken)
        assert (told, report.detail["taken_up"]) == (True, len(taken)), sick
        assert len(taken) < len(expected), sick
        assert await anew.sql(WRONG) == [], sick
        recover(bucket_proxy)
        assert (await audit()).outcome == "decided"
        assert await anew.sql(CHUNKS_KNOWN) == expected, sick
        assert not await anew.plane.services.quotas.recount_all()


@pytest.mark.thorough
async def test_a_rebuild_leaves_open_what_it_did_not_reach(anew: Running, bucket_proxy: FaultProxy) -> None:
    async def ledger() -> Sequence[Any]:
        return [*await anew.sql(CHUNKS_KNOWN), *await anew.sql("select id, state from recordings order by id")]

    assert (await rebuild(anew)).completed == 2
    expected = await ledger()
    for sick in SICK:
        await anew.sql(FORGET)
        fall_ill(bucket_proxy, *sick)
        try:
            rebuilt = await asyncio.wait_for(rebuild(anew), DEADLINE_S)
        except BucketUnreachable:
            pass
        else:
            taken = await anew.sql(CHUNKS_KNOWN)
            assert (rebuilt.taken.unreached, rebuilt.taken.unproven) == (RECORDINGS * CHUNKS - len(taken), 0), sick
            assert not rebuilt.whole
        assert await anew.sql(WRONG) == [], sick
        recover(bucket_proxy)
        assert (await rebuild(anew)).whole
        assert await ledger() == expected, sick
        assert not await anew.plane.services.quotas.recount_all()
