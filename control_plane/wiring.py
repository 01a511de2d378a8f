"""The only place that builds things: used by production, commands and tests alike."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from control_plane.api.state import Services
from control_plane.bucket.presign import Address, Addressing, Credentials, Signer, SigV4Presigner
from control_plane.bucket.s3 import S3Bucket
from control_plane.config import Settings
from control_plane.db.chunks import ChunkStore
from control_plane.db.database import Database
from control_plane.db.deletion import DeletionStore
from control_plane.db.deployment import DeploymentStore
from control_plane.db.downloads import DownloadStore
from control_plane.db.events import EventStore
from control_plane.db.expiry import ExpiryStore
from control_plane.db.figures import FigureStore
from control_plane.db.fixity import FixityStore
from control_plane.db.freezes import FreezeStore
from control_plane.db.heartbeats import HeartbeatStore
from control_plane.db.manifests import ManifestStore
from control_plane.db.owners import OwnerStore
from control_plane.db.rebuilding import RebuildStore
from control_plane.db.recordings import RecordingStore
from control_plane.db.repairs import RepairStore
from control_plane.db.retention import RetentionStore
from control_plane.db.sharing import ShareStore
from control_plane.db.sweeps import SweepStore
from control_plane.db.tickets import TicketStore
from control_plane.db.webhooks import WebhookStore
from control_plane.db.work import WorkStore
from control_plane.domain.addresses import is_loopback
from control_plane.domain.identity import ClaimRules
from control_plane.domain.webhook_urls import is_public
from control_plane.jobs.queue import JobQueue
from control_plane.media.remuxing import Remuxer
from control_plane.oidc.provider import Provider
from control_plane.services.acking import AckService
from control_plane.services.assembling import AssemblyService, AssemblyStores
from control_plane.services.auditing import AuditService
from control_plane.services.carrying import CarryService
from control_plane.services.confirming import ConfirmService
from control_plane.services.deleting import DeletionService
from control_plane.services.deployment import DeploymentService
from control_plane.services.describing import DescriptionService
from control_plane.services.discrepancies import DiscrepancyService
from control_plane.services.dispatching import DispatchService, Staleness
from control_plane.services.download_cleaning import DownloadCleaning
from control_plane.services.download_dispatch import DownloadDispatch
from control_plane.services.download_news import DownloadNews
from control_plane.services.downloads import DownloadService
from control_plane.services.events import EventService
from control_plane.services.expiring import ExpiryService
from control_plane.services.figures import FigureService
from control_plane.services.fixity import FixityService
from control_plane.services.freezing import FreezeService
from control_plane.services.granting import GrantService
from control_plane.services.healing import HealService
from control_plane.services.health import HealthService
from control_plane.services.heartbeats import HeartbeatService
from control_plane.services.identity import TokenVerifier, Trust
from control_plane.services.joining import Joiner
from control_plane.services.keeping_meta import MetaKeeper
from control_plane.services.limiting import CallLimits, RateLimits, open_rate_limits
from control_plane.services.looking import Looker
from control_plane.services.manifests import ManifestService
from control_plane.services.provider_trust import KeyRing, ProviderTrust
from control_plane.services.proving import Prover
from control_plane.services.purging import PurgeService
from control_plane.services.quotas import QuotaService
from control_plane.services.rebuilding import RebuildService, RebuildStores
from control_plane.services.recordings import RecordingService
from control_plane.services.retaining import RetentionService
from control_plane.services.shared_secret import SharedSecretTrust, TokenIssuer
from control_plane.services.sharing import SharingService
from control_plane.services.sweep_reports import SweepReportService
from control_plane.services.sweeping import SweepRunner
from control_plane.services.taking_up import TakeUpService
from control_plane.services.tickets import TicketService
from control_plane.services.ticking import TickService
from control_plane.services.unexpected import UnexpectedService
from control_plane.services.viewing import ViewService
from control_plane.services.webhooks import WebhookService
from control_plane.webhooks.sending import Sender
from control_plane.webhooks.signing import Signer as WebhookSigner

# How long a request waits for a connection before it is told to come again.
POOL_TIMEOUT_S = 5.0
# The page asks again shortly before: short enough that a leaked one is soon worthless.
TOKEN_TTL = timedelta(hours=1)
# A recorder that waits longer for a verdict may as well be told to ask again: a bucket that hangs must not hang everybody.
ACK_PATIENCE_S = 6.0
# A process that reads media does something many times a second while it is fed.
MEDIA_SILENCE_S = 60.0
# Of the HEADs that acks may have under way, a sweep may add this part.
SWEEPS_SHARE = 4


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Everything an entry point uses, open."""

    services: Services
    deployment: DeploymentService
    confirm: ConfirmService
    audit: AuditService
    fixity: FixityService
    retention: RetentionService
    rebuild: RebuildService
    ticks: TickService
    queue: JobQueue
    carry: CarryService
    assembly: AssemblyService
    download_dispatch: DownloadDispatch
    download_cleaning: DownloadCleaning
    webhooks: WebhookService | None
    """None: none are configured."""


