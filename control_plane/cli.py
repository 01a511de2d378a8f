"""`safereel`: its commands, what each takes, and how each ends. What they do is in `commands`, a module for each."""

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn
from uuid import UUID

from control_plane.domain.events import EventKind, EventPlace
from control_plane.domain.models import SweepKind, TicketState
from control_plane.domain.work import SweepStanding
from control_plane.usage import Program

MAX_PORT = 65_535
# One answer of the database, and some megabytes of memory.
MAX_LISTED = 10_000


def command() -> NoReturn:
    """`main` as a program: ends with its status, and leaves the interpreter as it is.

    The bucket client's threads are Rust's. One may still be inside Python, waking the event loop that it has answered: where the
    interpreter is taken down meanwhile, it ends that thread by unwinding it, and Rust answers with abort(). Two in a hundred
    commands that had done all their work ended with SIGABRT.
    """
    try:
        status = main()
    except SystemExit as exc:  # argparse: --help, or called wrongly
        status = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # noqa: BLE001  # the last to see it: it is told, as the interpreter would
        sys.excepthook(*sys.exc_info())
        status = 1
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # its reader is gone, as `main` has told already
        status = status or 1
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; answers the exit status: 0 done, 1 failed, 2 called wrongly."""
    arguments = program_of_commands().read(argv)
    try:
        # Only what is called is imported: all of it together takes a second of CPU.
        import_module("control_plane.telemetry").set_up_logs()
        status: int = _module_of(arguments.command).run(arguments)
        sys.stdout.flush()  # here, where it is known what a reader that has gone means
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE  # as of any program whose reader (`head`) has read enough
    except Exception as exc:
        known: tuple[int, str] | None = import_module("control_plane.commands.failures").told(exc)
        if known is None:
            raise
        status, sentence = known
        print(f"safereel: {sentence}", file=sys.stderr)
    return status


def _module_of(name: str) -> ModuleType:
    """A command's module. What it imports stays: looking for garbage in it again and again takes a seventh of the time."""
    gc.disable()
    try:
        return import_module(f"control_plane.commands.{name.replace('-', '_')}")
    finally:
        gc.freeze()
        gc.enable()


def command_names() -> Sequence[str]:
    """The commands there are."""
    return program_of_commands().names


def program_of_commands() -> Program:
    """What reads a command line."""
    program = Program(prog="safereel", description="Recordings that cannot get lost: the control plane.")
    _add_running(program)
    _add_setting_up(program)
    _add_looking(program)
    _add_acting(program)
    return program


def _add_running(program: Program) -> None:
    up = program.add("up", "run everything on this machine: database, bucket, control plane, page")
    up.add_argument("--port", type=_port, default=8000, help="where API and page are served (8000)")
    up.add_argument("--data-dir", type=Path, help="where everything is kept (.safereel)")
    up.add_argument(
        "--rebuild", action="store_true", help="the database was lost: make the ledger anew from the bucket first"
    )
    up.add_argument(
        "--emptied",
        action="store_true",
        help="the bucket was lost: go on with an empty one, and ask recorders for all they hold",
    )
    serving = program.add("serve", "run the control plane on the parts that the environment names")
    serving.add_argument(
        "--with-worker", action="store_true", help="run a worker inside, as SAFEREEL_WORKER_INSIDE=true does"
    )
    program.add("worker", "run sweeps that are due: as many of these as you like, anywhere")


def _add_setting_up(program: Program) -> None:
    migrating = program.add("migrate", "bring the database's schema up to date")
    _add_stack(migrating)
    provisioning = program.add("provision", "make the bucket fit: versioning, CORS, deployment marker")
    provisioning.add_argument(
        "--emptied",
        action="store_true",
        help="the bucket is the right one and was emptied: mark it as this deployment's again",
    )
    _add_stack(provisioning)
    examining = program.add(
        "doctor", "check bucket, database and clocks for what Safereel needs, and say how to mend what is wrong"
    )
    examining.add_argument("--json", action="store_true", help="print the findings for a machine")
    _add_stack(examining)
    examining.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="of a page that records, beside SAFEREEL_PAGE_ORIGINS; may be given more than once",
    )
    env = program.add("env", "print the addresses and keys of a running stack, for other tools")
    env.add_argument("--data-dir", type=Path, help="of that stack (.safereel)")
    token = program.add("token", "print a token of the embedded issuer, or signed with SAFEREEL_TOKEN_SECRET")
    token.add_argument("--owner", required=True, help="whom it speaks for")
    token.add_argument("--admin", action="store_true", help="with the scope admin as well")
    token.add_argument("--data-dir", type=Path, help="of a running stack (.safereel)")
    program.add("openapi", "print the OpenAPI document; needs neither database nor bucket")


