"""A control plane as production wires it, on a database and a bucket of its own, served on loopback."""

import asyncio
import base64
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import boto3
import psycopg
from psycopg.rows import dict_row

from control_plane.app import create_app
from control_plane.bucket.provision import provision
from control_plane.config import Settings
from control_plane.embedded import EmbeddedStack
from control_plane.serving import listen, serve
from control_plane.wiring import ControlPlane, credentials, open_control_plane, public_address, token_issuer, utc_now
from tests.support.recorder import Recorder


def settings_for(stack: EmbeddedStack, url: str, bucket: str, **changed: object) -> Settings:
    """Settings on these parts, with a settle time of nought: tests say themselves when time has passed."""
    s3 = stack.s3
    given: dict[str, Any] = {
        "database_url": url,
        "s3_endpoint": s3.endpoint,
        "s3_access_key_id": s3.access_key,
        "s3_secret_access_key": s3.secret_key,
        "s3_bucket_name": bucket,
        "s3_region": s3.region,
        "safereel_token_secret": stack.token_secret,
        "safereel_settle_ms": 0,
        "safereel_rate_limit": 0,
        "safereel_share_rate_limit": 0,
        **changed,
    }
    return Settings(**given)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """A process's environment with these settings and no others."""
    given = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_ACCESS_KEY_ID": settings.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": settings.s3_secret_access_key.get_secret_value(),
        "S3_BUCKET_NAME": settings.s3_bucket_name,
        "SAFEREEL_TOKEN_SECRET": settings.safereel_token_secret.get_secret_value(),
    }
    return os.environ | given | more


_idle_buckets: dict[EmbeddedStack, list[str]] = {}
_as_made: dict[str, tuple[object, ...]] = {}


@contextmanager
def fresh_bucket(stack: EmbeddedStack) -> Iterator[str]:
    """The name of a provisioned, empty bucket: emptied and lent again at the end, or removed if it is set up otherwise then."""
    client, idle = s3_client(stack), _idle_buckets.setdefault(stack, [])
    name = idle.pop() if idle else new_bucket(stack)
    # What was lent before stood so when it was taken back.
    if (as_made := _as_made.get(name)) is None:
        as_made = _as_made[name] = _standing(client, name)
    try:
        yield name
    finally:
        remove_versions(client, name)
        if _standing(client, name) == as_made:
            idle.append(name)
        else:
            client.delete_bucket(Bucket=name)


