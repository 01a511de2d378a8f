"""One version for all: the Python package, the npm package, what the API says of itself and what recorders say of themselves."""

import json
import re
import tomllib
from pathlib import Path

import control_plane

ROOT = Path(__file__).parents[2]


def test_all_places_name_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    manifest = json.loads((ROOT / "browser" / "package.json").read_text())
    lock = json.loads((ROOT / "browser" / "package-lock.json").read_text())
    sdk = re.findall(r"SDK_VERSION = '(.*)'", (ROOT / "browser/src/recorder/control-plane.ts").read_text())
    named = {project["version"], control_plane.__version__, manifest["version"], lock["version"], *sdk}
    assert len(sdk) == 1
    assert named == {control_plane.__version__}
    assert lock["packages"][""]["version"] == control_plane.__version__
