"""Reconciliation: what vanishes is found, asked for once, and seen again; what cannot be trusted decides nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.domain.bucket import BucketUnreachable
from control_plane.embedded import EmbeddedStack
from control_plane.services.deployment import WrongBucket
from control_plane.wiring import open_control_plane
from tests.support.plane import Running, fresh_bucket, running_plane
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

LEDGER = "select recording_id, seq, state, generation, etag, acked_at, confirmed_at from chunks order by 1, 2"


@asynccontextmanager
async def recorded(running: Running, count: int = 4) -> AsyncIterator[tuple[Recorder, list[Chunk]]]:
    """A recording with `count` confirmed chunks."""
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=3_000) for seq in range(count)]
        await recorder.send(chunks)
        await running.plane.confirm.run()
        yield recorder, chunks


async def tickets(running: Running) -> list[dict[str, Any]]:
    return await running.sql("select seq, reason, state, cause from tickets order by opened_at, seq")


async def test_a_vanished_chunk_comes_back(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await running.delete_object(await running.key_of(recorder, 2))

        first = await running.plane.audit.run()
        assert first.detail["discrepancies"] == {"missing": 1}
        assert (first.detail["first_sightings"], first.detail["tickets_opened"]) == (1, 0), "one sighting is none"
        assert not (await recorder.beat(chunks)).tickets
        held = (await recorder.beat(chunks)).releases[recorder.recording_id]
        assert 2 not in {seq for seq, _ in held}, "what a sweep doubts is not released"

        assert (await running.plane.audit.run()).detail["tickets_opened"] == 1
        assert (await recorder.status()).missing == [[2, 2]]
        (ticket,) = (await recorder.beat(chunks)).tickets
        assert (ticket.seq, ticket.sha256, ticket.reason) == (2, chunks[2].sha256, "missing")

        put = await recorder.put(ticket, chunks[2])
        assert put.status == 200
        (ack,) = await recorder.ack([(2, put.etag)])
        assert (ack.verdict, ack.state) == ("match", "acked")
        assert await tickets(running) == [{"seq": 2, "reason": "missing", "state": "fulfilled", "cause": "acked"}]
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 3]]
        assert (await recorder.complete(chunks)).complete


@pytest.mark.parametrize(("other", "reason"), [(b"x" * 3_000, "etag_differs"), (b"x" * 2_999, "size_differs")])
async def test_an_overwritten_chunk_is_found_and_repaired(running: Running, other: bytes, reason: str) -> None:
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 1)
        await running.put_object(key, other)
        await running.plane.audit.run()
        await running.plane.audit.run()
        (ticket,) = (await recorder.beat(chunks)).tickets
        assert (ticket.seq, ticket.reason) == (1, reason)
        assert "if-none-match" not in ticket.put.headers, "the wrong bytes are in the way"
        put = await recorder.put(ticket, chunks[1])
        assert put.status == 200
        (ack,) = await recorder.ack([(1, put.etag)])
        assert ack.verdict == "match"
        got = running.s3.get_object(Bucket=running.settings.s3_bucket_name, Key=key)
        assert got["Body"].read() == chunks[1].data
        await running.plane.confirm.run()
        assert (await running.plane.audit.run()).detail["discrepancies"] == {}


async def test_run_one_and_two_do_the_work_and_run_three_nothing(running: Running) -> None:
    async with recorded(running) as (recorder, _chunks):
        await running.delete_object(await running.key_of(recorder, 0))
        untouched = [row for row in await running.sql(LEDGER) if row["seq"] != 0]
        await running.plane.audit.run()
        await running.plane.audit.run()
        before = await tickets(running)
        third = await running.plane.audit.run()
        assert (third.detail["first_sightings"], third.detail["tickets_opened"]) == (0, 0)
        assert await tickets(running) == before
        assert [row for row in await running.sql(LEDGER) if row["seq"] != 0] == untouched


async def test_two_sweeps_at_once_open_one_ticket(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        for seq in range(4):
            await running.delete_object(await running.key_of(recorder, seq))
        async with open_control_plane(running.settings) as other:
            await asyncio.gather(running.plane.audit.run(), other.audit.run())
            assert len(await running.sql("select * from sightings")) == 4
            await asyncio.gather(running.plane.audit.run(), other.audit.run(), running.plane.audit.run())
        assert [ticket["seq"] for ticket in await tickets(running)] == [0, 1, 2, 3]


async def test_confirm_hands_what_does_not_match_to_the_same_rules(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=1_000) for seq in range(3)]
        await recorder.send(chunks)
        await running.delete_object(await running.key_of(recorder, 1))
        first = await running.plane.confirm.run()
        assert (first.detail["confirmed"], first.detail["first_sightings"]) == (2, 1)
        second = await running.plane.confirm.run()
        assert second.detail["tickets_opened"] == 1
        assert {seq for seq, _ in (await recorder.beat(chunks)).releases[recorder.recording_id]} == {0, 2}


async def test_a_dry_run_says_and_does_nothing(running: Running) -> None:
    async with recorded(running) as (recorder, _chunks):
        await running.delete_object(await running.key_of(recorder, 0))
        before = await running.sql(LEDGER)
        assert (await running.plane.audit.run(dry_run=True)).detail["first_sightings"] == 1
        await running.plane.audit.run()
        assert (await running.plane.audit.run(dry_run=True)).detail["tickets_that_would_open"] == 1
        assert await running.sql(LEDGER) == before
        assert await tickets(running) == []
        await recorder.send([recorder.chunk(4)])
        assert (await running.plane.confirm.run(dry_run=True)).detail["confirmed"] == 1
        assert (await recorder.status()).confirmed == [[0, 3]]


async def test_a_chunk_that_was_away_once_is_forgotten(running: Running) -> None:
    """A listing that lagged, then the object is there again: no ticket, and releases go on."""
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 0)
        await running.hide_object(key)
        await running.plane.audit.run()
        versions = running.s3.list_object_versions(Bucket=running.settings.s3_bucket_name, Prefix=key)
        (marker,) = versions["DeleteMarkers"]
        running.s3.delete_object(Bucket=running.settings.s3_bucket_name, Key=key, VersionId=marker["VersionId"])
        await running.plane.audit.run()
        assert await running.sql("select * from sightings") == []
        assert len((await recorder.beat(chunks)).releases[recorder.recording_id]) == 4


async def test_a_resent_ack_between_listing_and_write_is_not_overwritten(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second sweep has listed and looked; before it writes, the chunk is sent and acked again."""
    async with recorded(running) as (recorder, chunks):
        await running.delete_object(await running.key_of(recorder, 0))
        await running.plane.audit.run()
        writing = type(running.plane.audit._discrepancies).handle

        async def after_a_resend(self: Any, findings: Any, sweep: Any) -> Any:
            assert [finding.chunk.seq for finding in findings] == [0]
            await running.put_object_with_digest(await running.key_of(recorder, 0), chunks[0].data)
            (ack,) = await recorder.ack([(0, None)])
            assert ack.verdict == "match"
            return await writing(self, findings, sweep)

        with monkeypatch.context() as forced:
            forced.setattr(type(running.plane.audit._discrepancies), "handle", after_a_resend)
            report = await running.plane.audit.run()
        assert report.detail["tickets_opened"] == 0
        assert (await recorder.status()).received == [[0, 3]]
        assert await tickets(running) == []


