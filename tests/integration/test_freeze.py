"""Mass loss: releases stop before anything else happens, repair goes on, and releases go on when audits find nothing new."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from control_plane.config import Settings
from control_plane.db.sweeps import SweepStore
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.keys import DEPLOYMENT_KEY
from control_plane.embedded import EmbeddedStack
from control_plane.services.keeping_meta import MetaKeeper
from control_plane.wiring import open_control_plane
from tests.support.plane import Running, running_plane
from tests.support.recorder import Beat, Chunk, Recorder
from tests.support.tickets import administrator, recorded, scrape

pytestmark = pytest.mark.anyio


@pytest.fixture
async def running(stack: EmbeddedStack, settings: Settings) -> AsyncIterator[Running]:
    """A control plane to which four chunks are much."""
    wary = settings.model_copy(update={"safereel_freeze_chunks": 4, "safereel_freeze_percent": 20})
    async with running_plane(stack, wary) as found:
        yield found


async def vanish(running: Running, recorder: Recorder, seqs: Sequence[int]) -> None:
    for seq in seqs:
        await running.delete_object(await running.key_of(recorder, seq))


async def audit(running: Running, *, dry_run: bool = False) -> Any:
    return (await running.plane.audit.run(dry_run=dry_run)).detail


async def freezes(running: Running) -> list[dict[str, Any]]:
    return await running.sql("select cause, thawed_by from freezes order by frozen_at")


async def released(recorder: Recorder, chunks: Sequence[Chunk]) -> set[int]:
    return {seq for seq, _ in (await recorder.beat(chunks)).releases.get(recorder.recording_id, ())}


async def send_again(recorder: Recorder, beat: Beat, chunks: Sequence[Chunk]) -> None:
    for ticket in beat.tickets:
        put = await recorder.put(ticket, chunks[ticket.seq])
        await recorder.ack([(ticket.seq, put.etag)])


async def test_mass_loss_stops_releases_and_nothing_else(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("control_plane.services.figures.KEEP_S", 0.0)
    async with recorded(running, count=10) as (recorder, chunks), administrator(running) as admin:
        await vanish(running, recorder, range(5))
        assert await released(recorder, chunks) == set(range(10)), "nobody knows of it yet"
        with caplog.at_level(logging.ERROR):
            await audit(running)
        assert "Releases are frozen" in caplog.text
        assert await released(recorder, chunks) == set(), "also of what is there: it may be next"
        overview = await admin.call("GET", "/v1/admin/overview")
        assert (overview["frozen"], overview["freeze"]["cause"]) == (True, "missing")
        assert overview["freeze"]["detail"] == {"found": 5, "looked_at": 10}
        assert (await scrape(running))["safereel_releases_frozen"] == 1

        new = recorder.chunk(10, size=3_000)
        assert [ack.verdict for ack in await recorder.send([new])] == ["match"], "recording goes on"
        assert (await running.plane.confirm.run()).detail["confirmed"] == 1
        assert (await audit(running))["tickets_opened"] == 5
        await send_again(recorder, await recorder.beat(chunks), chunks)
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 10]]
        assert await released(recorder, chunks) == set(), "the last audit still found something"

        await audit(running)
        assert await released(recorder, chunks) == set(range(10))
        assert await freezes(running) == [{"cause": "missing", "thawed_by": "audit"}]
        told = await running.sql("select kind, cause from events where kind like 'releases%%' order by id")
        assert told == [
            {"kind": "releases_frozen", "cause": "missing"},
            {"kind": "releases_thawed", "cause": "audit"},
        ]


async def test_releases_have_stopped_when_the_first_ticket_is_opened(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(running, count=10) as (recorder, chunks):
        await vanish(running, recorder, range(5))
        recording, opening = SweepStore.record_sightings, SweepStore.open_tickets
        seen: list[set[int]] = []

        async def sighted(self: Any, findings: Any) -> Any:
            seen.append(await released(recorder, chunks))
            return await recording(self, findings)

        async def opened(self: Any, findings: Any) -> Any:
            seen.append(await released(recorder, chunks))
            return await opening(self, findings)

        with monkeypatch.context() as forced:
            forced.setattr(SweepStore, "record_sightings", sighted)
            forced.setattr(SweepStore, "open_tickets", opened)
            await audit(running)
            await audit(running)
        assert seen == [set(), set()]


@pytest.mark.parametrize("mark", [None, b'{"version": 1, "deployment_id": "3b0f7f0c-4b43-4a53-9a41-1c4f0b7a2f11"}'])
async def test_a_bucket_that_is_not_provably_ours_stops_releases(
    running: Running, mark: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Emptied, or another's: what the ledger calls confirmed may be nowhere but on devices."""
    bucket = running.settings.s3_bucket_name
    ours = (await asyncio.to_thread(running.s3.get_object, Bucket=bucket, Key=DEPLOYMENT_KEY))["Body"].read()
    async with recorded(running, count=3) as (recorder, chunks):
        await running.delete_object(DEPLOYMENT_KEY)
        if mark:
            await running.put_over(DEPLOYMENT_KEY, mark)
        assert (await running.plane.audit.run(dry_run=True)).outcome == "undecided"
        assert await released(recorder, chunks) == {0, 1, 2}, "a dry run changes nothing"
        with caplog.at_level(logging.ERROR):
            assert (await running.plane.confirm.run()).outcome == "undecided"
        assert "Releases are frozen" in caplog.text
        assert await released(recorder, chunks) == set()

        await running.put_object(DEPLOYMENT_KEY, ours)
        await running.plane.confirm.run()
        assert await released(recorder, chunks) == set(), "nobody has looked for them yet"
        await audit(running)
        assert await released(recorder, chunks) == {0, 1, 2}
        assert await freezes(running) == [{"cause": "bucket", "thawed_by": "audit"}]