def utc_now() -> datetime:
    """This process's clock: for signatures and tokens; whatever the ledger decides rests on the database's."""
    return datetime.now(UTC)


def worker_name() -> str:
    """Under which reports of sweeps say who ran them: the machine and the process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def token_issuer(secret: str) -> TokenIssuer:
    """The embedded stack's issuer."""
    return TokenIssuer(secret, ttl=TOKEN_TTL)


def credentials(settings: Settings) -> Credentials:
    """The bucket's credentials."""
    return Credentials(settings.s3_access_key_id, settings.s3_secret_access_key.get_secret_value())


def public_address(settings: Settings) -> Address:
    """The bucket as browsers see it; its `origin` is what a page must be allowed to connect to."""
    return Address.of(settings.public_endpoint, settings.s3_bucket_name, Addressing(settings.s3_addressing))


def rate_limits(settings: Settings) -> AbstractAsyncContextManager[RateLimits]:
    """How many calls an owner may make; to be opened."""
    return open_rate_limits(
        settings.safereel_rate_limit_store.get_secret_value(),
        calls=settings.safereel_rate_limit,
        window_s=settings.safereel_rate_window_ms // 1_000,
    )


def share_limits(settings: Settings) -> AbstractAsyncContextManager[RateLimits]:
    """How many calls without a token an address may make; to be opened."""
    return open_rate_limits(
        settings.safereel_rate_limit_store.get_secret_value(),
        calls=settings.safereel_share_rate_limit,
        window_s=settings.safereel_rate_window_ms // 1_000,
        namespace="viewers",
    )


def presigner(settings: Settings, *, get_ttl: timedelta | None = None) -> SigV4Presigner:
    """Signs for the address under which browsers see the bucket. `get_ttl`: for another time than owners' own GETs."""
    signer = Signer(public_address(settings), region=settings.s3_region, credentials=credentials(settings))
    return SigV4Presigner(signer, put_ttl=settings.grant_ttl, get_ttl=get_ttl or settings.get_ttl)


def bucket(settings: Settings) -> S3Bucket:
    """The bucket at the address under which the control plane reaches it; to be opened."""
    return S3Bucket(
        endpoint=settings.s3_endpoint,
        bucket=settings.s3_bucket_name,
        region=settings.s3_region,
        credentials=credentials(settings),
        addressing=Addressing(settings.s3_addressing),
    )


def remuxer(settings: Settings) -> Remuxer:
    """Reads media, in processes of its own."""
    return Remuxer(
        memory_limit_bytes=settings.safereel_media_memory_bytes,
        scratch_dir=settings.scratch_dir,
        scratch_limit_bytes=settings.safereel_scratch_bytes,
        silence_s=MEDIA_SILENCE_S,
    )


class IssuerForbidden(Exception):
    """Who asks gets a token of the embedded issuer without being known: that may exist on one's own machine only."""


def _embedded_issuer(settings: Settings) -> TokenIssuer:
    """Raises `IssuerForbidden` unless every part, and the control plane itself, is on this machine."""
    parts = (settings.database_url.get_secret_value(), settings.s3_endpoint, f"http://{settings.safereel_host}")
    if not all(is_loopback(part) for part in parts):
        raise IssuerForbidden("Only `safereel up` issues tokens: this database, bucket or address is not on loopback.")
    return token_issuer(settings.safereel_token_secret.get_secret_value())