async def test_an_ack_between_listing_and_confirmation_is_not_confirmed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0)])
        confirming = type(running.plane.confirm._sweeps).confirm

        async def after_another_ack(self: Any, seen: Any, started_at: Any) -> Any:
            await recorder.ack([(0, None)])
            return await confirming(self, seen, started_at)

        with monkeypatch.context() as forced:
            forced.setattr(type(running.plane.confirm._sweeps), "confirm", after_another_ack)
            assert (await running.plane.confirm.run()).detail["confirmed"] == 0
        assert (await recorder.status()).confirmed == []
        await running.plane.confirm.run()
        assert (await recorder.status()).confirmed == [[0, 0]]


async def test_a_young_ack_is_left_alone(stack: EmbeddedStack, settings: Settings) -> None:
    settled = settings.model_copy(update={"safereel_settle_ms": 3_600_000})
    async with running_plane(stack, settled) as running, running.recorder() as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0)])
        await running.delete_object(await running.key_of(recorder, 0))
        assert (await running.plane.confirm.run()).looked_at == 0
        assert (await running.plane.audit.run()).looked_at == 0


async def test_a_wrong_or_empty_bucket_decides_nothing(running: Running, stack: EmbeddedStack) -> None:
    async with recorded(running) as (recorder, _):
        before = await running.sql(LEDGER)
        with fresh_bucket(stack) as empty:
            elsewhere = running.settings.model_copy(update={"s3_bucket_name": empty})
            async with open_control_plane(elsewhere) as lost:
                for report in [await lost.audit.run(), await lost.audit.run(), await lost.confirm.run()]:
                    assert report.outcome == "undecided"
                    assert report.cause is not None
                    assert "meta/deployment.json" in report.cause
                with pytest.raises(WrongBucket, match="not the bucket they are in"):
                    await lost.deployment.claim_bucket()
                # Another deployment's bucket: it bears a mark, but not ours.
                running.s3.put_object(
                    Bucket=empty,
                    Key="meta/deployment.json",
                    Body=b'{"version": 1, "deployment_id": "00000000-0000-4000-8000-000000000000"}',
                )
                report = await lost.audit.run()
                assert (report.outcome, report.detail["first_sightings"]) == ("undecided", 0)
                with pytest.raises(WrongBucket, match="another deployment"):
                    await lost.deployment.claim_bucket()
        absent = running.settings.model_copy(update={"s3_bucket_name": "no-such-bucket"})
        async with open_control_plane(absent) as lost:
            assert (await lost.audit.run()).outcome == "undecided"
        assert await running.sql(LEDGER) == before
        assert await running.sql("select * from sightings") == []
        assert await tickets(running) == []
        assert (await recorder.status()).confirmed == [[0, 3]]