async def test_two_chunks_of_which_one_is_missing_freeze_nobody(running: Running) -> None:
    async with recorded(running, count=2) as (recorder, chunks):
        await vanish(running, recorder, [0])
        await audit(running)
        await audit(running)
        assert await freezes(running) == []
        assert await released(recorder, chunks) == {1}


async def test_a_small_share_freezes_nobody(running: Running) -> None:
    async with recorded(running, count=30) as (recorder, _):
        await vanish(running, recorder, range(5))
        await audit(running)
        assert await freezes(running) == []


async def test_a_loss_that_goes_on_slowly_adds_up(running: Running) -> None:
    """Two of ten by each of two audits: no sweep of its own found too much."""
    async with recorded(running, count=10) as (recorder, _):
        await vanish(running, recorder, [0, 1])
        await audit(running)
        assert await freezes(running) == []
        await vanish(running, recorder, [2, 3])
        async with open_control_plane(running.settings) as another:
            await another.audit.run()
        assert await freezes(running) == [{"cause": "missing", "thawed_by": None}]


async def test_what_is_lost_does_not_keep_releases_frozen(running: Running) -> None:
    async with recorded(running, count=10) as (recorder, chunks):
        await vanish(running, recorder, range(5))
        await audit(running)
        await audit(running)
        asked = (await recorder.beat(chunks)).tickets
        await recorder.beat(chunks[5:], gone=[ticket.id for ticket in asked])
        assert len((await running.plane.services.tickets.run()).lost) == 5
        await audit(running)
        assert await released(recorder, chunks) == {5, 6, 7, 8, 9}


async def test_what_stays_missing_does_not_keep_releases_frozen(running: Running) -> None:
    """Its holder is switched off: no audit finds it anew."""
    async with recorded(running, count=10) as (recorder, chunks):
        await vanish(running, recorder, range(5))
        for _ in range(3):
            await audit(running)
        assert await released(recorder, chunks) == {5, 6, 7, 8, 9}