def webhook_sender(settings: Settings) -> Sender:
    """Sends webhooks, where it may; to be opened."""
    anywhere = settings.safereel_webhook_private_addresses
    return Sender((lambda _: True) if anywhere else is_public)


def provider(settings: Settings) -> Provider:
    """The identity provider that is configured; to be opened."""
    return Provider(
        settings.safereel_oidc_issuer,
        jwks_url=settings.safereel_oidc_jwks_url,
        algorithms=frozenset(settings.safereel_oidc_algorithms),
        http_allowed=settings.safereel_oidc_allow_http,
    )


async def open_trusts(settings: Settings, opened: AsyncExitStack) -> Sequence[Trust]:
    """Whose tokens are believed: those of the shared secret, of the provider, or both. What is opened is closed by `opened`."""
    trusts = list[Trust]()
    if secret := settings.safereel_token_secret.get_secret_value():
        trusts.append(SharedSecretTrust(secret))
    if issuer := settings.safereel_oidc_issuer:
        ring = KeyRing(
            await opened.enter_async_context(provider(settings)),
            ttl=timedelta(milliseconds=settings.safereel_oidc_keys_ttl_ms),
            max_age=timedelta(milliseconds=settings.safereel_oidc_keys_max_age_ms),
        )
        opened.push_async_callback(ring.close)
        rules = ClaimRules(
            issuer,
            frozenset(settings.safereel_oidc_audience),
            timedelta(milliseconds=settings.safereel_oidc_leeway_ms),
            settings.safereel_oidc_scope_claims,
            settings.safereel_oidc_scope_prefix,
        )
        trusts.append(ProviderTrust(ring, rules))
    return trusts