async def test_a_bucket_that_loses_its_mark_during_a_sweep_decides_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(running) as (recorder, _):
        await running.delete_object(await running.key_of(recorder, 0))
        await running.plane.audit.run()
        listing = S3Bucket.list_pages

        async def then_unmarked(self: S3Bucket, prefix: str, *, start_after: str = "") -> Any:
            async for page in listing(self, prefix, start_after=start_after):
                yield page
            await running.delete_object("meta/deployment.json")

        with monkeypatch.context() as forced:
            forced.setattr(S3Bucket, "list_pages", then_unmarked)
            assert (await running.plane.audit.run()).outcome == "undecided"
        assert await tickets(running) == []


async def test_a_listing_that_failed_half_way_decides_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(running) as (recorder, _):
        await recorder.send([recorder.chunk(4)])

        async def broken(self: S3Bucket, prefix: str, *, start_after: str = "") -> Any:
            yield []
            raise BucketUnreachable("LIST: the connection broke")

        with monkeypatch.context() as forced:
            forced.setattr(S3Bucket, "list_pages", broken)
            for run in (running.plane.audit.run, running.plane.audit.run, running.plane.confirm.run):
                assert (await run()).outcome == "undecided"
        assert await running.sql("select * from sightings") == []
        assert (await recorder.status()).confirmed == [[0, 3]]