async def test_what_comes_back_by_itself_thaws(running: Running) -> None:
    """A store that answered 404 while it was shut down."""
    async with recorded(running, count=10) as (recorder, chunks):
        keys = [await running.key_of(recorder, seq) for seq in range(5)]
        for key in keys:
            await running.hide_object(key)
        await audit(running)
        assert await released(recorder, chunks) == set()
        for key, chunk in zip(keys, chunks, strict=False):
            await running.put_object_with_digest(key, chunk.data)
        await audit(running)
        assert await released(recorder, chunks) == set(range(10))


async def test_audits_by_parts_thaw_when_all_parts_are_through(running: Running) -> None:
    """By whichever workers, in any order; what one of them finds new makes all begin again."""
    async with administrator(running) as admin:
        await admin.call("POST", "/v1/admin/releases/freeze")
    all_covered = running.plane.services.freezing._freezes.all_covered

    async def part(first: int, last: int, *, new: int = 0, outcome: str = "decided", dry_run: bool = False) -> bool:
        await running.sql(
            "insert into sweeps (kind, dry_run, outcome, started_at, looked_at, report, shards)"
            " values ('audit', %(dry_run)s, %(outcome)s, now(), 10,"
            " jsonb_build_object('first_sightings', %(new)s::int, 'tickets_opened', 0, 'tickets_left', 0),"
            " int4range(%(first)s, %(last)s, '[]'))",
            {"dry_run": dry_run, "outcome": outcome, "new": new, "first": first, "last": last},
        )
        return await all_covered()

    assert not await part(128, 255)
    assert not await part(0, 100)
    assert not await part(0, 127, outcome="undecided")
    assert not await part(0, 127, dry_run=True)
    assert not await part(101, 127, new=1), "something new in the last part"
    assert not await part(0, 127)
    assert await part(100, 255), "the same part twice does no harm"


async def test_no_ticket_of_a_sweep_is_more_than_it_may_open(stack: EmbeddedStack, settings: Settings) -> None:
    few = settings.model_copy(update={"safereel_tickets_per_sweep": 2})
    async with running_plane(stack, few) as running, recorded(running, count=5) as (recorder, chunks):
        await vanish(running, recorder, range(5))
        await audit(running)
        dry = await audit(running, dry_run=True)
        assert (dry["tickets_that_would_open"], dry["tickets_left"]) == (2, 3)
        found = [await audit(running) for _ in range(4)]
        assert [(one["tickets_opened"], one["tickets_left"]) for one in found] == [(2, 3), (2, 1), (1, 0), (0, 0)]
        assert await released(recorder, chunks) == set()


