"""`safereel`: up, serve, worker, migrate, provision, env, token, sweep, rebuild, retention, doctor, drill, openapi."""

import argparse
import asyncio
import json
import os
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from control_plane import doctor, drill, rebuild, wiring
from control_plane.api.calls import CALLS
from control_plane.api.openapi import document
from control_plane.app import create_app
from control_plane.bucket.presign import Addressing
from control_plane.bucket.provision import ProvisionError, provision
from control_plane.config import Settings
from control_plane.db.database import DatabaseUnreachable
from control_plane.db.migrations import MigrationError
from control_plane.domain.bucket import BucketUnreachable
from control_plane.domain.models import SweepKind, SweepOutcome
from control_plane.embedded import EmbeddedError, EmbeddedStack, read_running_stack
from control_plane.environment import (
    DATA_DIR,
    UsageError,
    environment_of,
    settings_from_environment,
    settings_of,
    settings_of_stack_or_environment,
    unlimited,
)
from control_plane.jobs.schema import QueueSchemaError
from control_plane.migrating import migrate
from control_plane.schedule import scheduled
from control_plane.services.deployment import WrongBucket
from control_plane.services.limiting import LimitStoreMissing
from control_plane.serving import PortTaken, listen, serve
from control_plane.signals import run_until_stopped
from control_plane.telemetry import set_up_logs
from control_plane.wiring import ControlPlane, IssuerForbidden, open_control_plane, token_issuer, utc_now
from control_plane.working import clock_jobs, work_until_cancelled, working

PAGE_DIR = Path(__file__).parent.parent / "browser" / "dist"

MAX_PORT = 65_535


