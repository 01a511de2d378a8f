"""`/metrics`: what a scraper reads says how the deployment is."""

import math

import pytest

from tests.support.plane import Running
from tests.support.tickets import scrape

AGE_S = 600.0  # what happened in this test is not older

pytestmark = pytest.mark.anyio


async def test_an_empty_deployment_has_nothing_to_alert_on_but_that_nobody_works(running: Running) -> None:
    await running.sql("update audited_shards set audited_at = now()")
    found = await scrape(running)
    assert found.pop("safereel_workers_silent_seconds") == math.inf
    assert 0 <= found.pop("safereel_audit_oldest_shard_seconds") < AGE_S
    assert set(found.values()) == {0.0}


async def test_audits_and_waiting_work_show_with_their_age(running: Running) -> None:
    await running.sql("update audited_shards set audited_at = now() - interval '1 day' where shard = 77")
    await running.plane.services.dispatch.audit()
    await running.sql("update procrastinate.procrastinate_events set at = now() - interval '1 hour'")
    await running.plane.queue.app.job_manager.register_worker()
    found = await scrape(running)
    assert found["safereel_audit_oldest_shard_seconds"] >= 86_400
    assert found["safereel_sweeps_waiting_seconds"] >= 3_600
    assert 0 <= found["safereel_workers_silent_seconds"] < AGE_S


async def test_drift_shows_until_the_next_recount_and_is_counted_for_ever(running: Running) -> None:
    async with running.recorder("alice") as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(0, size=1_000)])
    await running.sql("update owners set used_bytes = used_bytes + 7, limit_bytes = 900 where id = 'alice'")
    await running.plane.services.quotas.recount_all()
    found = await scrape(running)
    assert (found["safereel_quota_drifts_total"], found["safereel_quota_drift_bytes"]) == (1, 7)
    assert (found["safereel_quota_used_bytes"], found["safereel_owners_over_quota"]) == (1_000, 1)


async def test_a_deletion_that_fails_shows_with_its_age(running: Running) -> None:
    async with running.recorder("alice") as recorder:
        await recorder.start()
        await recorder.call("DELETE", f"/v1/recordings/{recorder.recording_id}")
    await running.sql("update recordings set purge_failures = 3, deleting_at = now() - interval '1 hour'")
    found = await scrape(running)
    assert (found["safereel_deletions"], found["safereel_deletions_failing"]) == (1, 1)
    assert 3_600 <= found["safereel_deletions_failing_oldest_seconds"] < 4_000


async def test_what_its_owner_has_deleted_is_waited_for_by_nobody(running: Running) -> None:
    async with running.recorder("alice") as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(seq, size=1_000) for seq in range(3)])
        await running.sql("update chunks set state = 'lost' where seq = 2")
        await running.sql("update chunks set acked_at = now() - interval '1 hour'")
        found = await scrape(running)
        assert (found["safereel_chunks_unconfirmed"], found["safereel_chunks_lost"]) == (2, 1)
        assert 3_600 <= found["safereel_chunks_unconfirmed_oldest_seconds"] < 4_000
        await recorder.call("DELETE", f"/v1/recordings/{recorder.recording_id}")
    running.plane.services.figures._found = None
    found = await scrape(running)
    assert (found["safereel_chunks_unconfirmed"], found["safereel_chunks_lost"]) == (0, 0)
    assert found["safereel_chunks_unconfirmed_oldest_seconds"] == 0


async def test_what_was_read_back_shows_as_coverage(running: Running) -> None:
    async with running.recorder("alice") as recorder:
        await recorder.start()
        await recorder.send([recorder.chunk(seq, size=1_000) for seq in range(4)])
        await running.plane.confirm.run()
        await running.sql("update chunks set confirmed_at = now() - interval '3 days'")
        assert 259_200 <= (await scrape(running))["safereel_fixity_oldest_unread_seconds"] < 259_300
        await running.sql("update fixity set credited_at = now() - interval '1 hour'")
        await running.plane.fixity.run()
        await running.sql("update chunks set read_at = now() - interval '40 days' where seq = 0")
        await running.sql("update fixity set covered_at = null")
        await running.plane.fixity.run()
    running.plane.services.figures._found = None
    found = await scrape(running)
    covered = {
        within: found[f'safereel_fixity_coverage_ratio{{within="{within}"}}'] for within in ("30d", "90d", "ever")
    }
    assert covered == {"30d": 1.0, "90d": 1.0, "ever": 1.0}, "the old one was due again"
    assert (found["safereel_fixity_read_chunks_total"], found["safereel_fixity_read_bytes_total"]) == (5, 5_000)
    assert found["safereel_fixity_oldest_unread_seconds"] < 60
