"""The audit beside the bare listing of the same bucket, from ten thousand chunks to a million; and a confirm of 1,000 recordings.

    python -m tests.load.bench_audit [--chunks 10000 100000 1000000] [--page-ms 0 20] [--real 100000] [--live 1000]

The ledger is filled by SQL. `--chunks`: the listing is replayed from memory by a process of its own, once as fast as it goes
(which no store is: then our own CPU is measured) and once with the time that a store across a network takes for a page. `--real`:
as many small objects in SeaweedFS. `--live`: recordings with a chunk to confirm each, by HEADs to SeaweedFS.

Each measurement is a process of its own, so that its peak of memory is its own. `--plans` prints the plans of the statements.
"""

import argparse
import asyncio
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import uvloop
from pydantic import SecretStr

from control_plane.bucket.provision import provision
from control_plane.config import Settings
from control_plane.db.queries import queries
from control_plane.domain.keys import META_PREFIX, SHARDS, shard_of
from control_plane.domain.work import audit_parts, cut
from control_plane.embedded import EmbeddedStack
from control_plane.wiring import bucket, open_control_plane
from tests.load.bench_bucket import putting
from tests.support.buckets import Place, place_of
from tests.support.databases import fresh_database, make_template
from tests.support.plane import settings_for

# An hour of a recording at 5 s a chunk.
CHUNKS_PER_RECORDING = 720
SIZE = 1_024
AT_ONCE = 64
GOAL = 0.9

RECORDINGS = """
insert into recordings (id, owner, recorder_id, source, mime_type, share_id, shard, created_at, described_at, expires_at)
select id, 'bench', gen_random_uuid(), 'recorder', 'video/webm', id::text, shard, now() - interval '1 day', now(),
       now() + interval '1 day'
  from unnest(%(ids)s::uuid[], %(shards)s::smallint[]) as r (id, shard)
"""
CHUNKS = """
insert into chunks (recording_id, seq, segment, size, sha256, state, generation, etag, granted_at, expires_at, acked_at,
                    confirmed_at)
select r.id, seq, 0, %(size)s, sha256((r.id::text || seq)::bytea), %(state)s, 1, md5(r.id::text || seq), now() - interval '1 day',
       now() - interval '1 day', now() - interval '1 day', case when %(state)s = 'confirmed' then now() end
  from recordings r cross join generate_series(0, %(each)s - 1) as seq
 limit %(count)s
"""
KEYS = """
select chunk_key(r.shard, c.recording_id, c.seq, c.segment, c.size, c.sha256) collate "C" as key, c.size, c.etag
  from chunks c join recordings r on r.id = c.recording_id order by key
"""
META = """
select ('meta/recordings/' || lpad(to_hex(shard::int), 2, '0') || '/' || id || '/recording.json') collate "C" as key,
       300 as size, md5('') as etag
  from recordings order by key
"""
LISTED = "insert into audit_listed select key, size, etag, now() - interval '1 day' from audit_expected"


@dataclass(frozen=True, slots=True)
class Task:
    """What a process of its own measures."""

    what: str
    title: str
    database_url: str
    bucket: str
    endpoint: str
    access_key: str
    secret_key: str
    token_secret: str


def fill(url: str, count: int, *, each: int, state: str) -> None:
    """A ledger of `count` chunks, which all count as older than the settle time."""
    recordings = -(-count // each)
    ids = [UUID(int=int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:16])) for number in range(recordings)]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into owners (id) values ('bench')")
        connection.execute(RECORDINGS, {"ids": ids, "shards": [shard_of(one) for one in ids]})
        connection.execute(CHUNKS, {"size": SIZE, "state": state, "each": each, "count": count})
        connection.execute("vacuum analyze")


