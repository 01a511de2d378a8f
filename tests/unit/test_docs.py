"""The documents are complete: settings, routes, commands."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from control_plane.api.body_refusals import CODES
from control_plane.api.calls import CALLS
from control_plane.cli import command_names, main, program_of_commands
from control_plane.config import Settings
from control_plane.domain import errors
from control_plane.domain.events import EventKind
from control_plane.domain.findings import Handled, Observation, report_detail

# Of an address that takes other methods, and of a browser's preflight.
OF_NO_CALL = {(kind.code, kind.status) for kind in (errors.MethodNotAllowed, errors.OriginNotListed)}
ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_settings_are_all_listed_with_their_defaults() -> None:
    table = dict[str, str]()
    for line in read("docs/settings.md").splitlines():
        if line.startswith("| `"):
            names, default, _ = [cell.strip() for cell in line.strip("|").split("|")]
            found = re.findall(r"`([A-Z0-9_]+)`", names)
            defaults = re.findall(r"`([^`]*)`", default)
            table |= dict(zip(found, defaults if len(defaults) == len(found) else [""] * len(found), strict=True))
    assert set(table) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int) or name in {"s3_region", "s3_addressing", "safereel_host"}:
            assert table[name.upper()] == str(field.default).lower(), name


def test_every_setting_says_why_its_value() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_protocol_names_every_route() -> None:
    protocol = read("docs/protocol.md")
    for call in CALLS:
        assert f"`{call.method} {call.template()}" in protocol, call.id


def test_protocol_names_no_other_call() -> None:
    named = set(re.findall(r"`((?:GET|PUT|POST|DELETE|PATCH) /[^` ?]*)", read("docs/protocol.md")))
    assert named - {f"{call.method} {call.template()}" for call in CALLS} == {"GET /openapi.json", "GET /metrics"}


def test_protocol_lists_every_kind_of_event() -> None:
    table = read("docs/protocol.md").partition("#### Events")[2].partition("### Without")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == set(EventKind)


def test_protocol_openapi_and_catalogue_have_the_same_problems() -> None:
    """Each code with its status: in the table for people, in the document for programs, in the classes that are raised."""
    table = read("docs/protocol.md").partition("## Problems")[2]
    told = {(code, int(status)) for code, status in re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", table, re.MULTILINE)}
    described = {(code, status) for call in CALLS for status, found in call.refusals().items() for code in found}
    described |= {(kind.code, kind.status) for call in CALLS for kind in call.item_problems}
    assert told == described | OF_NO_CALL
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Refusal))
    raised = {(kind.code, kind.status) for kind in kinds if kind not in {errors.Refusal, errors.BodyInvalid}}
    assert raised - told == set(), "in no call's problems"
    assert {code for code, status in told - raised if status != errors.BodyInvalid.status} == set(), "never raised"
    assert {code for code, _ in told} >= CODES


def test_architecture_or_readme_names_every_command() -> None:
    documents = read("README.md") + read("docs/architecture.md") + read("CONTRIBUTING.md")
    for name in command_names():
        assert f"safereel {name}" in documents, name


def test_operations_lists_every_command_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    rows = re.findall(r"^\| `safereel ([a-z-]+)` \|([^|]*)\|", read("docs/operations.md"), re.MULTILINE)
    told = {name: set(re.findall(r"`(--[a-z-]+)`", options)) for name, options in rows}
    assert set(told) == set(command_names())
    for name, options in told.items():
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)) == options, name


def test_operations_lists_every_member_of_a_sweeps_report() -> None:
    table = read("docs/operations.md").partition("### What a sweep reports")[2].partition("###")[0]
    members = set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE))
    assert members == set(report_detail(Observation(), Handled()))


DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))


def calls_of(text: str) -> Iterator[Sequence[str]]:
    """What follows `safereel` in the shell blocks, up to a comment, a pipe or the bracket that it stands in."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        code = re.sub(r" #.*", "", block)
        yield from (shlex.split(call) for call in re.findall(r"(?<![\w./-])safereel ([a-z][^|)\n]*)", code))


def test_calls_are_found_in_documents() -> None:
    calls = list(calls_of(read("docs/operations.md")))
    assert ["token", "--owner", "you", "--admin"] in calls
    assert ["events", "--limit", "20"] in calls
    assert ["sweep", "fixity"] in calls


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_documents_can_be_called(document: str) -> None:
    program = program_of_commands()
    for argv in calls_of(read(document)):
        assert program.read(argv).command == argv[0]


def test_recorder_lists_every_error_code_event_and_option_of_the_sdk() -> None:
    """Read from the sources: each error's sentence, each event's type, each member of the two interfaces of options."""
    recorder, types = read("docs/recorder.md"), read("browser/src/recorder/types.ts")
    details = read("browser/src/recorder/errors.ts").partition("const DETAILS = {")[2].partition("} as const")[0]
    named = set(re.findall(r"^  ([a-z_]+):", details, re.MULTILINE))
    named |= set(re.findall(r"type: '([a-z_]+)'", types))
    for interface in ("SafereelOptions", "RecordOptions"):
        members = types.partition(f"interface {interface} {{")[2].partition("\n}")[0]
        named |= set(re.findall(r"^  (\w+)\??:", members, re.MULTILINE))
    assert {"closed", "flushed", "getToken", "resume"} <= named
    assert {name for name in named if f"`{name}`" not in recorder} == set()
