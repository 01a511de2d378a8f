"""What is published, as a stranger gets it: built, packed, and installed from that file alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support import parts

BROWSER = parts.ROOT / "browser"
EXAMPLES = BROWSER / "examples"
NAME = "@safereel/recorder"
TIMEOUT_S = 120.0


def run_command(*command: str, cwd: Path) -> str:
    """What a command says; raises AssertionError with its words if it fails."""
    env = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tool(name: str) -> str:
    """The path of a command that the browser part's development packages bring."""
    return str(BROWSER / "node_modules" / ".bin" / name)


def wheel(folder: Path) -> Path:
    """The Python package as `make package` builds it: with the page that lies in `browser/dist`."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    run_command(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(parts.ROOT), cwd=folder)
    [built] = folder.glob("safereel-*.whl")
    return built


def pack(folder: Path) -> Path:
    """Builds the package and packs it as `npm publish` would; the tarball in `folder`."""
    built = folder / "package"
    run_command("node", "package/build.mjs", str(built), cwd=BROWSER)
    told = run_command("npm", "pack", "--json", "--pack-destination", str(folder), cwd=built)
    return folder / str(json.loads(told)[0]["filename"])


def install(tarball: Path, project: Path) -> Path:
    """An empty project with that one dependency; npm may ask nobody."""
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"name": "a-page", "private": True, "type": "module"}))
    run_command("npm", "install", "--offline", "--no-audit", "--no-fund", str(tarball), cwd=project)
    return project


def lend(project: Path, names: Iterable[str]) -> None:
    """Lets a project use other packages, which ours does not bring, from where the browser part has them."""
    for name in names:
        link = project / "node_modules" / name
        if not link.exists():
            link.symlink_to(BROWSER / "node_modules" / name)
