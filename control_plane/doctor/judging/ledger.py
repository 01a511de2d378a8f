"""The database: reachable, new enough, up to date, ours to write, safe, and with room for the pool. And whose bucket it is."""

from collections.abc import Sequence
from uuid import UUID

from control_plane.db.inspecting import NO_ADDRESS, ServerFacts
from control_plane.db.migrations import Comparison
from control_plane.doctor.findings import Check, Finding, ok, warning, wrong
from control_plane.doctor.seen import Answer, Outcome
from control_plane.domain.keys import DEPLOYMENT_KEY
from control_plane.jobs.connecting import POOL_SIZE
from control_plane.jobs.queue import LISTENERS
from control_plane.jobs.schema import lacking, unknown
from control_plane.services.deployment import marked_id

# Multiranges, which the ledger keeps holdings in, came with 14.
OLDEST_VERSION = 140_000
# What every test runs on.
TESTED_VERSION = 180_000
# An ack takes a handful of statements: beyond this, they and not the bucket set the pace.
SLOW_STATEMENT_MS = 10.0

# By what libpq or the server says, in the order in which they are looked for.
UNREACHABLE = {
    NO_ADDRESS: "DATABASE_URL must be like postgresql://user:password@host:5432/name; in a password, write / @ : and # as "
    "%2F %40 %3A and %23.",
    "password": "Check user and password in DATABASE_URL.",
    "no pg_hba.conf entry": "The server does not let this machine in: add a line to its pg_hba.conf, or "
    "?sslmode=require to DATABASE_URL.",
    "permission denied": "As owner of the tables: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO …",
    "role": "Check the user in DATABASE_URL, or `createuser` it.",
    "does not exist": "Make the database (`createdb`), or mend its name in DATABASE_URL.",
    "refused": "Nothing listens there: start PostgreSQL, or mend host and port in DATABASE_URL.",
    "resolve": "Check the host name in DATABASE_URL.",
    "Name or service not known": "Check the host name in DATABASE_URL.",
    "too many": "All connections are taken: raise max_connections, or take down what holds them.",
    "certificate": "Check sslmode and sslrootcert in DATABASE_URL.",
    "timeout": "A firewall that drops packets, or a server that hangs: check host and port in DATABASE_URL.",
}


def unreachable(where: str, said: str) -> Finding:
    """What to do about a connection that could not be made."""
    mend = next(
        (advice for sign, advice in UNREACHABLE.items() if sign in said), "Check DATABASE_URL and the server's log."
    )
    return wrong(Check.DATABASE_REACH, _connecting(where), " ".join(said.split()), mend)


def reached(where: str) -> Finding:
    """A connection was made."""
    return ok(Check.DATABASE_REACH, _connecting(where), "connected")


def _connecting(where: str) -> str:
    return f"connecting to {where or 'the database'} (DATABASE_URL)"


def version(facts: ServerFacts) -> Finding:
    """New enough, and tested?"""
    tried = "PostgreSQL's version"
    if facts.version_num < OLDEST_VERSION:
        return wrong(
            Check.DATABASE_VERSION,
            tried,
            facts.version,
            "Use PostgreSQL 14 or newer; 18 is what Safereel is tested with.",
        )
    if facts.version_num < TESTED_VERSION:
        return warning(
            Check.DATABASE_VERSION,
            tried,
            f"{facts.version}: has all that is needed, but tests run on 18",
            "Upgrade to 18 when you can.",
        )
    return ok(Check.DATABASE_VERSION, tried, facts.version)


def writable(facts: ServerFacts, why_no_temp: str, withheld: Sequence[str]) -> Finding:
    """May we write the ledger, and make the temporary tables of an audit?"""
    tried = "writing to a primary, to temporary tables, to the ledger's tables"
    if facts.in_recovery or facts.read_only:
        seen = "this is a standby" if facts.in_recovery else "transactions are read-only here"
        return wrong(
            Check.DATABASE_WRITABLE,
            tried,
            seen,
            "Point DATABASE_URL at the primary (?target_session_attrs=read-write).",
        )
    if why_no_temp:
        return wrong(
            Check.DATABASE_WRITABLE,
            tried,
            why_no_temp,
            "As owner of the database: GRANT TEMPORARY ON DATABASE … TO … (audits need it).",
        )
    if withheld:
        return wrong(
            Check.DATABASE_WRITABLE,
            tried,
            f"may not read and write {', '.join(withheld)}",
            "As their owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO …",
        )
    return ok(Check.DATABASE_WRITABLE, tried, "allowed")


def migrations(found: Comparison | None) -> Finding:
    """Is the schema the one of this version? None: there is no schema yet."""
    tried = "the schema's migrations"
    if found is None:
        return wrong(
            Check.DATABASE_MIGRATIONS,
            tried,
            "none was ever applied here",
            "Run `safereel migrate`. (`serve` does, too.)",
        )
    if found.unknown:
        return wrong(
            Check.DATABASE_MIGRATIONS,
            tried,
            f"{found.unknown[-1]:04d} was applied, which this version does not know",
            "Run the newer version of Safereel: schemas only go forward.",
        )
    if found.edited:
        names = ", ".join(f"{m.number:04d} {m.name}" for m in found.edited)
        return wrong(
            Check.DATABASE_MIGRATIONS, tried, f"edited since it was applied: {names}", "Restore the released file."
        )
    if found.pending:
        names = ", ".join(f"{m.number:04d} {m.name}" for m in found.pending)
        return wrong(
            Check.DATABASE_MIGRATIONS, tried, f"pending: {names}", "Run `safereel migrate`. (`serve` does, too.)"
        )
    return ok(Check.DATABASE_MIGRATIONS, tried, "up to date")


