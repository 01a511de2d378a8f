"""The schema's way forward: what was recorded under an older version stays, and counts."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from control_plane.config import Settings
from control_plane.db.migrations import MigrationError, migrate, migrations
from control_plane.db.queries import sql_dir
from control_plane.embedded import EmbeddedStack
from tests.support.databases import admin_connection, database_url
from tests.support.plane import running_plane

pytestmark = pytest.mark.anyio

# What version 0.1.0 could leave behind: an owner with an open and a complete recording; a grant alive, one dead, one acked.
LEDGER_OF_0001 = """
insert into recordings (id, owner, recorder_id, source, mime_type, share_id, shard, state, chunk_count, total_bytes, completed_at)
select id::uuid, 'alice', '6f1c9a52-3f0e-4b7e-9a55-2f6f0c3f9b11', 'recorder', 'video/webm', id, 7, state, count, bytes, at
  from (values ('01905d5e-7b00-7c00-8a00-000000000001', 'open', null::integer, null::bigint, null::timestamptz),
               ('01905d5e-7b00-7c00-8a00-000000000002', 'complete', 1, 4096, now())) as given (id, state, count, bytes, at);
insert into chunks (recording_id, seq, segment, size, sha256, state, etag, expires_at, acked_at, confirmed_at)
select recording_id::uuid, seq, 0, size, sha256(seq::text::bytea), state, etag, now() + alive, acked, confirmed
  from (values ('01905d5e-7b00-7c00-8a00-000000000001', 0, 1000, 'acked', '"a"', interval '1 hour', now(), null),
               ('01905d5e-7b00-7c00-8a00-000000000001', 1, 200, 'granted', null, interval '1 hour', null, null),
               ('01905d5e-7b00-7c00-8a00-000000000001', 2, 30, 'granted', null, interval '-1 hour', null, null),
               ('01905d5e-7b00-7c00-8a00-000000000002', 0, 4096, 'confirmed', '"b"', interval '-1 hour', now(), now()))
       as given (recording_id, seq, size, state, etag, alive, acked, confirmed);
"""


@pytest.fixture
def empty(stack: EmbeddedStack) -> Iterator[str]:
    """The URL of a database without a schema."""
    with admin_connection(stack) as connection:
        connection.execute("create database test_migrations")
        try:
            yield database_url(stack, "test_migrations")
        finally:
            connection.execute("drop database test_migrations with (force)")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, to be changed; what `migrate` takes."""
    folder = tmp_path / "migrations"
    shutil.copytree(sql_dir() / "migrations", folder)
    monkeypatch.setattr("control_plane.db.migrations.sql_dir", lambda: tmp_path)
    return folder


def version_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("select max(number) from schema_migrations").fetchone()
    assert found is not None
    return int(found[0])


def keep_the_first_alone(shipped: Path) -> None:
    for later in sorted(shipped.glob("*.sql"))[1:]:
        later.unlink()


async def test_a_ledger_of_the_first_version_goes_on(
    stack: EmbeddedStack, settings: Settings, empty: str, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_the_first_alone(shipped)
    migrate(empty)
    async with running_plane(stack, settings.model_copy(update={"database_url": SecretStr(empty)})) as running:
        await running.sql(LEDGER_OF_0001)  # the bucket is marked by now: else it would not be the one of these chunks
        monkeypatch.undo()
        applied = migrate(empty)
        assert [migration.number for migration in applied] == list(range(2, len(migrations()) + 1))
        async with running.recorder("alice") as recorder:
            me = await recorder.call("GET", "/v1/me")
            page = await recorder.call("GET", "/v1/recordings")
        assert me["quota"] == {"limit_bytes": None, "used_bytes": 1_000 + 4_096, "reserved_bytes": 200}
        assert {row["state"]: row["received_bytes"] for row in page["recordings"]} == {"open": 1_000, "complete": 4_096}
        assert await running.plane.services.quotas.recount_all() == [], "the counters are those of the ledger"


async def test_whoever_comes_second_has_nothing_to_do(empty: str) -> None:
    first, second = await asyncio.gather(*(asyncio.to_thread(migrate, empty) for _ in range(2)))
    assert sorted([len(first), len(second)]) == [0, len(migrations())]
    assert migrate(empty) == []


def test_one_that_fails_leaves_nothing_of_itself(empty: str, shipped: Path) -> None:
    before = len(migrations())
    broken = shipped / f"{before + 1:04d}_broken.sql"
    broken.write_text("create table half (id integer); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty)
    assert version_of(empty) == before
    with psycopg.connect(empty) as connection:
        assert connection.execute("select to_regclass('half')").fetchone() == (None,)
    broken.write_text("create table whole (id integer);")
    assert [migration.name for migration in migrate(empty)] == ["broken"]


def test_one_that_waits_too_long_for_a_lock_says_what_to_do(empty: str, shipped: Path) -> None:
    before = len(migrate(empty))
    waiting = shipped / f"{before + 1:04d}_waiting.sql"
    waiting.write_text("set lock_timeout = '50ms'; alter table recordings add column more integer;")
    with psycopg.connect(empty) as other:
        other.execute("lock table recordings in access share mode")
        with pytest.raises(MigrationError, match="idle in a transaction"):
            migrate(empty)
    assert version_of(empty) == before


@pytest.mark.parametrize("change", ["edited", "newer"])
def test_a_schema_of_another_version_is_refused(empty: str, shipped: Path, change: str) -> None:
    migrate(empty)
    last = max(shipped.glob("*.sql"))
    if change == "edited":
        last.write_text(last.read_text() + "\n-- one more word")
    else:
        last.unlink()
    with pytest.raises(MigrationError, match="edited after it was applied" if change == "edited" else "newer version"):
        migrate(empty)


def test_migrations_are_numbered_without_a_gap(shipped: Path) -> None:
    (shipped / "0099_far.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match="numbered"):
        migrations()