@asynccontextmanager
async def replayed(url: str, folder: Path, *, page_ms: float) -> AsyncIterator[str]:
    """The address of a bucket that lists what this ledger expects."""
    file = folder / "listing"
    with psycopg.connect(url) as connection, file.open("w") as out:
        found = connection.execute("select id from deployment").fetchone()
        assert found is not None, "every ledger has an id"
        print(json.dumps({"version": 1, "deployment_id": str(found[0])}), file=out)
        # `meta/` comes before `v1/`, as S3 orders them.
        for statement in (META, KEYS):
            with connection.cursor(name="listing") as cursor:
                for row in cursor.execute(statement):
                    print(*row, file=out)
    command = [sys.executable, "-m", "tests.load.replayed_listing", str(file), str(page_ms)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None, "it is a pipe"
        yield f"http://127.0.0.1:{(await process.stdout.readline()).decode().strip()}"
    finally:
        process.terminate()
        await process.wait()


async def put_chunks(place: Place, url: str) -> None:
    """Puts what the ledger expects into SeaweedFS, and gives the ledger the digests and ETags of that."""
    body = b"x" * SIZE
    digest, etag = hashlib.sha256(body).hexdigest(), hashlib.md5(body, usedforsecurity=False).hexdigest()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update chunks set sha256 = decode(%s, 'hex'), etag = %s", (digest, etag))
        connection.execute("vacuum full analyze chunks")
        keys = [row[0] for statement in (META, KEYS) for row in connection.execute(statement)]
    async with putting(place, SIZE) as put:
        todo = iter(keys)

        async def one_after_another() -> None:
            for key in todo:
                await put(key)

        await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


async def measure(task: Task) -> None:
    """The measurement of one process."""
    settings = Settings(
        database_url=SecretStr(task.database_url),
        s3_endpoint=task.endpoint,
        s3_access_key_id=task.access_key,
        s3_secret_access_key=SecretStr(task.secret_key),
        s3_bucket_name=task.bucket,
        safereel_token_secret=SecretStr(task.token_secret),
    )
    await {"audit": measure_audit, "confirm": measure_confirm}[task.what](task, settings)


async def measure_audit(task: Task, settings: Settings) -> None:
    async with open_control_plane(settings) as plane:
        before = await bare(settings)
        busy = database_ms(task.database_url)
        started = time.perf_counter()
        report = await plane.audit.run()
        took = time.perf_counter() - started
        busy = database_ms(task.database_url) - busy
        after = await bare(settings)
    looked_at = report.looked_at
    wrong = {
        kind: count for kind, count in report.detail.items() if isinstance(count, int) and count and kind != "looked_at"
    }
    assert report.outcome == "decided", (report.outcome, report.cause)
    assert not wrong or set(wrong) <= {"expected"}, wrong
    base, rate = (before + after) / 2, looked_at / took
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(
        f"{task.title:<34} listing {base:9,.0f}/s (before {before:,.0f}, after {after:,.0f})  audit {rate:9,.0f}/s"
        f" = {rate / base:.2f} (goal {GOAL})  database {busy * 1_000 / looked_at:4.1f} µs/key  peak {peak:4.0f} MB"
    )


async def bare(settings: Settings) -> float:
    """Keys a second of the listings that an audit makes, and nothing else."""
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        found = connection.execute("select count(*) from chunks").fetchone()
        assert found is not None, "a count answers one row"
    units = cut(range(SHARDS), audit_parts(found[0]))
    listed, started = 0, time.perf_counter()
    async with bucket(settings) as opened:
        for prefix in [prefix for unit in units for prefix in unit.prefixes] + [META_PREFIX]:
            async for page in opened.list_pages(prefix):
                listed += len(page)
    return listed / (time.perf_counter() - started)


async def measure_confirm(task: Task, settings: Settings) -> None:
    async with open_control_plane(settings) as plane:
        started = time.perf_counter()
        report = await plane.confirm.run()
        took = time.perf_counter() - started
    interval = settings.safereel_confirm_interval_ms / 1_000
    print(
        f"{task.title:<34} {report.looked_at} looked at, {report.detail['confirmed']} confirmed in {took:.2f} s"
        f" = {took / interval:.2f} of an interval of {interval:g} s"
    )


def database_ms(url: str) -> float:
    """How long this database's sessions have been busy with statements, in milliseconds."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        found = connection.execute(
            "select active_time from pg_stat_database where datname = current_database()"
        ).fetchone()
        assert found is not None, "every database has a row"
        return float(found[0])


async def apart(task: Task) -> None:
    """Runs a measurement in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.bench_audit", "--task", json.dumps(asdict(task))
    )
    if await process.wait() != 0:
        raise RuntimeError(f"{task.title} failed")