@asynccontextmanager
async def open_control_plane(
    settings: Settings, *, issues_tokens: bool = False, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[ControlPlane]:
    """Builds and opens everything, and closes it at the end.

    `issues_tokens`: the embedded stack's alone; raises `IssuerForbidden` on any other.
    """
    issuer = _embedded_issuer(settings) if issues_tokens else None
    url = settings.database_url.get_secret_value()
    async with (
        Database.open(url, max_size=settings.safereel_database_pool, timeout_s=POOL_TIMEOUT_S) as database,
        JobQueue.open(url) as queue,
        bucket(settings) as opened,
        rate_limits(settings) as limits,
        share_limits(settings) as viewer_limits,
        AsyncExitStack() as providers,
    ):
        verifier = TokenVerifier(await open_trusts(settings, providers))
        webhooks = None
        if secrets := settings.webhook_secrets:
            sender = await providers.enter_async_context(webhook_sender(settings))
            webhooks = WebhookService(WebhookStore(database), sender, WebhookSigner(secrets))
        yield _build(
            settings,
            database,
            opened,
            CallLimits(limits, viewer_limits, settings.safereel_trusted_proxies),
            clock,
            queue=queue,
            verifier=verifier,
            issuer=issuer,
            webhooks=webhooks,
        )


def _build(
    settings: Settings,
    database: Database,
    opened: S3Bucket,
    limits: CallLimits,
    clock: Callable[[], datetime],
    *,
    queue: JobQueue,
    verifier: TokenVerifier,
    issuer: TokenIssuer | None,
    webhooks: WebhookService | None,
) -> ControlPlane:
    recordings = RecordingStore(database, idle=settings.idle)
    chunks = ChunkStore(
        database,
        grant_ttl=settings.grant_ttl,
        idle=settings.idle,
        quota=settings.quota,
        live_grants=settings.safereel_live_grants,
    )
    sweeps, deployments, work = SweepStore(database), DeploymentStore(database), WorkStore(database)
    signer = presigner(settings)
    looker = Looker(opened, at_once=settings.safereel_heads_at_once, patience_s=ACK_PATIENCE_S)
    # Of its own: thousands of HEADs of a sweep must not stand before the one that a recorder waits for.
    sweeping = Looker(opened, at_once=max(1, settings.safereel_heads_at_once // SWEEPS_SHARE))
    deployment = DeploymentService(deployments, opened)
    fixity = FixityStore(database)
    freezing = FreezeService(FreezeStore(database), settings.freeze_rules)
    tickets = TicketService(TicketStore(database), silent_after=settings.silent_after)
    runner = SweepRunner(sweeps, deployment, freezing, worker=worker_name())
    prover = Prover(sweeping, opened, fixity)
    rebuilding = RebuildStore(database, idle=settings.idle)
    takeups = TakeUpService(rebuilding, opened, prover)
    descriptions = DescriptionService(recordings, opened)
    shares = ShareStore(database)
    sharing = SharingService(shares, recordings, descriptions, opened)
    meta = MetaKeeper(recordings, descriptions, sharing, opened, settle=settings.settle)
    repairs = RepairStore(database)
    healing = HealService(repairs, opened, prover)
    discrepancies = DiscrepancyService(sweeps, healing, freezing, tickets_per_sweep=settings.safereel_tickets_per_sweep)
    deletions = DeletionStore(database)
    deleting = DeletionService(deletions, grant_ttl=settings.grant_ttl)
    purges = PurgeService(deletions, deployments, deployment, opened)
    quotas = QuotaService(OwnerStore(database, quota=settings.quota), recount_every=settings.recount_every)
    confirm = ConfirmService(runner, sweeps, discrepancies, opened, sweeping, settle=settings.settle)
    audit = AuditService(
        runner,
        sweeps,
        discrepancies,
        opened,
        sweeping,
        unexpected=UnexpectedService(sweeps, repairs, prover, takeups, purges, settle=settings.settle),
        meta=meta,
        work=work,
        settle=settings.settle,
    )
    reading = FixityService(runner, fixity, sweeps, discrepancies, prover, plan=settings.reading_plan)
    downloads = DownloadStore(database)
    download_dispatch = DownloadDispatch(downloads, queue, per_owner=settings.safereel_downloads_per_owner)
    stale = Staleness(worker=settings.worker_silent, audit_round=settings.audit_stale)
    services = Services(
        recordings=RecordingService(recordings, chunks, signer),
        deletions=deleting,
        purges=purges,
        manifests=ManifestService(ManifestStore(database), deployments, deployment, opened),
        grants=GrantService(recordings, chunks, descriptions, signer),
        acks=AckService(recordings, chunks, looker),
        heartbeats=HeartbeatService(
            HeartbeatStore(database, idle=settings.idle), tickets, signer, grant_ttl=settings.grant_ttl
        ),
        quotas=quotas,
        expiry=ExpiryService(ExpiryStore(database)),
        health=HealthService(deployments, opened),
        dispatch=DispatchService(sweeps, work, queue, settle=settings.settle, stale=stale),
        downloads=DownloadService(
            downloads,
            signer,
            put=download_dispatch.soon,
            live_per_owner=settings.safereel_downloads_live,
            webhooks=settings.webhook_rules,
        ),
        download_news=DownloadNews(downloads),
        sharing=sharing,
        views=ViewService(shares, chunks, presigner(settings, get_ttl=settings.share_get_ttl)),
        sweep_reports=SweepReportService(work, keep=settings.sweep_reports),
        figures=FigureService(FigureStore(database, quota=settings.quota), EventStore(database)),
        events=EventService(EventStore(database)),
        tickets=tickets,
        freezing=freezing,
        verifier=verifier,
        issuer=issuer,
        clock=clock,
        heartbeat_interval_ms=settings.safereel_heartbeat_interval_ms,
        limits=limits,
    )
    return ControlPlane(
        services=services,
        retention=RetentionService(RetentionStore(database), deleting, rules=settings.retention),
        deployment=deployment,
        rebuild=RebuildService(
            RebuildStores(rebuilding, sweeps, repairs, deployments),
            deployment,
            opened,
            takeups,
            prover,
            sharing=sharing,
        ),
        confirm=confirm,
        audit=audit,
        fixity=reading,
        ticks=TickService(work),
        queue=queue,
        carry=CarryService(confirm, audit, reading),
        assembly=AssemblyService(
            AssemblyStores(downloads, chunks, sweeps, deployments),
            deployment,
            Joiner(opened, remuxer(settings)),
            worker=worker_name(),
            rules=settings.assembly_rules,
        ),
        download_dispatch=download_dispatch,
        download_cleaning=DownloadCleaning(downloads, deployments, deployment, opened),
        webhooks=webhooks,
    )