def queue(applied: Sequence[str] | None) -> Finding:
    """Are the queue's tables those of this version? None: there are none yet."""
    tried = "the queue's migrations (schema procrastinate)"
    if applied is None:
        return wrong(Check.DATABASE_QUEUE, tried, "none was ever applied here", "Run `safereel migrate`.")
    if not applied:
        return wrong(
            Check.DATABASE_QUEUE,
            tried,
            "may not be read",
            "As their owner: GRANT USAGE ON SCHEMA procrastinate TO …; GRANT ALL ON ALL TABLES IN SCHEMA procrastinate TO …; "
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA procrastinate TO …",
        )
    if strangers := unknown(applied):
        return wrong(
            Check.DATABASE_QUEUE,
            tried,
            f"{strangers[-1]} was applied, which this version does not know",
            "Run the newer version of Safereel: schemas only go forward.",
        )
    if pending := lacking(applied):
        mend = "Stop the workers, run `safereel migrate`, start the workers of the new version."
        return wrong(Check.DATABASE_QUEUE, tried, f"pending: {', '.join(pending)}", mend)
    return ok(Check.DATABASE_QUEUE, tried, "up to date")


def durability(facts: ServerFacts) -> Finding:
    """Does a commit survive a power cut?"""
    tried = "fsync, full_page_writes and synchronous_commit"
    if not (facts.fsync and facts.full_page_writes):
        off = "fsync" if not facts.fsync else "full_page_writes"
        return wrong(
            Check.DATABASE_DURABILITY,
            tried,
            f"{off} is off: a power cut may destroy the ledger",
            f"Set {off} = on in postgresql.conf, and reload.",
        )
    if facts.synchronous_commit == "off":
        return warning(
            Check.DATABASE_DURABILITY,
            tried,
            "synchronous_commit is off: the last acks before a crash may be forgotten, and are found again by an audit",
            "Set synchronous_commit = on for this database.",
        )
    return ok(Check.DATABASE_DURABILITY, tried, "a commit survives a crash")


def connections(facts: ServerFacts, pool: int) -> Finding:
    """How many replicas fit?"""
    tried = f"SAFEREEL_DATABASE_POOL {pool}, and the queue's connections, beside the server's limits"
    limits = [facts.max_connections - facts.reserved_connections, facts.role_limit, facts.database_limit]
    room = min(limit for limit in limits if limit >= 0)
    replicas = room // (pool + POOL_SIZE + LISTENERS)
    mend = (
        "Lower SAFEREEL_DATABASE_POOL or raise max_connections: replicas and workers × pool, "
        f"{POOL_SIZE + LISTENERS} more for the queue of each, and some for commands, must fit."
    )
    if replicas == 0:
        return wrong(Check.DATABASE_CONNECTIONS, tried, f"only {room} connections are for us to take", mend)
    if replicas == 1:
        return warning(Check.DATABASE_CONNECTIONS, tried, f"room for one replica or worker ({room} connections)", mend)
    return ok(Check.DATABASE_CONNECTIONS, tried, f"room for {replicas} replicas and workers ({room} connections)")


def latency(median_ms: float) -> Finding:
    """How long is a round trip?"""
    tried = "round trips to the database"
    if median_ms > SLOW_STATEMENT_MS:
        return warning(
            Check.DATABASE_LATENCY,
            tried,
            f"{median_ms:.1f} ms each",
            "Put database and control plane next to each other: every ack waits for several.",
        )
    return ok(Check.DATABASE_LATENCY, tried, f"{median_ms:.1f} ms each")


def marker(outcome: Outcome, deployment: tuple[UUID, bool] | None) -> Finding:
    """Whose bucket is it? `deployment`: our id and whether nothing was ever acked; None if the database does not tell."""
    tried = f"GET of {DEPLOYMENT_KEY}"
    restored = "Check S3_ENDPOINT and S3_BUCKET_NAME, and DATABASE_URL: bucket and database do not belong together."
    if isinstance(outcome, Answer) and outcome.status == 404:
        if deployment is None or deployment[1]:
            return ok(Check.BUCKET_MARKER, tried, "absent, as it is before the first start")
        emptied = f"{restored} If it is the right bucket and was emptied, say so: `safereel provision --emptied`."
        return wrong(Check.BUCKET_MARKER, tried, "absent, although the ledger has acknowledged chunks", emptied)
    if not (isinstance(outcome, Answer) and outcome.done):
        return wrong(Check.BUCKET_MARKER, tried, str(outcome), "Allow s3:GetObject on it.")
    marked = marked_id(outcome.body)
    if deployment is None:
        return warning(
            Check.BUCKET_MARKER,
            tried,
            f"names the deployment {marked}; the database does not tell ours",
            "Mend the database first and run doctor again: in another deployment's bucket sweeps decide nothing.",
        )
    if marked != deployment[0]:
        seen = (
            "names no deployment"
            if marked is None
            else f"names the deployment {marked}, not this database's {deployment[0]}"
        )
        mend = f"{restored} Each deployment needs a bucket of its own."
        if marked is not None and deployment[1]:
            mend = (
                f"{restored} If the database was lost and this is a new one, make the ledger anew: `safereel rebuild`."
            )
        return wrong(Check.BUCKET_MARKER, tried, seen, mend)
    return ok(Check.BUCKET_MARKER, tried, "this deployment's")