def remove_versions(client: Any, bucket: str, prefix: str = "") -> None:
    """Removes all versions and delete markers of keys that begin so. Those that XML cannot carry go one by one."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
        if len(versions) > 1 and all(version["Key"].isprintable() for version in versions):
            client.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        else:
            for version in versions:
                client.delete_object(Bucket=bucket, **version)


def _standing(client: Any, bucket: str) -> tuple[object, ...]:
    """How it is set up, and what is in it: keys that boto3 cannot name stay."""

    def rules(call: Callable[..., dict[str, Any]], member: str) -> object:
        try:
            return call(Bucket=bucket)[member]
        except client.exceptions.ClientError:
            return None

    return (
        client.get_bucket_versioning(Bucket=bucket).get("Status"),
        rules(client.get_bucket_cors, "CORSRules"),
        rules(client.get_bucket_lifecycle_configuration, "Rules"),
        client.list_multipart_uploads(Bucket=bucket).get("Uploads", []),
        client.list_objects_v2(Bucket=bucket).get("KeyCount"),
    )


def new_bucket(stack: EmbeddedStack) -> str:
    """The name of a provisioned, empty bucket that nobody removes."""
    name = f"test-{secrets.token_hex(6)}"
    provision(
        endpoint=stack.s3.endpoint,
        bucket=name,
        region=stack.s3.region,
        credentials=credentials(settings_for(stack, stack.database_url, name)),
        origins=["http://localhost"],
    )
    return name


@cache
def s3_client(stack: EmbeddedStack) -> Any:
    """boto3, to do to the bucket what no part of ours would. One for all tests: making one takes as long as a dozen calls."""
    s3 = stack.s3
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        region_name=s3.region,
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A served control plane, and what a test does behind its back."""

    endpoint: str
    plane: ControlPlane
    settings: Settings
    s3: Any

    def token(self, owner: str = "alice", *, scopes: Sequence[str] = ("record",)) -> str:
        """A token for `owner`."""
        secret = self.settings.safereel_token_secret.get_secret_value()
        return token_issuer(secret).issue(owner, scopes, utc_now())[0]

    def recorder(self, owner: str = "alice", **given: Any) -> Recorder:
        """A scripted recorder of `owner`, to be entered."""
        return Recorder(self.endpoint, self.token(owner), **given)

    async def sql(self, statement: LiteralString, params: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Rows of a statement run straight in the database."""
        url = self.settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row) as connection:
            cursor = await connection.execute(statement, params)
            return await cursor.fetchall() if cursor.description else []

    async def key_of(self, recorder: Recorder, seq: int) -> str:
        """The object key of a chunk."""
        page = await recorder.call("GET", f"/v1/recordings/{recorder.recording_id}/chunks?after={seq - 1}&limit=1")
        key: str = page["chunks"][0]["key"]
        return key

    async def delete_object(self, key: str) -> None:
        """The bucket has lost it, older versions and all."""
        await asyncio.to_thread(self._delete_versions, key)

    async def delete_objects_of(self, recorder: Recorder) -> None:
        """The bucket has lost all chunks of a recording, older versions and all."""
        folder = (await self.key_of(recorder, 0)).rpartition("/")[0] + "/"
        await asyncio.to_thread(remove_versions, self.s3, self.settings.s3_bucket_name, folder)

    async def hide_object(self, key: str) -> None:
        """What a lifecycle rule or a colleague does to a bucket that keeps versions: a delete marker is put over it."""
        await asyncio.to_thread(self.s3.delete_object, Bucket=self.settings.s3_bucket_name, Key=key)

    async def put_object(self, key: str, body: bytes) -> None:
        """Puts other bytes where a chunk was, of which no version is left."""
        await self.delete_object(key)
        await self.put_over(key, body)

    async def put_over(self, key: str, body: bytes) -> None:
        """Puts other bytes over a chunk, whose own are an older version now."""
        await asyncio.to_thread(self.s3.put_object, Bucket=self.settings.s3_bucket_name, Key=key, Body=body)

    async def put_object_with_digest(self, key: str, body: bytes) -> None:
        """Stores bytes as a recorder's PUT does, with their SHA-256; no other version is left."""
        await self.delete_object(key)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        await asyncio.to_thread(
            self.s3.put_object, Bucket=self.settings.s3_bucket_name, Key=key, Body=body, ChecksumSHA256=digest
        )

    def _delete_versions(self, key: str) -> None:
        remove_versions(self.s3, self.settings.s3_bucket_name, key)


@asynccontextmanager
async def running_plane(
    stack: EmbeddedStack,
    settings: Settings,
    *,
    issues_tokens: bool = True,
    clock: Callable[[], datetime] = utc_now,
    page_dir: Path = Path("no-page"),
    claims: bool = True,
) -> AsyncIterator[Running]:
    """Serves a control plane with these settings on a free port; no scheduler: tests run the sweeps.

    `claims`: marks the bucket, or checks its mark, as `serve` does at its start.
    """
    listener = listen("127.0.0.1", 0)
    listener.listen()  # who connects before the server is up waits instead of being refused
    host, port = listener.getsockname()
    async with open_control_plane(settings, issues_tokens=issues_tokens, clock=clock) as plane:
        if claims:
            await plane.deployment.claim_bucket()
        app = create_app(
            plane.services,
            page_dir=page_dir,
            page_origins=settings.safereel_page_origins,
            bucket_origin=public_address(settings).origin,
            hsts_max_age_s=settings.safereel_hsts_max_age_s,
            request_timeout_s=settings.safereel_request_timeout_ms / 1000,
        )
        serving = asyncio.create_task(serve(app, listener, shutdown_s=5))
        try:
            yield Running(f"http://{host}:{port}", plane, settings, s3_client(stack))
        finally:
            serving.cancel()
            await asyncio.wait([serving])