def task_of(stack: EmbeddedStack, settings: Settings, what: str, title: str, endpoint: str) -> Task:
    return Task(
        what,
        title,
        settings.database_url.get_secret_value(),
        settings.s3_bucket_name,
        endpoint,
        stack.s3.access_key,
        stack.s3.secret_key,
        stack.token_secret,
    )


def show_plans(url: str) -> None:
    """How PostgreSQL goes about an audit of a sixteenth, and about choosing what to confirm."""
    params = {
        "first_shard": 0,
        "last_shard": 15,
        "settle": "5s",
        "after": None,
        "limit": 2_000,
        "recordings": 1_000,
        "chunks": 5_000,
    }
    named = queries()
    with psycopg.connect(url) as connection:
        for name in ("audit_expect_table", "audit_listed_table", "audit_unexpected_table"):
            connection.execute(named[name])
        connection.execute(named["audit_snapshot"], params)
        connection.execute(
            "insert into audit_listed select key, size, etag, now() - interval '1 day' from audit_expected"
        )
        connection.execute(named["audit_analyze"])
        for name in ("audit_snapshot", "audit_doubts", "audit_gather_unexpected", "confirm_candidates"):
            print(f"\n-- {name}")
            plan: Sequence[Any] = connection.execute(
                "explain (analyze, buffers, costs off) " + named[name], params
            ).fetchall()
            print("\n".join(line for (line,) in plan))


async def main(arguments: argparse.Namespace) -> None:
    """Runs every measurement on one fresh stack."""
    with tempfile.TemporaryDirectory(prefix="safereel-bench-") as folder:
        async with EmbeddedStack.open(Path(folder) / "stack") as stack:
            await asyncio.to_thread(make_template, stack)
            for count in arguments.chunks:
                with fresh_database(stack) as url:
                    await asyncio.to_thread(fill, url, count, each=CHUNKS_PER_RECORDING, state="confirmed")
                    for page_ms in arguments.page_ms:
                        async with replayed(url, Path(folder), page_ms=page_ms) as endpoint:
                            title = f"{count:,} replayed, {page_ms:g} ms a page"
                            await apart(task_of(stack, settings_for(stack, url, "replayed"), "audit", title, endpoint))
                    if arguments.plans and count == max(arguments.chunks):
                        show_plans(url)
            await real(stack, arguments)


async def real(stack: EmbeddedStack, arguments: argparse.Namespace) -> None:
    """On objects that are there."""
    for what, count, each, state in (
        ("audit", arguments.real, CHUNKS_PER_RECORDING, "confirmed"),
        ("confirm", arguments.live, 1, "acked"),
    ):
        if not count:
            continue
        place = place_of(stack, bucket=f"bench-{what}")
        await asyncio.to_thread(
            provision,
            endpoint=place.endpoint,
            bucket=place.bucket,
            region=place.region,
            credentials=place.credentials,
            origins=[],
        )
        with fresh_database(stack) as url:
            await asyncio.to_thread(fill, url, count, each=each, state=state)
            await put_chunks(place, url)
            settings = settings_for(stack, url, place.bucket)
            async with open_control_plane(settings) as plane:
                await plane.deployment.mark_again()
            await apart(task_of(stack, settings, what, f"{count:,} in SeaweedFS", stack.s3.endpoint))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--chunks", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="sizes of the ledger"
    )
    parser.add_argument(
        "--page-ms", type=float, nargs="*", default=[0, 20], help="what a page of the listing waits (0 20)"
    )
    parser.add_argument("--real", type=int, default=100_000, help="objects in SeaweedFS (100000)")
    parser.add_argument("--live", type=int, default=1_000, help="recordings to confirm (1000)")
    parser.add_argument("--plans", action="store_true", help="print the plans of the audit's statements")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args()
    uvloop.run(measure(Task(**json.loads(given.task))) if given.task else main(given))
