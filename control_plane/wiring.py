"""The only place that builds things: used by production, commands and tests alike."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from control_plane.api.state import Services
from control_plane.bucket.presign import Address, Addressing, Credentials, Signer, SigV4Presigner
from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.db.chunks import ChunkStore
from control_plane.db.database import Database
from control_plane.db.deployment import DeploymentStore
from control_plane.db.expiry import ExpiryStore
from control_plane.db.heartbeats import HeartbeatStore
from control_plane.db.owners import OwnerStore
from control_plane.db.recordings import RecordingStore
from control_plane.db.sweeps import SweepStore
from control_plane.services.acking import AckService
from control_plane.services.auditing import AuditService
from control_plane.services.confirming import ConfirmService
from control_plane.services.deployment import DeploymentService
from control_plane.services.describing import DescriptionService
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.expiring import ExpiryService
from control_plane.services.granting import GrantService
from control_plane.services.health import HealthService
from control_plane.services.heartbeats import HeartbeatService
from control_plane.services.identity import TokenIssuer, TokenVerifier
from control_plane.services.looking import Looker
from control_plane.services.quotas import QuotaService
from control_plane.services.recordings import RecordingService
from control_plane.services.sweeping import SweepRunner

# How long a request waits for a connection before it is told to come again.
POOL_TIMEOUT_S = 5.0
# The page asks again shortly before: short enough that a leaked one is soon worthless.
TOKEN_TTL = timedelta(hours=1)
# A recorder that waits longer for a verdict may as well be told to ask again: a bucket that hangs must not hang everybody.
ACK_PATIENCE_S = 6.0
# Of the HEADs that acks may have under way, a sweep may add this part.
SWEEPS_SHARE = 4


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Everything an entry point uses, open."""

    services: Services
    deployment: DeploymentService
    confirm: ConfirmService
    audit: AuditService


def utc_now() -> datetime:
    """This process's clock: for signatures and tokens; whatever the ledger decides rests on the database's."""
    return datetime.now(UTC)


def token_issuer(secret: str) -> TokenIssuer:
    """The embedded stack's issuer."""
    return TokenIssuer(secret, ttl=TOKEN_TTL)


def credentials(settings: Settings) -> Credentials:
    """The bucket's credentials."""
    return Credentials(settings.s3_access_key_id, settings.s3_secret_access_key.get_secret_value())


def presigner(settings: Settings) -> SigV4Presigner:
    """Signs for the address under which browsers see the bucket."""
    address = Address.of(settings.public_endpoint, settings.s3_bucket_name, Addressing(settings.s3_addressing))
    signer = Signer(address, region=settings.s3_region, credentials=credentials(settings))
    return SigV4Presigner(signer, put_ttl=settings.grant_ttl, get_ttl=settings.get_ttl)


def bucket(settings: Settings) -> S3Bucket:
    """The bucket at the address under which the control plane reaches it; to be opened."""
    return S3Bucket(
        endpoint=settings.s3_endpoint,
        bucket=settings.s3_bucket_name,
        region=settings.s3_region,
        credentials=credentials(settings),
        addressing=Addressing(settings.s3_addressing),
    )


@asynccontextmanager
async def open_control_plane(
    settings: Settings, *, issues_tokens: bool = False, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[ControlPlane]:
    """Builds and opens everything, and closes it at the end. `issues_tokens`: the embedded stack's alone."""
    url = settings.database_url.get_secret_value()
    async with (
        Database.open(url, max_size=settings.safereel_database_pool, timeout_s=POOL_TIMEOUT_S) as database,
        bucket(settings) as opened,
    ):
        yield _build(settings, database, opened, clock, issues_tokens=issues_tokens)


def _build(
    settings: Settings,
    database: Database,
    opened: S3Bucket,
    clock: Callable[[], datetime],
    *,
    issues_tokens: bool,
) -> ControlPlane:
    recordings = RecordingStore(database, idle=settings.idle)
    chunks = ChunkStore(database, grant_ttl=settings.grant_ttl, idle=settings.idle, quota=settings.quota)
    sweeps, deployments = SweepStore(database), DeploymentStore(database)
    signer = presigner(settings)
    looker = Looker(opened, at_once=settings.safereel_heads_at_once, patience_s=ACK_PATIENCE_S)
    # Of its own: thousands of HEADs of a sweep must not stand before the one that a recorder waits for.
    sweeping = Looker(opened, at_once=max(1, settings.safereel_heads_at_once // SWEEPS_SHARE))
    deployment = DeploymentService(deployments, opened)
    runner = SweepRunner(sweeps, deployment)
    discrepancies = DiscrepancyService(sweeps)
    secret = settings.safereel_token_secret.get_secret_value()
    quotas = QuotaService(OwnerStore(database, quota=settings.quota), recount_every=settings.recount_every)
    services = Services(
        recordings=RecordingService(recordings, chunks, signer),
        grants=GrantService(recordings, chunks, DescriptionService(recordings, opened), signer),
        acks=AckService(recordings, chunks, looker),
        heartbeats=HeartbeatService(HeartbeatStore(database, idle=settings.idle), signer, grant_ttl=settings.grant_ttl),
        quotas=quotas,
        expiry=ExpiryService(ExpiryStore(database)),
        health=HealthService(deployments, opened),
        verifier=TokenVerifier(secret),
        issuer=token_issuer(secret) if issues_tokens else None,
        clock=clock,
        heartbeat_interval_ms=settings.safereel_heartbeat_interval_ms,
    )
    return ControlPlane(
        services=services,
        deployment=deployment,
        confirm=ConfirmService(runner, sweeps, discrepancies, opened, sweeping, settle=settings.settle),
        audit=AuditService(runner, sweeps, discrepancies, opened, sweeping, settle=settings.settle),
    )
