"""The order of a visit: settings, identity provider, database, bucket, and in the end what doctor wrote is taken away again.

Every step has a deadline, and so has the whole. A step whose ground is missing is not made: a bucket that does not
answer is one finding, not twenty.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from control_plane import wiring
from control_plane.bucket.inspecting import BucketInspector
from control_plane.bucket.presign import Address, Addressing, Credentials
from control_plane.config import Settings
from control_plane.db.database import DatabaseUnreachable
from control_plane.db.inspecting import where
from control_plane.doctor.asking import CALL_S, Asker
from control_plane.doctor.findings import Check, Finding, Report, Standing, beside_stack
from control_plane.doctor.judging import addresses, clocks, cors, grants, identity, keeping, ledger, objects
from control_plane.doctor.probing import addresses as ask_addresses
from control_plane.doctor.probing import cors as ask_cors
from control_plane.doctor.probing import grants as ask_grants
from control_plane.doctor.probing import keeping as ask_keeping
from control_plane.doctor.probing import ledger as ask_ledger
from control_plane.doctor.probing import objects as ask_objects
from control_plane.doctor.probing import remains
from control_plane.doctor.probing.visit import Visit, own_prefix
from control_plane.doctor.seen import Place, Silence, Trouble
from control_plane.doctor.signing import Signing
from control_plane.oidc.provider import ProviderUnreachable

# Some calls of CALL_S one after the other; a healthy step takes a fraction of a second.
STEP_S = 30.0
# Beyond it nobody waits for an answer any more; what is left is told as not examined in time.
WHOLE_S = 180.0
# Some fifty small calls, also after Ctrl-C.
CLEARING_S = 20.0
# A PUT that was under way at Ctrl-C writes its object within it, unless the store hangs.
SETTLING_S = 5.0
STRANGER = "https://stranger.invalid"
"""No page can have this origin: the name is reserved (RFC 2606)."""

OF_DATABASE = tuple(check for check in Check if check.startswith("database.") and check is not Check.DATABASE_REACH)
OF_OPEN_BUCKET = (
    Check.BUCKET_PERMISSIONS,
    Check.BUCKET_MARKER,
    Check.BUCKET_SIGNATURES,
    *(check for check in Check if check.startswith(("grants.", "objects.", "cors.", "keeping.", "doctor."))),
)


class Watcher(Protocol):
    """Who is told while a visit is under way."""

    def begins(self, checks: Sequence[Check]) -> None:
        """These are examined now."""
        ...

    def found(self, finding: Finding) -> None:
        """One line is ready."""
        ...


async def examine(
    settings: Settings,
    origins: Sequence[str],
    watcher: Watcher,
    *,
    clock: Callable[[], datetime] = wiring.utc_now,
    call_s: float = CALL_S,
    stack: Path | None = None,
) -> Report:
    """Examines identity provider, database, bucket and clocks. Leaves nothing behind, also if it is cancelled.

    `origins`: of pages, beside those of the settings. `call_s`: how long an HTTP call may take. `stack`: whose folder was
    named; advice then names it as well.
    """
    place = _place(settings, origins)
    examination = _Examination(settings, place, watcher, clock, call_s=call_s, stack=stack)
    await examination.run()
    examined = {
        "database": where(settings.database_url.get_secret_value()),
        "endpoint": place.endpoint,
        "public_endpoint": place.public_endpoint,
        "bucket": place.bucket,
        "region": place.region,
    }
    return Report(examined, examination.findings)


def _place(settings: Settings, origins: Sequence[str]) -> Place:
    return Place(
        endpoint=settings.s3_endpoint,
        public_endpoint=settings.public_endpoint,
        bucket=settings.s3_bucket_name,
        region=settings.s3_region,
        addressing=settings.s3_addressing,
        origins=tuple(dict.fromkeys((*settings.safereel_page_origins, *origins))),
    )


class _Examination:
    """One visit under way: what was found so far, and what later steps need of it."""

    def __init__(
        self,
        settings: Settings,
        place: Place,
        watcher: Watcher,
        clock: Callable[[], datetime],
        *,
        call_s: float,
        stack: Path | None,
    ) -> None:
        self.findings: list[Finding] = []
        self._settings = settings
        self._place = place
        self._watcher = watcher
        self._clock = clock
        self._call_s = call_s
        self._stack = stack
        self._ledger: ask_ledger.LedgerSeen | None = None
        self._offset = timedelta(0)

    async def run(self) -> None:
        try:
            async with asyncio.timeout(WHOLE_S):
                self._tell(
                    addresses.settings_address(self._place),
                    addresses.settings_grants(self._settings.grant_ttl, self._settings.s3_access_key_id),
                )
                await self._step([Check.IDENTITY_KEYS], self._identity)
                await self._step((Check.DATABASE_REACH, *OF_DATABASE), self._database)
                await self._bucket()
        except TimeoutError:
            told = {finding.check for finding in self.findings}
            self._late([check for check in Check if check not in told], WHOLE_S)

    async def _step(self, checks: Sequence[Check], body: Callable[[], Awaitable[None]]) -> None:
        """Runs one step; the first of `checks` that it did not tell within its deadline is wrong, the others are skipped."""
        self._watcher.begins(checks)
        before = len(self.findings)
        try:
            async with asyncio.timeout(STEP_S):
                await body()
        except TimeoutError:
            told = {finding.check for finding in self.findings[before:]}
            self._late([check for check in checks if check not in told], STEP_S)

    def _late(self, checks: Sequence[Check], seconds: float) -> None:
        for hung in checks[:1]:
            self._tell(addresses.hung(hung, seconds), *addresses.not_reached(tuple(checks[1:]), f"{hung} hung"))

    def _tell(self, *findings: Finding) -> None:
        for found in findings:
            finding = replace(found, mend=beside_stack(found.mend, self._stack)) if self._stack else found
            self.findings.append(finding)
            self._watcher.found(finding)

    async def _identity(self) -> None:
        issuer = self._settings.safereel_oidc_issuer
        if not issuer:
            self._tell(identity.without_provider(secret=self._settings.trusts_somebody))
            return
        try:
            async with wiring.provider(self._settings) as provider:
                found, _ = await provider.fetch()
        except ProviderUnreachable as exc:
            self._tell(identity.unreachable(issuer, str(exc)))
        else:
            self._tell(identity.keys(issuer, found))

    async def _database(self) -> None:
        url = self._settings.database_url.get_secret_value()
        try:
            seen = await ask_ledger.look(url, self._clock)
        except DatabaseUnreachable as exc:
            self._tell(
                ledger.unreachable(where(url), str(exc)),
                *addresses.not_reached(OF_DATABASE, "the database is not reached"),
            )
            return
        self._ledger = seen
        self._tell(
            ledger.reached(where(url)),
            ledger.version(seen.facts),
            ledger.writable(seen.facts, seen.why_no_temp, seen.withheld),
            ledger.migrations(seen.schema),
            ledger.queue(seen.queue),
            ledger.durability(seen.facts),
            ledger.connections(seen.facts, self._settings.safereel_database_pool),
            ledger.latency(seen.median_ms),
            clocks.database_clock(seen.clock),
        )

    async def _bucket(self) -> None:
        try:
            inside = self._signing(self._place.endpoint)
        except ValueError:
            missing = Silence(Trouble.ADDRESS)
            self._tell(addresses.reach(Check.BUCKET_REACH, "S3_ENDPOINT", self._place.endpoint, missing))
            self._not_open(
                "S3_ENDPOINT is not an address", Check.BUCKET_PUBLIC, Check.BUCKET_CREDENTIALS, Check.BUCKET_CLOCK
            )
            return
        async with Asker(call_s=self._call_s) as asker:
            await self._reached_bucket(asker, inside)

    async def _reached_bucket(self, asker: Asker, inside: Signing) -> None:
        if not await self._reach(asker, Check.BUCKET_REACH, "S3_ENDPOINT", inside):
            self._not_open(
                "S3_ENDPOINT does not lead to S3", Check.BUCKET_PUBLIC, Check.BUCKET_CREDENTIALS, Check.BUCKET_CLOCK
            )
            return
        outside = await self._outside(asker, inside)
        await self._step([Check.BUCKET_CLOCK], lambda: self._clocks(asker, inside))
        async with AsyncExitStack() as opened:
            visit = await self._visit(opened, asker, inside, outside)
            await self._step([Check.BUCKET_CREDENTIALS], lambda: self._credentials(visit))
            if self._is_wrong(Check.BUCKET_CREDENTIALS):
                self._not_open("the keys do not open the bucket")
                return
            try:
                await self._open_bucket(visit)
            finally:
                await self._clear(visit)

    async def _reach(self, asker: Asker, check: Check, name: str, signing: Signing) -> bool:
        async def ask() -> None:
            url = f"{signing.address.origin}{signing.address.root}"
            self._tell(addresses.reach(check, name, url, await ask_addresses.reached(asker, signing)))

        await self._step([check], ask)
        return not self._is_wrong(check)

    async def _outside(self, asker: Asker, inside: Signing) -> Signing:
        """Signs for the browsers' address; for ours where theirs cannot be used, so that the rest is examined all the same."""
        try:
            outside = self._signing(self._place.public_endpoint)
        except ValueError:
            missing = Silence(Trouble.ADDRESS)
            url = self._place.public_endpoint
            self._tell(addresses.reach(Check.BUCKET_PUBLIC, "S3_PUBLIC_ENDPOINT", url, missing))
            reached = False
        else:
            reached = await self._reach(asker, Check.BUCKET_PUBLIC, "S3_PUBLIC_ENDPOINT", outside)
        if reached:
            return outside
        self._place = replace(self._place, public_endpoint=self._place.endpoint)
        return inside

    async def _clocks(self, asker: Asker, inside: Signing) -> None:
        reading = await ask_addresses.read_clock(asker, inside, self._clock)
        if reading is not None:
            self._offset = reading.offset
        self._tell(clocks.bucket_clock(reading))

    async def _credentials(self, visit: Visit) -> None:
        absent = await ask_addresses.absent_object(visit)
        clock_is_off = self._is_wrong(Check.BUCKET_CLOCK)
        self._tell(addresses.credentials(self._place, absent, clock_is_off=clock_is_off))

    async def _open_bucket(self, visit: Visit) -> None:
        deployment = self._ledger.deployment if self._ledger is not None else None

        async def closed() -> None:
            self._tell(addresses.permissions(self._place, await ask_addresses.permissions(visit)))
            self._tell(ledger.marker(await ask_addresses.marker(visit), deployment))
            self._tell(addresses.signatures(self._place, await ask_addresses.signatures(visit)))

        await self._step([Check.BUCKET_PERMISSIONS, Check.BUCKET_MARKER, Check.BUCKET_SIGNATURES], closed)
        await self._step(_named("grants."), lambda: self._grants(visit))
        await self._step(_named("objects."), lambda: self._objects(visit))
        for number, origin in enumerate(self._place.origins):
            await self._step(
                [Check.CORS_PUT, Check.CORS_ETAG, Check.CORS_GET], partial(self._cors, visit, origin, number)
            )
        if not self._place.origins:
            self._tell(addresses.without_origins())
        await self._step([Check.CORS_STRANGER], lambda: self._stranger(visit))
        await self._step(_named("keeping."), lambda: self._keeping(visit))

    async def _grants(self, visit: Visit) -> None:
        self._tell(grants.put(self._place, await ask_grants.granted_put(visit)))
        if self._is_wrong(Check.GRANTS_PUT):
            rest = tuple(check for check in _named("grants.") if check is not Check.GRANTS_PUT)
            self._tell(*addresses.not_reached(rest, "a grant does not work: a refusal would say nothing"))
            return
        self._tell(grants.digest(await ask_grants.other_bytes(visit)))
        self._tell(grants.length(await ask_grants.other_lengths(visit)))
        self._tell(grants.key(await ask_grants.other_key(visit)))
        self._tell(grants.expiry(await ask_grants.expired(visit, self._offset)))
        self._tell(grants.once(await ask_grants.second_write(visit, "once", overwrite=False)))
        if self._is_wrong(Check.GRANTS_ONCE):  # all would win; and rclone cannot remove what was written so
            self._tell(*addresses.not_reached((Check.GRANTS_RACE,), "already a second write wins"))
        else:
            self._tell(grants.race(await ask_grants.racing_writes(visit)))
        self._tell(grants.overwrite(await ask_grants.second_write(visit, "overwrite", overwrite=True)))

    async def _objects(self, visit: Visit) -> None:
        looked = await ask_objects.looked_at(visit)
        if isinstance(looked, Silence) or not looked.put.done:
            three = (Check.OBJECTS_HEAD, Check.OBJECTS_SHA256, Check.OBJECTS_RANGE)
            self._tell(*addresses.not_reached(three, "no object could be written"))
        else:
            self._tell(objects.head(looked), objects.sha256(looked), objects.ranged(looked))
        self._tell(objects.listing(await ask_objects.listed(visit)))
        self._tell(objects.download(await ask_objects.assembled(visit)))

    async def _cors(self, visit: Visit, origin: str, number: int) -> None:
        seen = await ask_cors.from_page(visit, origin, number)
        self._tell(cors.put(self._place, seen), cors.etag(self._place, seen), cors.get(self._place, seen))

    async def _stranger(self, visit: Visit) -> None:
        self._tell(cors.stranger(STRANGER, await ask_cors.from_stranger(visit, STRANGER)))

    async def _keeping(self, visit: Visit) -> None:
        seen = await ask_keeping.versions(visit)
        self._tell(keeping.versions(self._place, seen), keeping.removal(self._place, seen))
        self._tell(keeping.lifecycle(self._place, await ask_keeping.lifecycle(visit)))
        self._tell(keeping.lock(self._place, await ask_keeping.lock(visit)))

    async def _clear(self, visit: Visit) -> None:
        """Takes away what was written; with a deadline of its own, since it also runs after the others have passed."""
        self._watcher.begins([Check.DOCTOR_REMAINS])
        clearing = asyncio.ensure_future(self._cleared(visit))
        try:
            await asyncio.wait([clearing], timeout=CLEARING_S)
        except asyncio.CancelledError:
            await asyncio.wait([clearing], timeout=CLEARING_S)  # Ctrl-C just now: it would leave everything behind
            raise
        finally:
            late = remains.Removed(failed=f"no end within {CLEARING_S:.0f} s")
            removed = clearing.result() if clearing.done() else late
            self._tell(keeping.remains(visit.prefix, removed.own, removed.old, removed.left, removed.failed))

    async def _cleared(self, visit: Visit) -> remains.Removed:
        await visit.asker.settle(SETTLING_S)
        return await remains.clear(visit.inspector, visit.prefix, self._clock() + self._offset)

    def _not_open(self, because: str, *more: Check) -> None:
        self._tell(*addresses.not_reached((*more, *OF_OPEN_BUCKET), because))

    def _is_wrong(self, check: Check) -> bool:
        return any(found.check is check and found.standing is Standing.WRONG for found in self.findings)

    async def _visit(self, opened: AsyncExitStack, asker: Asker, inside: Signing, outside: Signing) -> Visit:
        settings = self._settings
        inspector = BucketInspector.open(
            endpoint=settings.s3_endpoint,
            bucket=settings.s3_bucket_name,
            region=settings.s3_region,
            credentials=wiring.credentials(settings),
            addressing=Addressing(settings.s3_addressing),
        )
        return Visit(
            place=self._place,
            asker=asker,
            inside=inside,
            outside=outside,
            forged=self._signing(self._place.endpoint, secret="not-the-secret"),  # noqa: S106 - wrong on purpose
            inspector=opened.enter_context(closing(inspector)),
            listing=await opened.enter_async_context(wiring.bucket(settings)),
            prefix=own_prefix(),
        )

    def _signing(self, endpoint: str, *, secret: str | None = None) -> Signing:
        settings = self._settings
        keys = wiring.credentials(settings)
        return Signing(
            Address.of(endpoint, settings.s3_bucket_name, Addressing(settings.s3_addressing)),
            bucket=settings.s3_bucket_name,
            region=settings.s3_region,
            credentials=keys if secret is None else Credentials(keys.access_key, secret),
            grant_ttl=settings.grant_ttl,
            clock=self._clock,
        )


def _named(start: str) -> tuple[Check, ...]:
    return tuple(check for check in Check if check.startswith(start))
