"""Settings: read once from the environment by entry points and `wiring`, frozen, and handed on as values."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be configured; each name is its environment variable in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    database_url: SecretStr = Field(description="PostgreSQL, as a libpq URL")
    s3_endpoint: str = Field(description="The bucket's server as the control plane reaches it")
    s3_public_endpoint: str = Field(default="", description="The same as browsers reach it; empty: the same address")
    s3_access_key_id: str = Field(description="Credentials that may GET, PUT, HEAD and list the bucket")
    s3_secret_access_key: SecretStr = Field(description="Their secret half; never logged")
    s3_bucket_name: str = Field(description="The bucket")
    s3_region: str = Field(default="us-east-1", description="What most S3-compatible servers take")
    s3_addressing: str = Field(default="path", pattern="^(path|virtual)$", description="path suits every server")

    safereel_token_secret: SecretStr = Field(
        description="Signs bearer tokens (HS256); at least 32 bytes", min_length=32
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
    safereel_quota_bytes: int = Field(
        default=0, ge=0, description="What an owner without a limit of its own may have in the bucket; 0: no limit"
    )
    safereel_idle_ms: int = Field(
        default=86_400_000, ge=1_000, description="Recordings without any sign of their recorder for a day expire"
    )
    safereel_expire_interval_ms: int = Field(
        default=10_000, ge=100, description="Bounds how long dead grants keep their reservation"
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
    safereel_heads_at_once: int = Field(default=64, ge=1, description="HEADs under way: enough to hide a round trip")
    safereel_database_pool: int = Field(default=16, ge=4, description="Connections; statements are short")
    safereel_shutdown_ms: int = Field(default=10_000, ge=0, description="What is under way may finish, within this")

    @field_validator("safereel_page_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @property
    def grant_ttl(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_grant_ttl_ms)

    @property
    def get_ttl(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_get_ttl_ms)

    @property
    def idle(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_idle_ms)

    @property
    def quota(self) -> int | None:
        """Bytes; None is no limit."""
        return self.safereel_quota_bytes or None

    @property
    def recount_every(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_recount_interval_ms)

    @property
    def settle(self) -> timedelta:
        return timedelta(milliseconds=self.safereel_settle_ms)

    @property
    def public_endpoint(self) -> str:
        """The address that is signed: browsers must reach it, and the signature covers the host."""
        return self.s3_public_endpoint or self.s3_endpoint