async def test_tickets_go_out_slower_while_frozen(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.services.heartbeats.MAX_FROZEN_TICKETS", 2)
    async with recorded(running, count=10) as (recorder, chunks), administrator(running) as admin:
        await vanish(running, recorder, range(5))
        await audit(running)
        await audit(running)
        assert len((await recorder.beat(chunks)).tickets) == 2
        await admin.call("POST", "/v1/admin/releases/thaw")
        assert len((await recorder.beat(chunks)).tickets) == 5


async def test_a_dry_run_says_that_it_would_freeze(running: Running) -> None:
    async with recorded(running, count=10) as (recorder, chunks):
        await vanish(running, recorder, range(5))
        assert (await audit(running, dry_run=True))["releases_would_freeze"] is True
        assert await freezes(running) == []
        assert await released(recorder, chunks) == set(range(10))


async def test_what_an_administrator_thaws_does_not_freeze_for_the_same_again(running: Running) -> None:
    async with recorded(running, count=20) as (recorder, chunks), administrator(running) as admin:
        await vanish(running, recorder, range(5))
        await audit(running)
        answered = await admin.call("POST", "/v1/admin/releases/thaw")
        assert answered == {"frozen": False, "freeze": None}
        assert await released(recorder, chunks) == set(range(5, 20))
        assert (await audit(running))["tickets_opened"] == 5
        assert await released(recorder, chunks) == set(range(5, 20))
        await vanish(running, recorder, range(5, 10))
        await audit(running)
        assert await released(recorder, chunks) == set(), "new losses do"
        assert [row["thawed_by"] for row in await freezes(running)] == ["administrator", None]


async def test_what_an_administrator_froze_an_administrator_thaws(running: Running) -> None:
    async with recorded(running) as (recorder, chunks), administrator(running) as admin:
        first = await admin.call("POST", "/v1/admin/releases/freeze")
        assert (first["frozen"], first["freeze"]["cause"]) == (True, "administrator")
        assert await admin.call("POST", "/v1/admin/releases/freeze") == first
        await audit(running)
        assert await released(recorder, chunks) == set()
        await admin.call("POST", "/v1/admin/releases/thaw")
        await admin.call("POST", "/v1/admin/releases/thaw")
        assert await released(recorder, chunks) == {0, 1, 2, 3}
        assert len(await running.sql("select * from events where kind = 'releases_frozen'")) == 1


async def test_an_administrators_word_outlasts_an_audits(running: Running) -> None:
    async with recorded(running, count=10) as (recorder, chunks), administrator(running) as admin:
        await vanish(running, recorder, range(5))
        await audit(running)
        assert (await admin.call("POST", "/v1/admin/releases/freeze"))["freeze"]["cause"] == "administrator"
        for _ in range(3):
            await audit(running)
        assert await released(recorder, chunks) == set()


async def test_many_unknown_keys_freeze_until_they_are_gone_or_thawed(running: Running) -> None:
    """A ledger that was restored from before they were acked, or another deployment's bucket."""
    async with recorded(running) as (recorder, chunks), administrator(running) as admin:
        key = await running.key_of(recorder, 0)
        strange = [key.replace("/00000000-", f"/{seq:08}-") for seq in range(70, 75)]
        for unknown in strange:
            await running.put_object(unknown, b"unknown")
        await audit(running)
        assert await freezes(running) == [{"cause": "unknown", "thawed_by": None}]
        await audit(running)
        assert await released(recorder, chunks) == set(), "they are still there"
        await admin.call("POST", "/v1/admin/releases/thaw")
        await audit(running)
        assert await released(recorder, chunks) == {0, 1, 2, 3}, "the same ones freeze nobody again"


async def test_unknown_keys_that_go_thaw(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 0)
        strange = [key.replace("/00000000-", f"/{seq:08}-") for seq in range(70, 75)]
        for unknown in strange:
            await running.put_object(unknown, b"unknown")
        await audit(running)
        for unknown in strange:
            await running.delete_object(unknown)
        await audit(running)
        assert await released(recorder, chunks) == {0, 1, 2, 3}


async def test_what_audits_found_before_the_bucket_failed_them_adds_up(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store in trouble loses chunks and breaks audits off: what they had found is told, and stops releases all the same."""

    async def fails(*_: object) -> None:
        raise BucketUnreachable("it hangs")

    async with recorded(running, count=10) as (recorder, chunks):
        with monkeypatch.context() as broken:
            broken.setattr(MetaKeeper, "keep", fails)
            await vanish(running, recorder, [0, 1])
            report = await running.plane.audit.run()
            assert (report.outcome, report.cause) == ("undecided", "it hangs")
            assert (report.detail["first_sightings"], report.detail["discrepancies"]) == (2, {"missing": 2})
            assert await released(recorder, chunks) == set(), "the bucket is in doubt, and nothing was seen there since"
            assert await freezes(running) == []
            await vanish(running, recorder, [2, 3])
            assert (await audit(running))["tickets_opened"] == 2
        assert await freezes(running) == [{"cause": "missing", "thawed_by": None}]