async def test_a_head_that_fails_during_a_sweep_is_no_sighting(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(running) as (recorder, _):
        await running.delete_object(await running.key_of(recorder, 0))

        async def no_answer(self: S3Bucket, key: str) -> None:
            raise BucketUnreachable("HEAD: 503")

        with monkeypatch.context() as forced:
            forced.setattr(S3Bucket, "head", no_answer)
            report = await running.plane.audit.run()
        assert (report.detail["unreachable"], report.detail["first_sightings"]) == (1, 0)


async def test_unexpected_objects_are_counted_by_kind_and_left_alone(running: Running) -> None:
    async with recorded(running) as (recorder, _):
        waiting = recorder.chunk(9, size=100)
        (grant,) = await recorder.grant([waiting])
        await recorder.put(grant, waiting)
        key = await running.key_of(recorder, 0)
        await running.put_object(key.replace("/00000000-", "/00000077-"), b"unknown")
        await running.put_object("v1/00/notes.txt", b"foreign")
        report = await running.plane.audit.run()
        assert report.detail["unexpected"] == {"unacked": 1, "unknown": 1, "foreign": 1}
        assert "v1/00/notes.txt" in str(report.detail["samples"])
        report = await running.plane.audit.run()
        assert report.detail["unexpected"] == {"unknown": 1, "foreign": 1}, (
            "nothing was deleted, the ack that was lost was made"
        )


async def test_reports_are_stored(running: Running) -> None:
    async with recorded(running):
        await running.plane.audit.run()
        rows = await running.sql(
            "select kind, outcome, looked_at, report->>'confirmed' as confirmed from sweeps order by 1"
        )
        assert rows == [
            {"kind": "audit", "outcome": "decided", "looked_at": 4, "confirmed": "0"},
            {"kind": "confirm", "outcome": "decided", "looked_at": 4, "confirmed": "4"},
        ]


async def test_a_ticket_for_what_is_no_longer_held_is_kept_open(running: Running) -> None:
    """`gone` speaks for one recorder; the ticket goes to whichever says it holds the chunk."""
    async with recorded(running) as (recorder, chunks):
        await running.delete_object(await running.key_of(recorder, 0))
        await running.plane.audit.run()
        await running.plane.audit.run()
        assert not (await recorder.beat(chunks[1:])).tickets
        (ticket,) = (await recorder.beat(chunks)).tickets
        await recorder.beat(chunks[1:], gone=[ticket.id])
        assert [row["state"] for row in await tickets(running)] == ["open"]
        assert len(await running.sql("select * from gone_reports")) == 1
        async with running.recorder(recording_id=recorder.recording_id) as second:
            (again,) = (await second.beat(chunks)).tickets
            assert again.id == ticket.id


async def test_in_mass_loss_tickets_come_at_a_bounded_rate(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=10) for seq in range(130)]
        await recorder.send(chunks)
        await running.delete_objects_of(recorder)
        await running.plane.confirm.run()
        await running.plane.confirm.run()
        assert len(await tickets(running)) == 130
        assert len((await recorder.beat(chunks)).tickets) == 100


