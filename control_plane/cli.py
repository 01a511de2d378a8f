"""`safereel`: up, serve, worker, migrate, provision, env, token, sweep, rebuild, retention, doctor, drill, openapi."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from control_plane.domain.models import SweepKind

MAX_PORT = 65_535


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
    arguments = _parser().parse_args(argv)
    try:
        # Only what is called is imported: all of it together takes a second of CPU.
        import_module("control_plane.telemetry").set_up_logs()
        status: int = import_module(f"control_plane.commands.{arguments.command}").run(arguments)
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


def command_names() -> Sequence[str]:
    """The commands there are."""
    commands = argparse.ArgumentParser().add_subparsers()
    _add_commands(commands)
    return list(commands.choices)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="safereel", description="Recordings that cannot get lost: the control plane.")
    _add_commands(parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command"))
    return parser


def _add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = commands.add_parser("up", help="run everything on this machine: database, bucket, control plane, page")
    up.add_argument("--port", type=_port, default=8000, help="where API and page are served (8000)")
    up.add_argument("--data-dir", type=Path, help="where everything is kept (.safereel)")
    serving = commands.add_parser("serve", help="run the control plane on the parts that the environment names")
    serving.add_argument(
        "--with-worker", action="store_true", help="run a worker inside, as SAFEREEL_WORKER_INSIDE=true does"
    )
    commands.add_parser("worker", help="run sweeps that are due: as many of these as you like, anywhere")
    commands.add_parser("migrate", help="bring the database's schema up to date")
    provisioning = commands.add_parser("provision", help="make the bucket fit: versioning, CORS, deployment marker")
    provisioning.add_argument(
        "--emptied",
        action="store_true",
        help="the bucket is the right one and was emptied: mark it as this deployment's again",
    )
    env = commands.add_parser("env", help="print the addresses and keys of a running stack, for other tools")
    env.add_argument("--data-dir", type=Path, help="of that stack (.safereel)")
    token = commands.add_parser(
        "token", help="print a token of the embedded issuer, or signed with SAFEREEL_TOKEN_SECRET"
    )
    token.add_argument("--owner", required=True, help="whom it speaks for")
    token.add_argument("--admin", action="store_true", help="with the scope admin as well")
    token.add_argument("--data-dir", type=Path, help="of a running stack (.safereel)")
    sweep = commands.add_parser("sweep", help="run one sweep now and print its report")
    sweep.add_argument("kind", choices=[kind.value for kind in SweepKind])
    sweep.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    _add_stack(sweep)
    rebuilding = commands.add_parser("rebuild", help="make the ledger anew, or complete it, from the bucket alone")
    rebuilding.add_argument("--dry-run", action="store_true", help="say what would be taken up, and change nothing")
    rebuilding.add_argument("--json", action="store_true", help="print the summary for a machine")
    _add_stack(rebuilding)
    retaining = commands.add_parser("retention", help="delete what is older than the retention settings allow, now")
    retaining.add_argument("--dry-run", action="store_true", help="list what would go, and delete nothing")
    _add_stack(retaining)
    examining = commands.add_parser(
        "doctor", help="check bucket, database and clocks for what Safereel needs, and say how to mend what is wrong"
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
    drilling = commands.add_parser(
        "drill", help="damage a recording of its own in every way there is, and watch the deployment repair it"
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
    commands.add_parser("openapi", help="print the OpenAPI document; needs neither database nor bucket")


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
