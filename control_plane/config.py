"""Settings: read once from the environment by entry points and `wiring`, frozen, and handed on as values."""

import base64
import binascii
import re
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Literal

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from control_plane.domain.addresses import is_confidential
from control_plane.domain.downloads import AssemblyRules
from control_plane.domain.fixity import ReadingPlan
from control_plane.domain.freezing import FreezeRules
from control_plane.domain.models import RetentionRules
from control_plane.domain.webhook_urls import WebhookRules

# What a public key can check (RFC 7518, 3.1; RFC 8037). Never `none`, and no HS*: a public key is no secret.
ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MIN_SECRET_BYTES = 32
# Standard Webhooks: a symmetric secret has 24 to 64 random bytes, and is written so.
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  # how every such secret begins
WEBHOOK_SECRET_BYTES = range(24, 65)
# What a browser sends as Origin: lower case, no path, and neither "*" nor "null", which would be everybody.
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")


class Settings(BaseSettings):
    """Everything that can be configured; each name is its environment variable in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(description="PostgreSQL, as a libpq URL")
    s3_endpoint: str = Field(description="The bucket's server as the control plane reaches it")
    s3_public_endpoint: str = Field(default="", description="The same as browsers reach it; empty: the same address")
    s3_access_key_id: str = Field(description="Credentials that may GET, PUT, HEAD, list and remove, versions too")
    s3_secret_access_key: SecretStr = Field(description="Their secret half; never logged")
    s3_bucket_name: str = Field(description="The bucket")
    s3_region: str = Field(default="us-east-1", description="What most S3-compatible servers take")
    s3_addressing: Literal["path", "virtual"] = Field(default="path", description="path suits every server")

    safereel_token_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs bearer tokens (HS256); at least 32 bytes. Empty: such are not taken"
    )
    safereel_oidc_allow_http: bool = Field(
        default=False, description="Plain HTTP to a provider on another machine: only where nobody else is on the way"
    )
    safereel_oidc_issuer: str = Field(
        default="", description="The OpenID provider that is trusted, exactly as its tokens name it in iss; empty: none"
    )
    safereel_oidc_audience: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validate_default=True,
        description="Names of this service in aud, by commas: others' tokens are refused",
    )
    safereel_oidc_jwks_url: str = Field(
        default="", description="The provider's keys; empty: its discovery document says"
    )
    safereel_oidc_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("RS256", "ES256", "EdDSA"), description="What providers sign with; others are refused"
    )
    safereel_oidc_leeway_ms: int = Field(
        default=10_000, ge=0, le=300_000, description="Clocks of two well-kept machines differ by less"
    )
    safereel_oidc_scope_claims: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("scope", "scp"), description="Claims that hold the scopes, by commas: most providers' are one of these"
    )
    safereel_oidc_scope_prefix: str = Field(
        default="", description="What record and admin are prefixed with at the provider, such as safereel:"
    )
    safereel_oidc_keys_ttl_ms: int = Field(
        default=600_000, ge=30_000, description="Bounds how long a key that was taken back counts"
    )
    safereel_oidc_keys_max_age_ms: int = Field(
        default=86_400_000, ge=30_000, description="How long the last keys stand while the provider is down"
    )
    safereel_host: str = Field(default="127.0.0.1", description="Loopback, until somebody decides otherwise")
    safereel_port: int = Field(default=8000, ge=1, le=65535, description="What `safereel up` takes too")
    safereel_page_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins of pages that embed the recorder, by commas: allowed by CORS of API and bucket",
    )

    # Recorders do not try a grant that ends within 5 s: shorter ones would be asked for again and again.
    safereel_grant_ttl_ms: int = Field(
        default=900_000, ge=6_000, le=604_800_000, description="Outlives a slow 128 MiB PUT"
    )
    safereel_get_ttl_ms: int = Field(default=3_600_000, ge=1_000, le=604_800_000, description="Outlives most playbacks")
    safereel_share_get_ttl_ms: int = Field(
        default=900_000, ge=1_000, le=604_800_000, description="What a viewer was given outlives a revocation by this"
    )
    safereel_quota_bytes: int = Field(
        default=0, ge=0, description="What an owner without a limit of its own may have in the bucket; 0: no limit"
    )
    # Ten full batches: a recorder has some 32 at once. A deletion frees so many with its owner's row locked.
    safereel_live_grants: int = Field(
        default=10_000, ge=1, le=100_000, description="How many grants an owner may have at once, on all its devices"
    )
    safereel_idle_ms: int = Field(
        default=86_400_000, ge=1_000, description="Recordings without any sign of their recorder for a day expire"
    )
    safereel_expire_interval_ms: int = Field(
        default=10_000, ge=100, description="Bounds how long dead grants keep their reservation"
    )
    safereel_purge_interval_ms: int = Field(
        default=5_000, ge=100, description="Bounds how late the bucket hears of a deletion"
    )
    safereel_manifest_interval_ms: int = Field(
        default=5_000, ge=100, description="Bounds how late the bucket hears that a recording is complete"
    )
    safereel_retain_complete_days: int = Field(
        default=0, ge=0, le=36_500, description="Complete recordings are deleted after so many days; 0: never"
    )
    safereel_retain_expired_days: int = Field(
        default=0, ge=0, le=36_500, description="Expired recordings are deleted after so many days; 0: never"
    )
    safereel_retention_interval_ms: int = Field(
        default=600_000, ge=100, description="Ages are counted in days: minutes do not matter"
    )
    safereel_recount_interval_ms: int = Field(
        default=3_600_000, ge=1_000, description="Each owner's counters are compared with the ledger this often"
    )
    safereel_heartbeat_interval_ms: int = Field(default=5_000, ge=100, description="Bounds how late a ticket is served")
    safereel_settle_ms: int = Field(default=2_000, ge=0, description="Younger acks are left alone: listings may lag")
    safereel_confirm_interval_ms: int = Field(
        default=3_000, ge=100, description="Bounds how long OPFS must hold a chunk"
    )
    safereel_audit_interval_ms: int = Field(default=60_000, ge=100, description="Bounds how long a loss goes unseen")
    safereel_tickets_interval_ms: int = Field(
        default=60_000,
        ge=100,
        description="Whether tickets can still be served: decided in days, so minutes do not matter",
    )
    safereel_silent_ms: int = Field(
        default=604_800_000, ge=1_000, description="A week: who records on workdays is back, holidays apart"
    )
    safereel_tickets_per_sweep: int = Field(
        default=10_000, ge=1, description="Bounds what one sweep writes; recorders need longer to serve so many"
    )
    safereel_freeze_percent: float = Field(
        default=1, ge=0, le=100, description="A store that keeps its promise loses one in billions: this is no chance"
    )
    safereel_freeze_chunks: int = Field(
        default=100, ge=1, description="Somebody's mistake with one recording stops nobody else's releases"
    )
    safereel_fixity_bytes_per_hour: int = Field(
        default=1_500_000_000, ge=0, description="Reads a TB back in a month, at 0.4 MB/s; 0: nothing is read back"
    )
    safereel_fixity_reread_days: int = Field(
        default=30, ge=0, le=36_500, description="Disks rot over years: to read a chunk once a month is often enough"
    )
    safereel_fixity_interval_ms: int = Field(
        default=60_000, ge=100, le=600_000, description="Reads in small portions; bounds how long a doubt waits"
    )
    safereel_audit_stale_ms: int = Field(
        default=900_000, ge=1_000, description="No part of an audit takes so long: a round without progress is given up"
    )
    safereel_sweep_reports_days: int = Field(
        default=30, ge=1, le=36_500, description="Long enough to look back at an incident; events stay for ever"
    )
    safereel_worker_inside: bool = Field(
        default=False, description="Whether `serve` runs a worker too: for a deployment of one process"
    )
    safereel_worker_sweeps: int = Field(
        default=2, ge=1, le=64, description="Sweeps of each kind at once: one works while another waits for the bucket"
    )
    safereel_worker_heartbeat_ms: int = Field(
        default=2_000, ge=100, description="How often a worker says that it lives: one small statement"
    )
    safereel_worker_silent_ms: int = Field(
        default=10_000,
        ge=200,
        description="Five heartbeats: a worker that is only slow is not taken for dead, and nothing waits long for one",
    )
    safereel_worker_downloads: int = Field(
        default=2, ge=1, le=64, description="Downloads at once: one reads while another writes; each takes a process"
    )
    safereel_downloads_per_owner: int = Field(
        default=2, ge=1, le=1_000, description="Downloads of one owner that run at once: others have their turn too"
    )
    safereel_downloads_live: int = Field(
        default=100, ge=1, le=100_000, description="Downloads of one owner under way at once: more is a page gone wild"
    )
    safereel_downloads_interval_ms: int = Field(
        default=2_000, ge=100, description="Bounds how late a download is taken over, told of, or removed"
    )
    safereel_download_lease_ms: int = Field(
        default=15_000, ge=2_000, description="Many words of a worker, one a second: after it, another makes it"
    )
    safereel_download_keep_ms: int = Field(
        default=86_400_000,
        ge=1_000,
        description="A file is fetched within a day, or asked for again: it can be made anew",
    )
    safereel_download_patience_ms: int = Field(
        default=86_400_000, ge=1_000, description="Who recorded yesterday may be back today to send a chunk again"
    )
    safereel_scratch_dir: str = Field(
        default="", description="Where MP4 files are put together on disk; empty: the system's folder for such"
    )
    safereel_scratch_bytes: int = Field(
        default=17_179_869_184, ge=1_048_576, description="Of one such file at most: some ten hours of video"
    )
    safereel_media_memory_bytes: int = Field(
        default=1_073_741_824,
        ge=268_435_456,
        description="Address space of a process that reads media; it uses a tenth",
    )
    safereel_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs webhooks, as whsec_…; several, by spaces, sign all while one is replaced. Empty: none are sent",
    )
    safereel_webhook_private_addresses: bool = Field(
        default=False,
        description="Webhooks to this network's own addresses, and without TLS: only if owners are trusted",
    )
    safereel_heads_at_once: int = Field(default=64, ge=1, description="HEADs under way: enough to hide a round trip")
    safereel_database_pool: int = Field(default=16, ge=4, description="Connections; statements are short")
    safereel_shutdown_ms: int = Field(default=10_000, ge=0, description="What is under way may finish, within this")
    safereel_drain_ms: int = Field(
        default=0, ge=0, description="Of that, how long not to be ready but still serve: a load balancer's probes"
    )
    safereel_request_timeout_ms: int = Field(
        default=30_000, ge=0, description="The SDK waits no longer; 0: a request may take for ever"
    )
    # A recorder makes some two calls a second: 150 of one owner's at once, or a page that has gone wild.
    safereel_rate_limit: int = Field(default=3_000, ge=0, description="Calls of one owner in the window; 0: no limit")
    safereel_rate_window_ms: int = Field(
        default=10_000, ge=1_000, multiple_of=1_000, description="Bounds how long a recorder must wait; whole seconds"
    )
    # A viewer makes some three calls; a class behind one address opens a link together.
    safereel_share_rate_limit: int = Field(
        default=300, ge=0, description="Calls by share links from one address in the same window; 0: no limit"
    )
    safereel_trusted_proxies: int = Field(
        default=0, ge=0, le=10, description="None in front: whoever is connected is the client, whatever headers say"
    )
    safereel_rate_limit_store: SecretStr = Field(
        default=SecretStr(""), description="Redis, as a URL, where replicas count together; empty: each for itself"
    )
    safereel_hsts_max_age_s: int = Field(
        default=0, ge=0, description="Strict-Transport-Security; 0: left to the proxy, where TLS ends"
    )

    @field_validator("database_url")
    @classmethod
    def _is_libpq(cls, value: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(value.get_secret_value())
        except ProgrammingError:  # its message repeats the address, and with it the password
            raise ValueError("is no PostgreSQL URL: postgresql://USER:PASSWORD@HOST:5432/NAME") from None
        return value

    @field_validator("safereel_oidc_audience", "safereel_oidc_algorithms", "safereel_oidc_scope_claims", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("safereel_token_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"at least {MIN_SECRET_BYTES} bytes, for example from openssl rand -hex 32")
        return secret

    @field_validator("safereel_webhook_secret")
    @classmethod
    def _are_webhook_secrets(cls, secrets: SecretStr) -> SecretStr:
        if not all(_is_webhook_secret(secret) for secret in secrets.get_secret_value().split()):
            raise ValueError(
                "whsec_ and 24 to 64 bytes as base64, for example from echo whsec_$(openssl rand -base64 32)"
            )
        return secrets

    @field_validator("safereel_oidc_issuer", "safereel_oidc_jwks_url")
    @classmethod
    def _is_confidential(cls, url: str, info: ValidationInfo) -> str:
        if url and not is_confidential(url, http_allowed=bool(info.data.get("safereel_oidc_allow_http"))):
            raise ValueError("an absolute https URL; http only on this machine, or with SAFEREEL_OIDC_ALLOW_HTTP=true")
        if url and info.field_name == "safereel_oidc_jwks_url":
            _has_issuer(info)
        return url

    @field_validator("safereel_oidc_audience")
    @classmethod
    def _has_audience(cls, audience: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        # Without it, a token that any other service of the same provider was sent would open this one.
        if info.data.get("safereel_oidc_issuer") and not audience:
            raise ValueError("name this service as the provider's tokens do in aud")
        if audience:
            _has_issuer(info)
        return audience

    @field_validator("safereel_oidc_algorithms")
    @classmethod
    def _are_asymmetric(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or not set(algorithms) <= set(ASYMMETRIC):
            raise ValueError(f"some of {', '.join(ASYMMETRIC)}")
        return algorithms

    @field_validator("safereel_oidc_scope_claims")
    @classmethod
    def _has_scopes(cls, claims: tuple[str, ...]) -> tuple[str, ...]:
        if not claims:
            raise ValueError("name a claim, such as scope: without any, no token could do anything")
        return claims

    @field_validator("safereel_oidc_keys_max_age_ms")
    @classmethod
    def _outlives_ttl(cls, max_age_ms: int, info: ValidationInfo) -> int:
        if max_age_ms < info.data.get("safereel_oidc_keys_ttl_ms", 0):
            raise ValueError("at least SAFEREEL_OIDC_KEYS_TTL_MS: keys are not even asked for again before that")
        return max_age_ms

    @field_validator("safereel_worker_silent_ms")
    @classmethod
    def _outlasts_heartbeats(cls, silent_ms: int, info: ValidationInfo) -> int:
        if silent_ms < 2 * info.data.get("safereel_worker_heartbeat_ms", 0):
            raise ValueError("at least twice SAFEREEL_WORKER_HEARTBEAT_MS: else workers that live are taken for dead")
        return silent_ms

    @field_validator("safereel_page_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("safereel_page_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"“{origin}” is not an origin such as https://app.example.com (no path, no *)")
        return origins

    @field_validator("safereel_rate_limit_store")
    @classmethod
    def _is_redis(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() and not url.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("a URL such as redis://host:6379/0 or rediss://…")
        return url

    @property
    def grant_ttl(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_grant_ttl_ms)

    @property
    def get_ttl(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_get_ttl_ms)

    @property
    def share_get_ttl(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_share_get_ttl_ms)

    @property
    def idle(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_idle_ms)

    @property
    def quota(self) -> int | None:
        """Bytes; None is no limit."""
        return self.safereel_quota_bytes or None

    @property
    def retention(self) -> RetentionRules:
        complete, expired = self.safereel_retain_complete_days, self.safereel_retain_expired_days
        return RetentionRules(timedelta(complete) if complete else None, timedelta(expired) if expired else None)

    @property
    def recount_every(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_recount_interval_ms)

    @property
    def assembly_rules(self) -> AssemblyRules:
        return AssemblyRules(
            lease=timedelta(milliseconds=self.safereel_download_lease_ms),
            per_owner=self.safereel_downloads_per_owner,
            keep=timedelta(milliseconds=self.safereel_download_keep_ms),
            chunks_patience=timedelta(milliseconds=self.safereel_download_patience_ms),
        )

    @property
    def downloads_interval(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_downloads_interval_ms)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Each signs; none: no webhooks."""
        return tuple(self.safereel_webhook_secret.get_secret_value().split())

    @property
    def webhook_rules(self) -> WebhookRules:
        return WebhookRules(on=bool(self.webhook_secrets), private_addresses=self.safereel_webhook_private_addresses)

    @property
    def scratch_dir(self) -> Path:
        return Path(self.safereel_scratch_dir or gettempdir())

    @property
    def worker_silent(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_worker_silent_ms)

    @property
    def audit_stale(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_audit_stale_ms)

    @property
    def sweep_reports(self) -> timedelta:
        return timedelta(days=self.safereel_sweep_reports_days)

    @property
    def settle(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_settle_ms)

    @property
    def silent_after(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_silent_ms)

    @property
    def freeze_rules(self) -> FreezeRules:
        return FreezeRules(self.safereel_freeze_percent, self.safereel_freeze_chunks)

    @property
    def reading_plan(self) -> ReadingPlan:
        return ReadingPlan(self.safereel_fixity_bytes_per_hour, timedelta(days=self.safereel_fixity_reread_days))

    @property
    def trusts_somebody(self) -> bool:
        """Whether any token can be good: a secret or a provider is configured."""
        return bool(self.safereel_token_secret.get_secret_value() or self.safereel_oidc_issuer)

    @property
    def public_endpoint(self) -> str:
        """The address that is signed: browsers must reach it, and the signature covers the host."""
        return self.s3_public_endpoint or self.s3_endpoint


def _is_webhook_secret(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(WEBHOOK_SECRET_PREFIX) and len(key) in WEBHOOK_SECRET_BYTES


def _has_issuer(info: ValidationInfo) -> None:
    """Raises ValueError where a provider is half set. One that was refused itself has its own message."""
    if info.data.get("safereel_oidc_issuer") == "":
        raise ValueError("names nobody without SAFEREEL_OIDC_ISSUER: set that too, or leave this out")