async def test_doubts_that_prove_harmless_do_not_hide_a_loss(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migrated bucket: every ETag is another, the content is the same. One chunk behind all of them is gone."""
    monkeypatch.setattr("control_plane.services.auditing.DOUBTS_AT_ONCE", 2)
    async with recorded(running, count=7) as (recorder, _chunks):
        await running.sql("update chunks set etag = 'as it was before'")
        await running.delete_object(await running.key_of(recorder, 6))
        first = await running.plane.audit.run()
        assert first.detail["discrepancies"] == {"missing": 1}
        assert first.detail["etags_refreshed"] == 6
        second = await running.plane.audit.run()
        assert (second.detail["tickets_opened"], second.detail["etags_refreshed"]) == (1, 0)


async def test_an_ack_that_does_not_find_a_confirmed_chunk_stops_its_release(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        await running.delete_object(await running.key_of(recorder, 0))
        (ack,) = await recorder.ack([(0, None)])
        assert (ack.verdict, ack.state) == ("missing", "confirmed")
        held = (await recorder.beat(chunks)).releases[recorder.recording_id]
        assert {seq for seq, _ in held} == {1, 2, 3}
        await running.plane.audit.run()
        (ticket,) = (await recorder.beat(chunks)).tickets
        assert ticket.seq == 0


async def test_a_wrong_etag_of_a_client_raises_no_doubt(running: Running) -> None:
    async with recorded(running) as (recorder, _chunks):
        (ack,) = await recorder.ack([(0, '"made-up"')])
        assert ack.verdict == "etag_differs"
        assert await running.sql("select * from sightings") == []


async def test_a_late_ack_does_not_keep_a_doubted_chunk_confirmed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ack's HEAD saw the object, then it vanished and an audit missed it, then the ack is committed."""
    async with recorded(running) as (recorder, chunks):
        committing = type(running.plane.services.acks._chunks).record_acks

        async def after_an_audit(self: Any, owner: str, acks: Any) -> Any:
            await running.delete_object(await running.key_of(recorder, 0))
            await running.plane.audit.run()
            return await committing(self, owner, acks)

        with monkeypatch.context() as forced:
            forced.setattr(type(running.plane.services.acks._chunks), "record_acks", after_an_audit)
            (ack,) = await recorder.ack([(0, None)])
        assert (ack.verdict, ack.state) == ("match", "acked")
        held = (await recorder.beat(chunks)).releases[recorder.recording_id]
        assert {seq for seq, _ in held} == {1, 2, 3}
        await running.plane.confirm.run()
        await running.plane.confirm.run()
        assert [ticket["seq"] for ticket in await tickets(running)] == [0]


async def test_an_object_that_returns_closes_its_ticket(running: Running) -> None:
    async with recorded(running) as (recorder, chunks):
        key = await running.key_of(recorder, 1)
        await running.delete_object(key)
        await running.plane.audit.run()
        await running.plane.audit.run()
        assert (await recorder.status()).missing == [[1, 1]]
        await running.put_object_with_digest(key, chunks[1].data)
        assert (await running.plane.audit.run()).detail["returned"] == 1
        assert await tickets(running) == [{"seq": 1, "reason": "missing", "state": "healed", "cause": "returned"}]
        await running.plane.confirm.run()
        assert (await recorder.complete(chunks)).confirmed == [[0, 3]]


async def test_a_recording_that_cannot_be_listed_does_not_hold_up_the_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running.recorder() as bad, running.recorder() as good:
        for recorder in (bad, good):
            await recorder.start()
            await recorder.send([recorder.chunk(0)])
        listing = S3Bucket.list_pages

        async def fails_for_one(self: S3Bucket, prefix: str, *, start_after: str = "") -> Any:
            if bad.recording_id in prefix:
                raise BucketUnreachable("LIST: a key that cannot be read")
            async for page in listing(self, prefix, start_after=start_after):
                yield page

        with monkeypatch.context() as forced:
            forced.setattr(S3Bucket, "list_pages", fails_for_one)
            report = await running.plane.confirm.run()
        assert (report.outcome, report.detail["confirmed"], report.detail["unlisted"]) == ("decided", 1, 1)
        assert (await good.status()).confirmed == [[0, 0]]
        assert (await bad.status()).confirmed == []
        await running.plane.confirm.run()
        assert (await bad.status()).confirmed == [[0, 0]]


async def test_what_is_said_to_be_gone_does_not_keep_the_rest_from_being_asked_for(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=10) for seq in range(102)]
        await recorder.send(chunks)
        await running.delete_objects_of(recorder)
        await running.plane.confirm.run()
        await running.plane.confirm.run()
        first = (await recorder.beat(chunks)).tickets
        await recorder.beat(chunks, gone=[ticket.id for ticket in first])
        asked = {ticket.seq for ticket in (await recorder.beat(chunks)).tickets}
        assert asked >= {100, 101}
