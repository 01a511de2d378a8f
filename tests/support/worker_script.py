"""A script of a test's own that runs before the recorder's worker, whose own code is unchanged."""

from pathlib import Path

from tests.support.proxy import FaultProxy, Respond

DISK = Path(__file__).with_name("disk.js")


def put_before_worker(api: FaultProxy, assets: Path, script: Path) -> None:
    """Serves the worker of the page in `assets` with `script` before it, to every tab opened from now on."""
    (worker,) = assets.glob("spool.worker-*.js")
    body = script.read_bytes() + worker.read_bytes()
    api.add("GET", f"/assets/{worker.name}$", Respond(200, {"content-type": "text/javascript"}, body), times=None)
