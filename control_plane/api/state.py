"""What handlers reach: the services, built by `wiring`, in the typed state of the application's lifespan."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from starlette.requests import Request

from control_plane.services.acking import AckService
from control_plane.services.deleting import DeletionService
from control_plane.services.dispatching import DispatchService
from control_plane.services.download_news import DownloadNews
from control_plane.services.downloads import DownloadService
from control_plane.services.events import EventService
from control_plane.services.expiring import ExpiryService
from control_plane.services.figures import FigureService
from control_plane.services.freezing import FreezeService
from control_plane.services.granting import GrantService
from control_plane.services.health import HealthService
from control_plane.services.heartbeats import HeartbeatService
from control_plane.services.identity import TokenVerifier
from control_plane.services.limiting import CallLimits
from control_plane.services.manifests import ManifestService
from control_plane.services.purging import PurgeService
from control_plane.services.quotas import QuotaService
from control_plane.services.recordings import RecordingService
from control_plane.services.shared_secret import TokenIssuer
from control_plane.services.sharing import SharingService
from control_plane.services.sweep_reports import SweepReportService
from control_plane.services.tickets import TicketService
from control_plane.services.viewing import ViewService


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a handler may call. `issuer` is None outside the embedded stack."""

    recordings: RecordingService
    deletions: DeletionService
    purges: PurgeService
    manifests: ManifestService
    grants: GrantService
    acks: AckService
    heartbeats: HeartbeatService
    quotas: QuotaService
    expiry: ExpiryService
    health: HealthService
    figures: FigureService
    events: EventService
    tickets: TicketService
    freezing: FreezeService
    dispatch: DispatchService
    sweep_reports: SweepReportService
    downloads: DownloadService
    download_news: DownloadNews
    sharing: SharingService
    views: ViewService
    verifier: TokenVerifier
    issuer: TokenIssuer | None
    clock: Callable[[], datetime]
    heartbeat_interval_ms: int
    limits: CallLimits


class State(TypedDict):
    """The lifespan's state."""

    services: Services


def services(request: Request[State]) -> Services:
    """The services of the application that got this request."""
    return request.state["services"]
