"""The documents are complete: settings, routes, commands."""

import re
from pathlib import Path

from control_plane.api.calls import CALLS
from control_plane.cli import command_names
from control_plane.config import Settings

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_readme_names_every_setting_with_its_default() -> None:
    table = dict[str, str]()
    for line in read("README.md").splitlines():
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


def test_architecture_or_readme_names_every_command() -> None:
    documents = read("README.md") + read("docs/architecture.md") + read("CONTRIBUTING.md")
    for name in command_names():
        assert f"safereel {name}" in documents, name