def _add_looking(program: Program) -> None:
    risk = program.add("at-risk", "say what is safe, what is missing or lost, who could still send it, and what to do")
    risk.add_argument("--limit", type=_count, default=20, metavar="N", help="list so many recordings at most (20)")
    risk.add_argument("--json", action="store_true", help="print it for a machine")
    _add_stack(risk)
    sweeps = program.add("sweeps", "list the latest sweeps, what they found and what they did; or show one")
    sweeps.add_argument("id", nargs="?", type=_id, metavar="ID", help="show the report of this one")
    sweeps.add_argument("--kind", choices=_words(SweepKind), help="only sweeps of this kind")
    sweeps.add_argument("--outcome", choices=_words(SweepStanding), help="only sweeps that came to this")
    sweeps.add_argument("--limit", type=_count, default=20, metavar="N", help="so many at most (20)")
    sweeps.add_argument("--json", action="store_true", help="print them for a machine")
    _add_stack(sweeps)
    tickets = program.add("tickets", "list resend tickets: the chunks that recorders are asked for")
    tickets.add_argument(
        "--state", choices=[*_words(TicketState), "all"], default=TicketState.OPEN.value, help="only these (open)"
    )
    tickets.add_argument("--owner", help="only of this owner's recordings")
    tickets.add_argument("--recording", type=_id, metavar="ID", help="only of this recording")
    tickets.add_argument("--limit", type=_count, default=50, metavar="N", help="so many at most (50)")
    tickets.add_argument("--json", action="store_true", help="print them for a machine")
    _add_stack(tickets)
    events = program.add("events", "print what happened to chunks, tickets and releases, in order")
    events.add_argument("--recording", type=_id, metavar="ID", help="only of this recording")
    events.add_argument("--kind", choices=_words(EventKind), metavar="KIND", help="only of this kind")
    events.add_argument(
        "--after", type=_place, metavar="CURSOR", help="those behind this one, from the oldest on; 0-0: from the first"
    )
    events.add_argument("--follow", action="store_true", help="go on with what happens from now on, until Ctrl-C")
    events.add_argument(
        "--limit", type=_count, default=50, metavar="N", help="so many at most (50), then --follow goes on"
    )
    events.add_argument("--json", action="store_true", help="print a JSON object in each line")
    _add_stack(events)


def _add_acting(program: Program) -> None:
    sweep = program.add("sweep", "run one sweep now, and say what it found and did")
    sweep.add_argument("kind", choices=_words(SweepKind))
    sweep.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    sweep.add_argument("--json", action="store_true", help="print the report for a machine")
    _add_stack(sweep)
    freezing = program.add(
        "freeze", "stop releases until “thaw”: devices keep what they hold, before work on the bucket, say"
    )
    freezing.add_argument("--json", action="store_true", help="print how it is now for a machine")
    _add_stack(freezing)
    thawing = program.add("thaw", "let releases go on, whoever or whatever has stopped them")
    thawing.add_argument("--json", action="store_true", help="print how it is now for a machine")
    _add_stack(thawing)
    rebuilding = program.add("rebuild", "make the ledger anew, or complete it, from the bucket alone")
    rebuilding.add_argument("--dry-run", action="store_true", help="say what would be taken up, and change nothing")
    rebuilding.add_argument("--json", action="store_true", help="print the summary for a machine")
    _add_stack(rebuilding)
    retaining = program.add("retention", "delete what is older than the retention settings allow, now")
    retaining.add_argument("--dry-run", action="store_true", help="list what would go, and delete nothing")
    _add_stack(retaining)
    drilling = program.add(
        "drill", "damage a recording of its own in every way there is, and watch the deployment repair it"
    )
    drilling.add_argument("--owner", help="whose recording it is (safereel-drill)")
    drilling.add_argument(
        "--deadline",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long sweeps may take to confirm what was sent, and then to repair it (300)",
    )
    drilling.add_argument("--sweep", action="store_true", help="run the sweeps itself, beside the deployment's own")
    drilling.add_argument("--json", action="store_true", help="print the report for a machine")
    _add_stack(drilling)


def _add_stack(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data-dir",
        type=Path,
        help="of a running stack; without it, what DATABASE_URL and the like name, else .safereel",
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: choose 1 to {MAX_PORT}, above 1023 unless you are root")
    return int(text)


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds: choose 1 or more")
    return float(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_LISTED:
        raise argparse.ArgumentTypeError(f"{text} is no number to list: choose 1 to {MAX_LISTED}")
    return int(text)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(
            f"{text} is no id: one looks like 01890a5d-ac96-774b-bcce-b302099a8057"
        ) from exc


def _place(text: str) -> EventPlace:
    try:
        return EventPlace.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text} is no cursor: take one that “events” printed, or 0-0") from exc


def _words(kind: type[StrEnum]) -> list[str]:
    return [word.value for word in kind]
