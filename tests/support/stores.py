"""Other S3 servers than the embedded one, to see what is said of them: moto, which checks nothing, and rclone."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moto.server import ThreadedMotoServer

from tests.support.processes import kill_tree

START_S = 20.0
POLL_S = 0.05
RCLONE_KEY, RCLONE_SECRET = "rclone", "rclone-secret"


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of an S3 server that takes anything from anybody."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    """The address of `rclone serve s3` over `folder`, whose folders are buckets; the keys are those above."""
    program = Path(sys.executable).parent / "rclone"
    argv = [
        str(program),
        "serve",
        "s3",
        "--addr",
        "127.0.0.1:0",
        "--auth-key",
        f"{RCLONE_KEY},{RCLONE_SECRET}",
        str(folder),
    ]
    log = folder.parent / "rclone.log"
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            yield _announced(log, process)
        finally:
            kill_tree(process.pid)


def _announced(log: Path, process: "subprocess.Popen[bytes]") -> str:
    """The address that rclone says it listens on."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        _, _, rest = log.read_text().partition("server on [")
        if "]" in rest:
            return rest.partition("]")[0].rstrip("/")
        time.sleep(POLL_S)
    raise TimeoutError(f"rclone did not start: {log.read_text()}")
