"""`safereel serve`: the control plane, on the parts that the environment names."""

import argparse
import socket
from contextlib import nullcontext
from pathlib import Path

from control_plane import wiring
from control_plane.app import create_app
from control_plane.config import Settings
from control_plane.environment import UsageError, settings_of
from control_plane.migrating import migrate
from control_plane.schedule import scheduled
from control_plane.serving import listen, serve
from control_plane.signals import run_until_stopped
from control_plane.wiring import ControlPlane, open_control_plane, utc_now
from control_plane.working import clock_jobs, working


def page_dir() -> Path:
    """Where the built page lies: beside the package in a checkout, inside it in an installed wheel."""
    packaged = Path(__file__).parent.parent / "_page"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "browser" / "dist"


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
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


async def _run_on_real_parts(settings: Settings, listener: socket.socket) -> None:
    """The control plane on the parts that the environment names, until cancelled."""
    async with open_control_plane(settings) as plane:
        await plane.deployment.claim_bucket(begins=True)
        print(f"Serving on http://{settings.safereel_host}:{settings.safereel_port}", flush=True)
        await serve_plane(plane, settings, listener)


async def serve_plane(plane: ControlPlane, settings: Settings, listener: socket.socket) -> None:
    """API, page, clock and, where the settings say so, a worker, until cancelled. The bucket was claimed before."""
    plane.services.verifier.begin(utc_now())
    app = create_app(
        plane.services,
        page_dir=page_dir(),
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
