"""Either side makes the other whole: the ledger from the bucket, the bucket from recorders."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql as composed
from psycopg.rows import dict_row

from control_plane.config import Settings
from control_plane.db.database import Database, DatabaseUnreachable
from control_plane.domain.keys import manifest_key, recording_key
from control_plane.domain.models import SweepOutcome
from control_plane.embedded import EmbeddedStack
from control_plane.services.deployment import WrongBucket
from control_plane.services.rebuilding import Rebuilt
from tests.support import warm
from tests.support.databases import fresh_database
from tests.support.deletions import finish
from tests.support.plane import Running, environment, running_plane, settings_for
from tests.support.recorder import Chunk, Recorder

pytestmark = pytest.mark.anyio

LEDGER = """
select r.owner, r.recorder_id, r.source, r.mime_type, r.title, r.share_id, r.state as recording, r.chunk_count, r.total_bytes,
       r.created_at, c.recording_id, c.seq, c.segment, c.size, c.sha256, c.etag
  from recordings r left join chunks c on c.recording_id = r.id order by c.recording_id, c.seq
"""
QUOTAS = "select id, used_bytes, reserved_bytes from owners order by id"


def quiet(_: Rebuilt) -> None:
    """Who wants no progress."""


async def rebuild(running: Running, *, dry_run: bool = False) -> Rebuilt:
    return await running.plane.rebuild.run(quiet, dry_run=dry_run)


async def recorded(recorder: Recorder, count: int, *, complete: bool = False) -> list[Chunk]:
    await recorder.start(title="A visit – ünïcode")
    chunks = [recorder.chunk(seq, size=2_000 + seq) for seq in range(count)]
    await recorder.send(chunks)
    if complete:
        await recorder.complete(chunks)
    return chunks


def on(settings: Settings, stack: EmbeddedStack, url: str) -> Settings:
    """The same bucket beside another database."""
    return settings_for(stack, url, settings.s3_bucket_name)


@asynccontextmanager
async def beside_an_empty_ledger(stack: EmbeddedStack, settings: Settings) -> AsyncIterator[Running]:
    """A control plane on the same bucket, whose ledger was lost: empty, and of a deployment that the bucket does not know."""
    with fresh_database(stack) as url:
        async with running_plane(stack, on(settings, stack, url), claims=False) as anew:
            await anew.sql("update deployment set id = gen_random_uuid()")  # copies of one template bear the same
            yield anew


async def test_an_empty_ledger_is_made_anew_from_the_bucket(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as alice, running.recorder("bob") as bob:
        held = await recorded(alice, 3)
        done = await recorded(bob, 2, complete=True)
        await running.plane.confirm.run()
        assert (await running.plane.services.manifests.run()).written == 1
        before, quotas = await running.sql(LEDGER), await running.sql(QUOTAS)

        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)

            assert (rebuilt.became, rebuilt.whole, rebuilt.progress) == (True, True, 1.0)
            assert (rebuilt.taken.recordings, rebuilt.taken.chunks, rebuilt.completed) == (2, 5, 1)
            assert await anew.sql(LEDGER) == before
            assert await anew.sql(QUOTAS) == quotas
            assert {row["state"] for row in await anew.sql("select state from chunks")} == {"acked"}

            again = await rebuild(anew)
            assert (again.known, again.taken.recordings, again.taken.chunks, again.completed) == (5, 0, 0, 0)
            assert await anew.sql(QUOTAS) == quotas

            # The recorders go on as if nothing had been: they hold, are released, and send more.
            await anew.plane.confirm.run()
            assert (await anew.plane.audit.run()).detail["discrepancies"] == {}
            alice.move_to(anew.endpoint)
            bob.move_to(anew.endpoint)
            assert {seq for seq, _ in (await alice.beat(held)).releases[alice.recording_id]} == {0, 1, 2}
            assert {seq for seq, _ in (await bob.beat(done)).releases[bob.recording_id]} == {0, 1}
            more = alice.chunk(3, size=100)
            await alice.send([more])
            assert (await alice.complete([*held, more])).complete


async def test_a_dry_run_tells_and_changes_nothing(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 2, complete=True)
        await running.plane.services.manifests.run()
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew, dry_run=True)
            assert (rebuilt.became, rebuilt.taken.recordings, rebuilt.taken.chunks, rebuilt.completed) == (
                True,
                1,
                2,
                1,
            )
            assert await anew.sql("select 1 from recordings") == []
            assert (await rebuild(anew)).taken.chunks == 2


async def test_beside_a_live_ledger_nothing_changes(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 3)
        await running.plane.confirm.run()
        before = await running.sql("select * from chunks order by seq")
        rebuilt = await rebuild(running)
        assert (rebuilt.became, rebuilt.known, rebuilt.taken.chunks, rebuilt.whole) == (False, 3, 0, True)
        assert await running.sql("select * from chunks order by seq") == before


async def copy_of(stack: EmbeddedStack, url: str, source: str) -> None:
    """Restores into the empty database `url` what `source` has now: a backup."""
    for table in ("deployment", "owners", "recordings", "chunks"):
        rows = await rows_of(source, table)
        await insert_rows(url, table, rows)


async def rows_of(url: str, table: str) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        cursor = await connection.execute(composed.SQL("select * from {}").format(composed.Identifier(table)))
        return await cursor.fetchall()


async def insert_rows(url: str, table: str, rows: list[dict[str, Any]]) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(composed.SQL("delete from {}").format(composed.Identifier(table)))
        for row in rows:
            await connection.execute(
                composed.SQL("insert into {} ({}) values ({})").format(
                    composed.Identifier(table),
                    composed.SQL(", ").join(map(composed.Identifier, row)),
                    composed.SQL(", ").join(map(composed.Placeholder, row)),
                ),
                row,
            )


async def test_a_database_restored_from_an_old_backup_converges_by_audits_alone(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    """Recorders went on after the backup: more chunks, a new recording, some of it released and gone from the device."""
    async with running.recorder() as alice, running.recorder("bob") as bob:
        await alice.start()
        early = [alice.chunk(seq, size=1_000) for seq in range(2)]
        await alice.send(early)
        (granted,) = await alice.grant([alice.chunk(2, size=1_000)])
        with fresh_database(stack) as url:
            await copy_of(stack, url, running.settings.database_url.get_secret_value())

            late = [alice.chunk(seq, size=1_000) for seq in range(2, 5)]
            assert granted.seq == 2
            await alice.send(late)
            await recorded(bob, 2)
            await running.plane.confirm.run()

            async with running_plane(stack, on(settings, stack, url)) as restored:
                report = await restored.plane.audit.run()
                assert (report.detail["adopted"], report.detail["taken_up"]) == (1, 4)
                await restored.plane.confirm.run()
                alice.move_to(restored.endpoint)
                bob.move_to(restored.endpoint)
                assert (await alice.status()).confirmed == [[0, 4]]
                assert (await bob.status()).confirmed == [[0, 1]]
                assert await restored.sql(QUOTAS) == await running.sql(QUOTAS)
                assert (await restored.plane.audit.run()).detail["taken_up"] == 0


async def test_what_a_manifest_names_and_the_bucket_lost_is_asked_for(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 3, complete=True)
        await running.plane.services.manifests.run()
        await running.delete_object(await running.key_of(recorder, 1))
        async with beside_an_empty_ledger(stack, settings) as anew:
            assert ((await rebuild(anew)).missing, await anew.sql(QUOTAS)) == (1, await running.sql(QUOTAS))
            recorder.move_to(anew.endpoint)
            status = await recorder.status()
            assert (status.complete, status.missing) == (True, [[1, 1]])
            (ticket,) = (await recorder.beat(chunks)).tickets
            assert (ticket.seq, ticket.sha256) == (1, chunks[1].sha256)
            put = await recorder.put(ticket, chunks[1])
            (ack,) = await recorder.ack([(1, put.etag)])
            assert ack.verdict == "match"
            assert (await recorder.status()).received == [[0, 2]]
            assert await anew.sql("select state from tickets") == [{"state": "fulfilled"}]


async def test_the_bucket_emptied_is_refilled_from_recorders(running: Running, settings: Settings) -> None:
    """All that was not released comes back, and with it what a rebuild of the ledger would need."""
    async with running.recorder() as recorder, running.recorder("bob") as bob:
        chunks = await recorded(recorder, 4)
        done = await recorded(bob, 1, complete=True)
        await running.plane.services.manifests.run()
        await asyncio.to_thread(empty, running)
        undecided = await running.plane.audit.run()
        assert undecided.outcome is SweepOutcome.UNDECIDED, "an empty bucket is believed by nobody"
        with pytest.raises(WrongBucket, match="provision --emptied"):
            await running.plane.deployment.claim_bucket()

        told = await asyncio.to_thread(run_command, settings, "provision", "--emptied")
        assert (told.returncode, "marked again" in told.stdout) == (0, True), told.stderr

        await running.plane.audit.run()
        await running.plane.audit.run()
        for sender, held in ((recorder, chunks), (bob, done)):
            by_seq = {chunk.seq: chunk for chunk in held}
            while tickets := (await sender.beat(held)).tickets:
                for ticket in tickets:
                    put = await sender.put(ticket, by_seq[ticket.seq])
                    await sender.ack([(ticket.seq, put.etag)])
        await running.plane.confirm.run()
        assert (await running.plane.services.manifests.run()).written == 1
        assert (await recorder.status()).confirmed == [[0, 3]]
        assert (await bob.status()).confirmed == [[0, 0]]
        report = await running.plane.audit.run()
        assert (report.detail["discrepancies"], report.detail["meta_missing"]) == ({}, 0)


async def test_a_description_that_vanished_is_written_again(running: Running) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 1, complete=True)
        await running.plane.services.manifests.run()
        for key in (recording_key(UUID(recorder.recording_id)), manifest_key(UUID(recorder.recording_id))):
            before = await stored(running, key)
            await running.delete_object(key)
            assert (await running.plane.audit.run(dry_run=True)).detail["meta_missing"] == 1
            assert (await running.plane.audit.run()).detail["meta_missing"] == 1
            await running.plane.services.manifests.run()
            assert await stored(running, key) == before
        assert (await running.plane.audit.run()).detail["meta_missing"] == 0


async def stored(running: Running, key: str) -> bytes:
    got = await asyncio.to_thread(running.s3.get_object, Bucket=running.settings.s3_bucket_name, Key=key)
    body: bytes = got["Body"].read()
    return body


def empty(running: Running) -> None:
    """Removes everything that is in the bucket, its mark too."""
    bucket = running.settings.s3_bucket_name
    for page in running.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            running.s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


BAD_DESCRIPTIONS: Mapping[str, bytes | None] = {
    "absent": None,
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "another recording's": b'{"version": 1, "id": "01920000-0000-7000-8000-0000000000aa"}',
    "without an owner": b'{"version": 1, "owner": ""}',
}


@pytest.mark.parametrize("body", BAD_DESCRIPTIONS.values(), ids=BAD_DESCRIPTIONS.keys())
async def test_whose_a_recording_is_is_never_guessed(
    running: Running, stack: EmbeddedStack, settings: Settings, body: bytes | None
) -> None:
    async with running.recorder() as recorder, running.recorder("bob") as other:
        await recorded(recorder, 2)
        await recorded(other, 1)
        key = recording_key(UUID(recorder.recording_id))
        await running.delete_object(key)
        if body is not None:
            await running.put_object(key, body)
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.taken.undescribed, rebuilt.taken.chunks, rebuilt.whole) == (2, 1, False)
            assert [row["owner"] for row in await anew.sql("select owner from recordings")] == ["bob"]


async def test_only_the_bytes_that_the_key_names_are_taken_up(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 3)
        await running.put_object(await running.key_of(recorder, 1), b"x" * chunks[1].size)
        await running.put_object("v1/00/notes.txt", b"somebody's")
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.taken.chunks, rebuilt.taken.unproven, rebuilt.foreign) == (2, 1, 1)
            assert [row["seq"] for row in await anew.sql("select seq from chunks order by seq")] == [0, 2]


async def test_a_ledger_that_is_another_deployments_is_refused(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 1)
        async with beside_an_empty_ledger(stack, settings) as anew:
            await anew.sql(
                "insert into recordings (id, owner, recorder_id, source, mime_type, share_id, shard)"
                " values (gen_random_uuid(), 'x', gen_random_uuid(), 'file', 'a/b', 's', 0)"
            )
            for dry_run in (True, False):
                with pytest.raises(WrongBucket, match="not empty"):
                    await rebuild(anew, dry_run=dry_run)
            assert await anew.sql("select 1 from chunks") == []


async def test_a_bucket_without_a_mark_is_refused(running: Running) -> None:
    await running.delete_object("meta/deployment.json")
    with pytest.raises(WrongBucket, match=r"no meta/deployment\.json"):
        await rebuild(running)


async def test_a_deleted_recording_is_not_taken_up_again(running: Running) -> None:
    async with running.recorder() as recorder:
        (chunk,) = await recorded(recorder, 1)
        key = await running.key_of(recorder, 0)
        await recorder.delete()
        await finish(running)
        await running.put_object_with_digest(key, chunk.data)
        rebuilt = await rebuild(running)
        assert (rebuilt.taken.chunks, rebuilt.taken.recordings, rebuilt.taken.refused) == (0, 0, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        json.dumps({"version": 2}).encode(),
        b'{"version": 1, "chunk_count": -1}',
    ],
)
async def test_a_manifest_that_is_none_completes_nothing(running: Running, body: bytes) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 1)
        await running.put_object(manifest_key(UUID(recorder.recording_id)), body)
        rebuilt = await rebuild(running)
        assert (rebuilt.completed, rebuilt.bad_manifests, rebuilt.whole) == (0, 1, False)
        assert not (await recorder.status()).complete


async def test_two_at_once_take_up_each_thing_once(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    async with running.recorder() as recorder:
        await recorded(recorder, 3, complete=True)
        await running.plane.services.manifests.run()
        async with beside_an_empty_ledger(stack, settings) as anew:
            one, two = await asyncio.gather(rebuild(anew), rebuild(anew))
            assert one.taken.chunks + two.taken.chunks == 3
            assert one.completed + two.completed == 1
            assert await anew.sql(QUOTAS) == await running.sql(QUOTAS)


def run_command(settings: Settings, *arguments: str) -> warm.Ended:
    return warm.run(arguments, env=environment(settings), timeout=120)


async def test_the_command_says_what_it_did_and_what_is_left(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 2)
        with fresh_database(stack) as url:
            lost = on(settings, stack, url)
            would = await asyncio.to_thread(run_command, lost, "rebuild", "--dry-run")
            assert (would.returncode, would.stderr) == (0, "")
            assert "1 recordings and 2 chunks would be taken up" in would.stdout

            await running.put_object(await running.key_of(recorder, 1), b"x" * chunks[1].size)
            told = await asyncio.to_thread(run_command, lost, "rebuild", "--json")
            facts = json.loads(told.stdout)
            assert (told.returncode, facts["whole"], facts["chunks_taken_up"], facts["unproven"]) == (1, False, 1, 1)

            again = await asyncio.to_thread(run_command, lost, "rebuild")
            assert again.returncode == 1
            assert "1 objects whose bytes are not those that their key names" in again.stdout


async def test_the_command_explains_a_bucket_that_is_not_there(settings: Settings) -> None:
    told = await asyncio.to_thread(run_command, settings, "rebuild")
    assert told.returncode != 0
    assert "meta/deployment.json" in told.stderr
    assert "Traceback" not in told.stderr


async def test_cut_off_while_it_asks_for_what_is_missing_it_goes_on(
    running: Running, stack: EmbeddedStack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long recording of which nothing is left but its manifest is asked for in pages, each of them a commit."""
    monkeypatch.setattr("control_plane.db.rebuilding.ABSENT_TOGETHER", 2)
    async with running.recorder() as recorder:
        chunks = await recorded(recorder, 5, complete=True)
        await running.plane.services.manifests.run()
        for chunk in chunks:
            await running.delete_object(await running.key_of(recorder, chunk.seq))
        async with beside_an_empty_ledger(stack, settings) as anew:
            together, calls = Database.together, 0

            async def dies(database: Database, *statements: Any, **given: Any) -> Any:
                nonlocal calls
                calls += statements[-1][0] == "chunks_absent"
                if calls == 2:
                    raise DatabaseUnreachable("killed")
                return await together(database, *statements, **given)

            with monkeypatch.context() as killed:
                killed.setattr(Database, "together", dies)
                with pytest.raises(DatabaseUnreachable):
                    await rebuild(anew)
            assert await anew.sql("select count(*) as n from tickets") == [{"n": 2}]
            assert await anew.sql("select state from recordings") == [{"state": "open"}]

            again = await rebuild(anew)
            assert (again.completed, again.missing) == (1, 3)
            assert await anew.sql("select state, count(*) as n from tickets group by state") == [
                {"state": "open", "n": 5}
            ]
            assert await anew.sql("select state from recordings") == [{"state": "complete"}]
            assert await anew.sql(QUOTAS) == await running.sql(QUOTAS)
            assert not await anew.plane.services.quotas.recount_all()