EXPECTED = (
    BucketUnreachable,
    DatabaseUnreachable,
    EmbeddedError,
    IssuerForbidden,
    LimitStoreMissing,
    MigrationError,
    PortTaken,
    ProvisionError,
    QueueSchemaError,
    WrongBucket,
)
"""Failures with a message for a person: printed without a traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; answers the exit status: 0 done, 1 failed, 2 called wrongly."""
    arguments = _parser().parse_args(argv)
    set_up_logs()
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except UsageError as exc:
        print(f"safereel: {exc}", file=sys.stderr)
        return 2
    except EXPECTED as exc:
        print(f"safereel: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="safereel", description="Recordings that cannot get lost: the control plane.")
    _add_commands(parser.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    return parser


def command_names() -> Sequence[str]:
    """The commands there are."""
    commands = argparse.ArgumentParser().add_subparsers()
    _add_commands(commands)
    return list(commands.choices)


def _add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = commands.add_parser("up", help="run everything on this machine: database, bucket, control plane, page")
    up.add_argument("--port", type=_port, default=8000, help="where API and page are served (8000)")
    up.add_argument("--data-dir", type=Path, default=DATA_DIR, help="where everything is kept (.safereel)")
    up.set_defaults(command=_up)
    serving = commands.add_parser("serve", help="run the control plane on the parts that the environment names")
    serving.add_argument(
        "--with-worker", action="store_true", help="run a worker inside, as SAFEREEL_WORKER_INSIDE=true does"
    )
    serving.set_defaults(command=_serve)
    working_off = commands.add_parser("worker", help="run sweeps that are due: as many of these as you like, anywhere")
    working_off.set_defaults(command=_worker)
    commands.add_parser("migrate", help="bring the database's schema up to date").set_defaults(command=_migrate)
    provisioning = commands.add_parser("provision", help="make the bucket fit: versioning, CORS, deployment marker")
    provisioning.add_argument(
        "--emptied",
        action="store_true",
        help="the bucket is the right one and was emptied: mark it as this deployment's again",
    )
    provisioning.set_defaults(command=_provision)
    env = commands.add_parser("env", help="print the addresses and keys of a running stack, for other tools")
    env.add_argument("--data-dir", type=Path, default=DATA_DIR)
    env.set_defaults(command=_env)
    token = commands.add_parser(
        "token", help="print a token of the embedded issuer, or signed with SAFEREEL_TOKEN_SECRET"
    )
    token.add_argument("--owner", required=True, help="whom it speaks for")
    token.add_argument("--admin", action="store_true", help="with the scope admin as well")
    token.add_argument("--data-dir", type=Path, default=DATA_DIR)
    token.set_defaults(command=_token)
    sweep = commands.add_parser("sweep", help="run one sweep now and print its report")
    sweep.add_argument("kind", choices=[kind.value for kind in SweepKind])
    sweep.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    sweep.add_argument(
        "--data-dir",
        type=Path,
        help="of a running stack; without it, what DATABASE_URL and the like name, else .safereel",
    )
    sweep.set_defaults(command=_sweep)
    rebuilding = commands.add_parser("rebuild", help="make the ledger anew, or complete it, from the bucket alone")
    rebuilding.add_argument("--dry-run", action="store_true", help="say what would be taken up, and change nothing")
    rebuilding.add_argument("--json", action="store_true", help="print the summary for a machine")
    rebuilding.add_argument(
        "--data-dir",
        type=Path,
        help="of a running stack; without it, what DATABASE_URL and the like name, else .safereel",
    )
    rebuilding.set_defaults(command=_rebuild)
    retaining = commands.add_parser("retention", help="delete what is older than the retention settings allow, now")
    retaining.add_argument("--dry-run", action="store_true", help="list what would go, and delete nothing")
    retaining.add_argument(
        "--data-dir",
        type=Path,
        help="of a running stack; without it, what DATABASE_URL and the like name, else .safereel",
    )
    retaining.set_defaults(command=_retention)
    examining = commands.add_parser(
        "doctor", help="check bucket, database and clocks for what Safereel needs, and say how to mend what is wrong"
    )
    examining.add_argument("--json", action="store_true", help="print the findings for a machine")
    examining.add_argument(
        "--data-dir",
        type=Path,
        help="of a running stack; without it, what DATABASE_URL and the like name, else .safereel",
    )
    examining.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="of a page that records, beside SAFEREEL_PAGE_ORIGINS; may be given more than once",
    )
    examining.set_defaults(command=_doctor)
    drilling = commands.add_parser(
        "drill", help="damage a recording of its own in every way there is, and watch the deployment repair it"
    )
    drilling.add_argument("--owner", default=drill.OWNER, help=f"whose recording it is ({drill.OWNER})")
    drilling.add_argument(
        "--deadline",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long sweeps may take to confirm what was sent, and then to repair it (300)",
    )
    drilling.add_argument("--sweep", action="store_true", help="run the sweeps itself, beside the deployment's own")
    drilling.add_argument("--json", action="store_true", help="print the report for a machine")
    drilling.add_argument(
        "--data-dir",
        type=Path,
        help="of a running stack; without it, what DATABASE_URL and the like name, else .safereel",
    )
    drilling.set_defaults(command=_drill)
    openapi = commands.add_parser("openapi", help="print the OpenAPI document; needs neither database nor bucket")
    openapi.set_defaults(command=_openapi)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: choose 1 to {MAX_PORT}, above 1023 unless you are root")
    return int(text)


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds: choose 1 or more")
    return float(text)


def _up(arguments: argparse.Namespace) -> int:
    port: int = arguments.port
    another = f"“make run PORT={port % MAX_PORT + 1}”, or “--port {port % MAX_PORT + 1}”"
    try:
        listener = listen("127.0.0.1", port, another=another)
    except PortTaken as exc:
        if _is_running_there(arguments.data_dir, port):
            raise PortTaken(
                f"It runs already: http://localhost:{port}, with the data in {arguments.data_dir}."
            ) from exc
        raise
    return run_until_stopped(lambda: _run_stack(arguments.data_dir, arguments.port, listener))


def _serve(arguments: argparse.Namespace) -> int:
    settings = settings_of({"SAFEREEL_WORKER_INSIDE": "true"} if arguments.with_worker else {})
    if not settings.trusts_somebody:
        raise UsageError(
            "nobody could call: set SAFEREEL_OIDC_ISSUER and SAFEREEL_OIDC_AUDIENCE to those of your identity provider, "
            "or SAFEREEL_TOKEN_SECRET to what your backend signs tokens with"
        )
    migrate(settings.database_url.get_secret_value())
    listener = listen(settings.safereel_host, settings.safereel_port, another="set SAFEREEL_PORT")
    return run_until_stopped(
        lambda: _run_on_real_parts(settings, listener), stop_s=settings.safereel_shutdown_ms / 1000
    )


def _worker(_: argparse.Namespace) -> int:
    settings = settings_from_environment()
    migrate(settings.database_url.get_secret_value())
    return run_until_stopped(lambda: _work(settings), stop_s=settings.safereel_shutdown_ms / 1000)


def _migrate(_: argparse.Namespace) -> int:
    settings = settings_from_environment()
    for migration in migrate(settings.database_url.get_secret_value()):
        print(f"applied {migration}")
    print("The schema is up to date.")
    return 0


def _provision(arguments: argparse.Namespace) -> int:
    settings = settings_from_environment()
    migrate(settings.database_url.get_secret_value())  # the marker carries the id that the database gives
    _make_bucket_fit(settings, settings.safereel_page_origins)
    if arguments.emptied and asyncio.run(_mark_again(settings)):
        print("The bucket is marked again. Audits will ask recorders for all that they still hold.")
    asyncio.run(_claim(settings))
    print(f"Bucket {settings.s3_bucket_name} is ready.")
    return 0


def _env(arguments: argparse.Namespace) -> int:
    for name, value in environment_of(read_running_stack(arguments.data_dir)).items():
        print(f"{name}={shlex.quote(value)}")
    return 0


def _token(arguments: argparse.Namespace) -> int:
    secret = os.environ.get("SAFEREEL_TOKEN_SECRET")
    if not secret and (provider := os.environ.get("SAFEREEL_OIDC_ISSUER")):
        raise UsageError(
            f"tokens are issued by the identity provider {provider}: ask it for one, with the scope record"
        )
    secret = secret or read_running_stack(arguments.data_dir)["token_secret"]
    scopes = ["record", "admin"] if arguments.admin else ["record"]
    try:
        token, _ = token_issuer(secret).issue(arguments.owner, scopes, utc_now())
    except ValueError as exc:
        raise UsageError(f"--owner: {exc}") from exc
    print(token)
    return 0


def _sweep(arguments: argparse.Namespace) -> int:
    settings = settings_of_stack_or_environment(arguments.data_dir)
    report = asyncio.run(_sweep_once(settings, arguments.kind, dry_run=arguments.dry_run))
    print(json.dumps(report, indent=2, default=str))
    return 0 if report["outcome"] == SweepOutcome.DECIDED else 1


def _rebuild(arguments: argparse.Namespace) -> int:
    settings = settings_of_stack_or_environment(arguments.data_dir)
    return rebuild.run(settings, dry_run=arguments.dry_run, as_json=arguments.json)


def _retention(arguments: argparse.Namespace) -> int:
    settings = settings_of_stack_or_environment(arguments.data_dir)
    if not settings.retention.on:
        raise UsageError(
            "retention is off, so nothing goes by age: set SAFEREEL_RETAIN_COMPLETE_DAYS or SAFEREEL_RETAIN_EXPIRED_DAYS"
        )
    asyncio.run(_list_due(settings) if arguments.dry_run else _retain(settings))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    settings = settings_of_stack_or_environment(arguments.data_dir)
    try:
        origins = [doctor.origin_of(text) for text in arguments.origin]
    except ValueError as exc:
        raise UsageError(f"--origin: {exc}") from exc
    return doctor.run(settings, origins, json=arguments.json)


def _drill(arguments: argparse.Namespace) -> int:
    settings = settings_of_stack_or_environment(arguments.data_dir)
    return drill.run(
        settings,
        owner=arguments.owner,
        deadline_s=arguments.deadline,
        sweeps=arguments.sweep,
        json=arguments.json,
    )


def _openapi(_: argparse.Namespace) -> int:
    print(json.dumps(document(CALLS), indent=2, ensure_ascii=False))
    return 0


async def _sweep_once(settings: Settings, kind: str, *, dry_run: bool) -> dict[str, object]:
    async with open_control_plane(settings) as plane:
        run = {"confirm": plane.confirm.run, "audit": plane.audit.run, "fixity": plane.fixity.run}[kind]
        return asdict(await run(dry_run=dry_run))


async def _list_due(settings: Settings) -> None:
    recordings = freed = 0
    async with open_control_plane(settings) as plane:
        print("recording\towner\tstate\tdays\tbytes")
        async for due in plane.retention.due():
            print(due.id, due.owner, due.state, due.age.days, due.bytes, sep="\t")
            recordings += 1
            freed += due.bytes
    print(f"{recordings} recordings of {freed} bytes would be deleted.")


async def _retain(settings: Settings) -> None:
    recordings = freed = 0
    async with open_control_plane(settings) as plane:
        while (run := await plane.retention.run()).recordings:
            recordings += run.recordings
            freed += run.freed_bytes
    print(f"{recordings} recordings of {freed} bytes are being deleted.")


async def _claim(settings: Settings) -> None:
    async with open_control_plane(settings) as plane:
        await plane.deployment.claim_bucket()


async def _mark_again(settings: Settings) -> bool:
    async with open_control_plane(settings) as plane:
        return await plane.deployment.mark_again()


async def _run_stack(data_dir: Path, port: int, listener: socket.socket) -> None:
    """Everything on this machine, until cancelled."""
    async with EmbeddedStack.open(data_dir, reporter=_tell) as stack:
        own = {"SAFEREEL_HOST": "127.0.0.1", "SAFEREEL_PORT": str(port)}
        own |= {"SAFEREEL_WORKER_INSIDE": "true"}
        settings = settings_of({**unlimited(), **environment_of(stack.public()), **own})
        await asyncio.to_thread(migrate, stack.database_url)
        origins = (f"http://localhost:{port}", f"http://127.0.0.1:{port}", *settings.safereel_page_origins)
        await asyncio.to_thread(_make_bucket_fit, settings, origins)
        stack.publish(page_origins=origins)
        async with open_control_plane(settings, issues_tokens=True) as plane:
            await _claim_own_bucket(plane, data_dir)
            _print_addresses(port, data_dir, settings)
            await _until_one_ends(_serve_plane(plane, settings, listener), stack.failed)


async def _claim_own_bucket(plane: ControlPlane, data_dir: Path) -> None:
    try:
        await plane.deployment.claim_bucket()
    except WrongBucket as exc:
        raise EmbeddedError(
            f"{data_dir}/postgres and {data_dir}/seaweedfs do not belong together: one of them was removed or replaced. Bring "
            "both back from the same backup. To begin anew, move the whole folder away; the recordings stay in it."
        ) from exc


async def _run_on_real_parts(settings: Settings, listener: socket.socket) -> None:
    """The control plane on the parts that the environment names, until cancelled."""
    async with open_control_plane(settings) as plane:
        _tell(f"Serving on http://{settings.safereel_host}:{settings.safereel_port}")
        await _serve_plane(plane, settings, listener)


async def _work(settings: Settings) -> None:
    async with open_control_plane(settings) as plane:
        await work_until_cancelled(plane, settings)


async def _serve_plane(plane: ControlPlane, settings: Settings, listener: socket.socket) -> None:
    plane.services.verifier.begin(utc_now())
    await plane.deployment.claim_bucket()
    app = create_app(
        plane.services,
        page_dir=PAGE_DIR,
        page_origins=settings.safereel_page_origins,
        bucket_origin=wiring.public_address(settings).origin,
        hsts_max_age_s=settings.safereel_hsts_max_age_s,
        request_timeout_s=settings.safereel_request_timeout_ms / 1000,
    )
    inside = working(plane, settings) if settings.safereel_worker_inside else nullcontext()
    async with inside, scheduled(clock_jobs(plane, settings)):
        await serve(
            app,
            listener,
            shutdown_s=settings.safereel_shutdown_ms / 1000,
            drain_s=settings.safereel_drain_ms / 1000,
        )


async def _until_one_ends(serving: Awaitable[None], failed: asyncio.Future[EmbeddedError]) -> None:
    """Serves until a part of the stack ends by itself: then everything stops, with the reason."""
    task = asyncio.ensure_future(serving)
    try:
        either: set[asyncio.Future[Any]] = {task, failed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    if failed.done():
        raise failed.result()


def _make_bucket_fit(settings: Settings, origins: Sequence[str]) -> None:
    provision(
        endpoint=settings.s3_endpoint,
        bucket=settings.s3_bucket_name,
        region=settings.s3_region,
        credentials=wiring.credentials(settings),
        origins=origins,
        addressing=Addressing(settings.s3_addressing),
    )


def _is_running_there(data_dir: Path, port: int) -> bool:
    try:
        origins = read_running_stack(data_dir).get("page_origins")
    except EmbeddedError:
        return False
    return isinstance(origins, Sequence) and f"http://localhost:{port}" in origins


def _print_addresses(port: int, data_dir: Path, settings: Settings) -> None:
    _tell(f"Page and API   http://localhost:{port}")
    _tell(f"Health         http://localhost:{port}/health")
    _tell(f"Bucket         {settings.s3_endpoint}/{settings.s3_bucket_name}")
    _tell(f"Data and logs  {data_dir.resolve()}")
    program = (
        sys.argv[0] if Path(sys.argv[0]).name == "safereel" else "safereel"
    )  # as it was called: it may be in no PATH
    _tell(f"For tools      {shlex.quote(program)} env --data-dir {shlex.quote(str(data_dir))}")
    _tell("Stop with Ctrl-C; everything is kept.")


def _tell(sentence: str) -> None:
    print(sentence, flush=True)
