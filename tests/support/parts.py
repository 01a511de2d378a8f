"""The parts that tests need and neither pip nor npm brings: Chromium, Firefox, ffprobe, SPIN, nginx and a C compiler.

`python -m tests.support.parts` installs those that are missing, and fails naming what it could not get.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ROOT / ".cache" / "browsers"
NGINX = ROOT / ".cache" / "nginx"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIREFOX_NAMES = ("firefox-esr", "firefox")


class MissingPart(Exception):
    """A part the tests need is not on this machine; says how to get it."""


def chromium() -> Path:
    """The Chromium to drive: `$SAFEREEL_CHROMIUM`, else the first on the path, else the one downloaded."""
    found = _browser("SAFEREEL_CHROMIUM", CHROMIUM_NAMES, "chrome/*/*/chrome")
    if found is None:
        raise MissingPart(
            "Chromium is missing: install it (Debian: apt-get install chromium), "
            "or name a Chrome or Chromium in SAFEREEL_CHROMIUM."
        )
    return found


def firefox() -> Path:
    """The Firefox to drive: `$SAFEREEL_FIREFOX`, else the first on the path, else the one downloaded."""
    found = _browser("SAFEREEL_FIREFOX", FIREFOX_NAMES, "firefox/*/*/firefox")
    if found is None:
        raise MissingPart(
            "Firefox is missing: install it (Debian: apt-get install firefox-esr), or name one in SAFEREEL_FIREFOX."
        )
    return found


def _browser(variable: str, names: Sequence[str], downloaded: str) -> Path | None:
    """The one that the variable names, else the first on the path, else the newest in `BROWSERS`."""
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise MissingPart(f"{variable} names {named}, which cannot be run.")
        return Path(named)
    on_path = (Path(found) for name in names if (found := shutil.which(name)))
    return next(iter((*on_path, *sorted(BROWSERS.glob(downloaded), reverse=True))), None)


def ffprobe() -> Path:
    """The ffprobe that judges recordings: an independent reader, not the library the control plane uses."""
    found = shutil.which("ffprobe")
    if found is None:
        raise MissingPart("ffprobe is missing: install FFmpeg (Debian: apt-get install ffmpeg).")
    return Path(found)


def spin() -> Path:
    """SPIN, which turns the model of the protocol into a program that searches its states."""
    found = shutil.which("spin")
    if found is None:
        raise MissingPart("SPIN is missing: install it (Debian: apt-get install spin; elsewhere https://spinroot.com).")
    return Path(found)


def gcc() -> Path:
    """The compiler of that program."""
    found = shutil.which("gcc")
    if found is None:
        raise MissingPart("gcc is missing: install it (Debian: apt-get install gcc libc6-dev).")
    return Path(found)


def nginx() -> Path:
    """The proxy that tests stand behind. Where it is not installed it is unpacked: a web server that is installed starts."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:{NGINX / 'usr' / 'sbin'}")
    if found is None:
        raise MissingPart("nginx is missing: install it (Debian: apt-get install nginx-light).")
    return Path(found)


def main() -> int:
    """Installs what is missing; 0 if all parts are there afterwards."""
    apt = list(_apt_get())
    chromium_ways = [*(_apt_install(cmd, "chromium", "fonts-liberation") for cmd in apt), _download("chrome")]
    firefox_ways = [*(_apt_install(cmd, "firefox-esr", "fonts-liberation") for cmd in apt), _download("firefox")]
    ffprobe_ways = [_apt_install(cmd, "ffmpeg") for cmd in apt]
    spin_ways = [_apt_install(cmd, "spin") for cmd in apt]
    gcc_ways = [_apt_install(cmd, "gcc", "libc6-dev") for cmd in apt]
    nginx_ways = [_apt_unpack(cmd, NGINX, "nginx") for cmd in apt]
    browsers = ((chromium, chromium_ways), (firefox, firefox_ways))
    wanted = (*browsers, (ffprobe, ffprobe_ways), (spin, spin_ways), (gcc, gcc_ways), (nginx, nginx_ways))
    missing = [problem for find, ways in wanted if (problem := _ensure(find, ways)) is not None]
    for problem in missing:
        sys.stderr.write(f"{problem}\n")
    return 1 if missing else 0


def _ensure(find: Callable[[], Path], ways: Sequence[Callable[[], None]]) -> MissingPart | None:
    """Tries one way after the other until `find` finds; None if it did."""
    for way in ways:
        try:
            find()
        except MissingPart:
            way()
        else:
            return None
    try:
        find()
    except MissingPart as problem:
        return problem
    return None


def _apt_get() -> Iterator[list[str]]:
    """The command that runs apt-get as root, where there is one."""
    if shutil.which("apt-get") is None:
        return
    if os.geteuid() == 0:
        yield ["apt-get"]
    elif shutil.which("sudo") and _succeeds(["sudo", "-n", "true"]):
        yield ["sudo", "-n", "apt-get"]


def _apt_install(apt: Sequence[str], *packages: str) -> Callable[[], None]:
    def install() -> None:
        _say(f"Installing {' '.join(packages)} with apt-get …")
        quiet = ["-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120"]
        _run([*apt, "update", *quiet])
        _run([*apt, "install", "-y", "--no-install-recommends", *quiet, *packages])

    return install


def _apt_unpack(apt: Sequence[str], folder: Path, package: str) -> Callable[[], None]:
    """What of a package needs nothing but the libraries that every Debian has."""

    def unpack() -> None:
        _say(f"Unpacking {package} into {folder.relative_to(ROOT)} …")
        folder.mkdir(parents=True, exist_ok=True)
        _run([*apt, "update", "-qq"])
        _run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package], folder)
        for found in sorted(folder.glob(f"{package}_*.deb")):
            _run(["dpkg-deb", "-x", str(found), str(folder)])

    return unpack


def _download(browser: str) -> Callable[[], None]:
    def download() -> None:
        _say(f"Downloading {browser} into .cache/browsers …")
        installer = ROOT / "browser" / "node_modules" / ".bin" / "browsers"
        _run([str(installer), "install", f"{browser}@stable", "--path", str(BROWSERS)])

    return download


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    """Runs it; its failure is told by the part still missing, its own words go to stderr."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env, cwd=folder)


def _succeeds(command: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    return subprocess.run(command, check=False, stdin=quiet, stdout=quiet, stderr=quiet).returncode == 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
