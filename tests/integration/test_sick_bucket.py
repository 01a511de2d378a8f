"""A bucket that hangs, answers 503 or half a body: an audit and a rebuild end, decide nothing wrong, and the next run goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
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
# Calls are cut off after less than half a second here: a busy machine needs as long now and then, hardly so often in a row.
MOST_RUNS = 5
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


async def audit(anew: Running) -> tuple[Sequence[Any], str]:
    """Runs one; what is known after it, and why not all of it, which its report has to tell: empty where it tells of nothing."""
    before = len(await anew.sql(CHUNKS_KNOWN))
    report = await asyncio.wait_for(anew.plane.audit.run(), DEADLINE_S)
    known = await anew.sql(CHUNKS_KNOWN)
    assert report.detail["taken_up"] == len(known) - before
    assert await anew.sql(WRONG) == []
    if report.outcome == "undecided":
        return known, "undecided"
    missed = RECORDINGS * CHUNKS - len(known)
    assert report.detail["unreachable"] == missed
    return known, f"{missed} unreachable" if missed else ""


async def audits(anew: Running) -> Sequence[Any]:
    """What is known after as many as it takes: a machine that is busy for as long as a call may last is a silent store, too."""
    for _ in range(MOST_RUNS):
        known, lacking = await audit(anew)
        if not lacking:
            break
    assert len(known) == RECORDINGS * CHUNKS, lacking
    return known


async def test_an_audit_takes_up_what_it_reached_and_the_next_one_the_rest(
    anew: Running, bucket_proxy: FaultProxy
) -> None:
    expected = await audits(anew)
    for sick in SICK:
        await anew.sql(FORGET)
        fall_ill(bucket_proxy, *sick)
        taken, lacking = await audit(anew)
        assert lacking, sick
        assert len(taken) < len(expected), sick
        recover(bucket_proxy)
        assert await audits(anew) == expected, sick
        assert not await anew.plane.services.quotas.recount_all()


@pytest.mark.thorough
async def test_a_rebuild_leaves_open_what_it_did_not_reach(anew: Running, bucket_proxy: FaultProxy) -> None:
    async def ledger() -> Sequence[Any]:
        return [*await anew.sql(CHUNKS_KNOWN), *await anew.sql("select id, state from recordings order by id")]

    async def rebuilt_whole() -> Sequence[Any]:
        for _ in range(MOST_RUNS):
            with suppress(BucketUnreachable):
                if (await rebuild(anew)).whole:
                    break
        return await ledger()

    expected = await rebuilt_whole()
    assert len(expected) == RECORDINGS * (CHUNKS + 1)
    assert [row["state"] for row in expected].count("complete") == 2
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
        assert await rebuilt_whole() == expected, sick
        assert not await anew.plane.services.quotas.recount_all()
