"""The queue's tables: made once, brought forward by what ships with procrastinate, by one of many who start at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from control_plane.embedded import EmbeddedStack
from control_plane.jobs.schema import QueueSchemaError, bring_up_to_date, shipped
from tests.support.databases import admin_connection, database_url

FUNCTIONS = """
select proname || pg_get_function_identity_arguments(p.oid) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where n.nspname = 'procrastinate' order by 1
"""
COLUMNS = """
select table_name || '.' || column_name || ' ' || data_type from information_schema.columns
 where table_schema = 'procrastinate' order by 1
"""


@pytest.fixture
def empty(stack: EmbeddedStack) -> Iterator[str]:
    """The URL of a database without a schema."""
    with admin_connection(stack) as connection:
        connection.execute("create database test_queue_schema")
        try:
            yield database_url(stack, "test_queue_schema")
        finally:
            connection.execute("drop database test_queue_schema with (force)")


def shape(url: str) -> tuple[list[str], list[str]]:
    with psycopg.connect(url) as connection:
        functions = [name for (name,) in connection.execute(FUNCTIONS).fetchall()]
        return functions, [name for (name,) in connection.execute(COLUMNS).fetchall()]


def test_many_who_start_at_once_make_it_once(empty: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        applied = list(pool.map(bring_up_to_date, [empty] * 6))
    assert sorted(map(len, applied)) == [0] * 5 + [len(shipped())]
    assert bring_up_to_date(empty) == []
    with psycopg.connect(empty) as connection:
        found = connection.execute("select schemaname from pg_tables where tablename like 'procrastinate%'").fetchall()
    assert {schema for (schema,) in found} == {"procrastinate"}


def test_the_queue_of_an_older_version_goes_on(stack: EmbeddedStack, empty: str) -> None:
    """What was there before version 3.1 gave workers a heartbeat, with a job that waits."""
    older = [name for name in shipped() if name < "03.01"]
    with psycopg.connect(empty, autocommit=True, options="-c search_path=procrastinate") as connection:
        connection.execute("create schema procrastinate")
        connection.execute(
            "create table safereel_applied (name text primary key, applied_at timestamptz default now())"
        )
        for name in older:
            connection.execute((Path(SchemaManager.get_migrations_path()) / name).read_bytes())
            connection.execute("insert into safereel_applied (name) values (%s)", [name])
        connection.execute("insert into procrastinate_jobs (queue_name, task_name) values ('audit', 'sweep')")
    assert bring_up_to_date(empty) == [name for name in shipped() if name not in older]
    with psycopg.connect(empty, options="-c search_path=procrastinate") as connection:
        (waiting,) = connection.execute("select status::text from procrastinate_jobs").fetchall()
    assert waiting == ("todo",)
    with admin_connection(stack) as connection:
        connection.execute("create database test_queue_anew")
    try:
        anew = database_url(stack, "test_queue_anew")
        bring_up_to_date(anew)
        (old_functions, old_columns), (functions, columns) = shape(empty), shape(anew)
        assert old_columns == columns
        assert set(functions) <= set(old_functions), "older functions stay for workers of before"
    finally:
        with admin_connection(stack) as connection:
            connection.execute("drop database test_queue_anew with (force)")


def test_a_newer_queue_is_left_alone(empty: str) -> None:
    bring_up_to_date(empty)
    with psycopg.connect(empty) as connection:
        connection.execute("insert into procrastinate.safereel_applied (name) values ('99.00.00_01_later.sql')")
    with pytest.raises(QueueSchemaError, match=r"99\.00\.00_01_later\.sql.*newer version"):
        bring_up_to_date(empty)


def test_who_may_not_make_a_schema_is_told_what_to_ask_for(stack: EmbeddedStack, empty: str) -> None:
    with admin_connection(stack) as connection:
        connection.execute("create role test_humble login password 'humble'")
    try:
        _, _, rest = empty.partition("@")
        with pytest.raises(QueueSchemaError, match="create schema procrastinate authorization"):
            bring_up_to_date(f"postgresql://test_humble:humble@{rest}")
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute("create schema procrastinate authorization test_humble")
        assert bring_up_to_date(f"postgresql://test_humble:humble@{rest}") == shipped()
    finally:
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute("drop schema procrastinate cascade")
        with admin_connection(stack) as connection:
            connection.execute("drop role test_humble")
