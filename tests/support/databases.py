"""Migrated, empty databases for tests.

Copying a template and dropping the copy takes PostgreSQL 0.2 s of CPU, deleting a test's rows 2 ms. So a database that was given
back with the schema it had is emptied and lent again; one that a test altered, filled or still holds is dropped.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from control_plane.embedded import EmbeddedStack
from control_plane.migrating import migrate

TEMPLATE = "safereel_template"
# A migrated one has 11 MB. What much larger ones leave behind costs those who come later more than a new copy.
REUSED_BYTES = 32 * 1024 * 1024
# How long a session that is told to end may take: one that a test has stopped never does.
SESSIONS_END_MS = 5000

TABLES = """
    select schemaname, tablename from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2
"""
# What statements leave in the catalogue: who wrote a row of it last. Neither VACUUM nor ANALYZE changes that.
SHAPE = """
    with ours as (
        select oid, xmin from pg_class
        where relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
            and relpersistence <> 't'
    ), written as (
        select 'class' as what, oid::text as which, xmin::text as by from ours
        union all select 'column', attrelid || '.' || attnum, a.xmin::text from pg_attribute a join ours on ours.oid = attrelid
        union all select 'index', indexrelid::text, i.xmin::text from pg_index i join ours on ours.oid = indexrelid
        union all select 'trigger', t.oid::text, t.xmin::text from pg_trigger t join ours on ours.oid = tgrelid
        union all select 'constraint', oid::text, xmin::text from pg_constraint
        union all select 'function', oid::text, xmin::text from pg_proc
        union all select 'type', oid::text, xmin::text from pg_type where typtype in ('e', 'd')
        union all select 'schema', oid::text, xmin::text from pg_namespace where nspname not like 'pg_%'
        union all select 'setting', setrole::text, setconfig::text from pg_db_role_setting
            where setdatabase = (select oid from pg_database where datname = current_database())
    )
    select md5(string_agg(what || ':' || which || ':' || by, ',' order by what, which, by)) from written
"""


@dataclass(slots=True)
class Databases:
    """Those of one stack."""

    stack: EmbeddedStack
    idle: list[str] = field(default_factory=list)
    shapes: dict[str, str] = field(default_factory=dict)
    """Of each database lent here, its shape when it was new."""
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Of each table, the rows that migrating leaves in it."""

    def make_template(self) -> None:
        """A migrated database that new ones are copies of: copying takes a tenth of migrating."""
        with admin_connection(self.stack) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        migrate(database_url(self.stack, TEMPLATE))
        with psycopg.connect(database_url(self.stack, TEMPLATE)) as connection:
            for schema, table in connection.execute(TABLES).fetchall():
                with connection.cursor().copy(_copy(schema, table, "to stdout")) as copied:
                    self.contents[schema, table] = b"".join(bytes(part) for part in copied)

    def take(self) -> str:
        """The name of a migrated, empty database."""
        if self.idle:
            return self.idle.pop()
        with admin_connection(self.stack) as connection:
            name = new_database(connection)
        with psycopg.connect(database_url(self.stack, name)) as connection:
            self.shapes[name] = _shape(connection)
        return name

    def give_back(self, name: str) -> None:
        """Empties it for the next test, or drops it."""
        with admin_connection(self.stack) as connection:
            ended = connection.execute(
                "select pg_terminate_backend(pid, %s) from pg_stat_activity where datname = %s", (SESSIONS_END_MS, name)
            ).fetchall()
            if all(gone for (gone,) in ended) and self._emptied(name):
                self.idle.append(name)
            else:
                connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _emptied(self, name: str) -> bool:
        """Whether it is as new."""
        try:
            with psycopg.connect(database_url(self.stack, name)) as connection:
                size = connection.execute("select pg_database_size(current_database())").fetchone()
                if size is None or size[0] > REUSED_BYTES or _shape(connection) != self.shapes[name]:
                    return False
                # Without triggers and foreign keys: some of them keep events for ever, as they should.
                connection.execute("set session_replication_role = replica")
                for (schema, table), rows in self.contents.items():
                    connection.execute(sql.SQL("delete from {}").format(sql.Identifier(schema, table)))
                    if rows:
                        with connection.cursor().copy(_copy(schema, table, "from stdin")) as copied:
                            copied.write(rows)
                connection.execute(
                    "select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) from pg_sequences"
                )
        except psycopg.OperationalError:
            # Dropped, renamed or closed to us by the test.
            return False
        return True


_of_stacks: dict[EmbeddedStack, Databases] = {}


def databases_of(stack: EmbeddedStack) -> Databases:
    """The databases of a stack."""
    return _of_stacks.setdefault(stack, Databases(stack))


def make_template(stack: EmbeddedStack) -> None:
    """Migrates the database that others are copies of; once for a stack, before `fresh_database`."""
    databases_of(stack).make_template()


@contextmanager
def fresh_database(stack: EmbeddedStack) -> Iterator[str]:
    """The URL of a migrated, empty database, to be altered at will."""
    databases = databases_of(stack)
    name = databases.take()
    try:
        yield database_url(stack, name)
    finally:
        databases.give_back(name)


def new_database(connection: psycopg.Connection) -> str:
    """The name of a migrated, empty database that nobody drops."""
    name = f"test_{secrets.token_hex(6)}"
    connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    return name


@contextmanager
def admin_connection(stack: EmbeddedStack) -> Iterator[psycopg.Connection]:
    """A connection that may create and drop databases."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        yield connection


def database_url(stack: EmbeddedStack, name: str) -> str:
    """The stack's address with another database."""
    return stack.database_url.rpartition("/")[0] + "/" + name


def _shape(connection: psycopg.Connection) -> str:
    row = connection.execute(SHAPE).fetchone()
    assert row is not None
    return str(row[0])


def _copy(schema: str, table: str, direction: str) -> sql.Composed:
    return sql.SQL("copy {} {} (format binary)").format(sql.Identifier(schema, table), sql.SQL(direction))
