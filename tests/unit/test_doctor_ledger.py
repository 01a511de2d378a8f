"""What doctor concludes from what it saw of the database and of clocks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from control_plane.db.inspecting import NO_ADDRESS, ServerFacts, where
from control_plane.db.migrations import Comparison, Migration
from control_plane.doctor.findings import Finding, Standing
from control_plane.doctor.judging import clocks, ledger
from control_plane.doctor.judging.clocks import Reading
from control_plane.doctor.seen import Answer, Outcome, Silence, Trouble
from control_plane.jobs.schema import shipped

OK, WARNING, WRONG = Standing.OK, Standing.WARNING, Standing.WRONG
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
OURS = UUID("00000000-0000-4000-8000-000000000001")
ABSENT = Answer(404, code="NoSuchKey")
NOBODY = Silence(Trouble.REFUSED, "store:9000")


@pytest.mark.parametrize(
    ("ahead_s", "standing"),
    [(0, OK), (4, OK), (-4, OK), (7, WARNING), (-59, WARNING), (62, WRONG), (-3600, WRONG)],
)
def test_clocks(ahead_s: int, standing: Standing) -> None:
    reading = Reading(AT, AT + timedelta(seconds=1), AT + timedelta(seconds=ahead_s))

    for found in (clocks.bucket_clock(reading), clocks.database_clock(reading)):
        assert found.standing is standing
        if standing is not OK:
            assert ("behind" if ahead_s > 0 else "ahead") in found.seen


def test_a_clock_without_fractions_is_read_in_the_middle_of_its_second() -> None:
    reading = Reading(AT, AT + timedelta(seconds=1), AT, resolution=timedelta(seconds=1))

    assert reading.offset == timedelta(0)


FACTS = ServerFacts(180_006, "18.6", AT, False, False, 100, 3, -1, -1, True, True, "on")


@pytest.mark.parametrize(
    ("found", "standing"),
    [
        (ledger.version(FACTS), OK),
        (ledger.version(replace(FACTS, version_num=150_004)), WARNING),
        (ledger.version(replace(FACTS, version_num=130_004)), WRONG),
        (ledger.writable(FACTS, "", []), OK),
        (ledger.writable(replace(FACTS, in_recovery=True), "", []), WRONG),
        (ledger.writable(replace(FACTS, read_only=True), "", []), WRONG),
        (ledger.writable(FACTS, "permission denied", []), WRONG),
        (ledger.writable(FACTS, "", ["chunks"]), WRONG),
        (ledger.durability(FACTS), OK),
        (ledger.durability(replace(FACTS, fsync=False)), WRONG),
        (ledger.durability(replace(FACTS, full_page_writes=False)), WRONG),
        (ledger.durability(replace(FACTS, synchronous_commit="off")), WARNING),
        (ledger.connections(FACTS, 16), OK),
        (ledger.connections(FACTS, 60), WARNING),
        (ledger.connections(FACTS, 98), WRONG),
        (ledger.connections(replace(FACTS, role_limit=10), 16), WRONG),
        (ledger.connections(replace(FACTS, database_limit=25), 16), WARNING),
        (ledger.queue(None), WRONG),
        (ledger.queue([]), WRONG),
        (ledger.queue(shipped()), OK),
        (ledger.queue(shipped()[:-1]), WRONG),
        (ledger.queue([*shipped(), "99.00.00_01_of_a_later_one.sql"]), WRONG),
        (ledger.latency(1.0), OK),
        (ledger.latency(40.0), WARNING),
    ],
)
def test_the_database(found: Finding, standing: Standing) -> None:
    assert found.standing is standing
    assert bool(found.mend) is (standing is not OK)


FIRST = Migration(1, "ledger", "")


@pytest.mark.parametrize(
    ("schema", "standing", "words"),
    [
        (Comparison([], [], []), OK, "up to date"),
        (None, WRONG, "none"),
        (Comparison([FIRST], [], []), WRONG, "pending: 0001 ledger"),
        (Comparison([], [9], []), WRONG, "0009"),
        (Comparison([], [], [FIRST]), WRONG, "edited since it was applied: 0001 ledger"),
    ],
)
def test_migrations(schema: Comparison | None, standing: Standing, words: str) -> None:
    found = ledger.migrations(schema)

    assert found.standing is standing
    assert words in found.seen


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ('password authentication failed for user "a"', "user and password"),
        ('database "a" does not exist', "createdb"),
        ('role "a" does not exist', "createuser"),
        ("connection failed: Connection refused", "start PostgreSQL"),
        ("failed to resolve host 'a'", "host name"),
        ("connection timeout expired", "firewall"),
        (NO_ADDRESS, "postgresql://user:password@host"),
        ("permission denied for table schema_migrations", "GRANT"),
        ("something new", "log"),
    ],
)
def test_a_database_that_is_not_reached(said: str, advice: str) -> None:
    found = ledger.unreachable("db:5432/safereel", said)

    assert found.standing is WRONG
    assert advice in found.mend


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://a:secret@db:6432/films?sslmode=require", "db:6432/films"),
        ("host=db user=a password=secret dbname=films", "db:5432/films"),
        ("postgresql://a:secret@one,two:6432/films", "one,two:,6432/films"),
        ("postgresql://a:sec/ret@db/films", ""),
        ("mysql://a:secret@db/films", ""),
    ],
)
def test_the_database_is_named_without_its_password(url: str, told: str) -> None:
    assert where(url) == told


def marker(deployment_id: UUID) -> Answer:
    return Answer(200, body=f'{{"version": 1, "deployment_id": "{deployment_id}"}}'.encode())


@pytest.mark.parametrize(
    ("answer", "deployment", "standing"),
    [
        (marker(OURS), (OURS, False), OK),
        (marker(UUID(int=2)), (OURS, True), WRONG),
        (Answer(200, body=b"hello"), (OURS, True), WRONG),
        (ABSENT, (OURS, True), OK),
        (ABSENT, (OURS, False), WRONG),
        (ABSENT, None, OK),
        (marker(OURS), None, WARNING),
        (Answer(403, code="AccessDenied"), (OURS, True), WRONG),
        (NOBODY, (OURS, True), WRONG),
    ],
)
def test_whose_bucket_it_is(answer: Outcome, deployment: tuple[UUID, bool] | None, standing: Standing) -> None:
    assert ledger.marker(answer, deployment).standing is standing


@pytest.mark.parametrize(
    ("answer", "empty", "named"),
    [
        (ABSENT, False, "`safereel provision --emptied`"),
        (marker(UUID(int=2)), True, "`safereel rebuild`"),
        (marker(UUID(int=2)), False, "Each deployment needs a bucket of its own."),
        (Answer(200, body=b"hello"), True, "Each deployment needs a bucket of its own."),
    ],
)
def test_where_one_side_was_lost_the_command_that_mends_it_is_named(answer: Outcome, empty: bool, named: str) -> None:
    found = ledger.marker(answer, (OURS, empty))
    assert found.mend.endswith(named if named.endswith(".") else f"{named}.")
