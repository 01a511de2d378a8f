"""Every call, with what a generator makes of the OpenAPI document: never a fault, never an answer the document does not tell.

`make fuzz` runs many more cases than the suite does.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard
from uuid import UUID

import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from control_plane.api.calls import CALLS
from control_plane.api.openapi import document
from control_plane.embedded import EmbeddedStack
from tests.support.databases import fresh_database
from tests.support.plane import Running, fresh_bucket, running_plane, settings_for

SCHEMA = schemathesis.openapi.from_dict(document(CALLS))
# Of each call; a case costs about 15 ms.
CASES = int(os.environ.get("FUZZ_CASES", "8"))
# A random id is nobody's recording: so often the one that there is takes its place.
KNOWN_OF = 2


@dataclass(frozen=True, slots=True)
class Target:
    """A control plane with one recording."""

    url: str
    recording_id: str


@pytest.fixture(scope="module")
def target(stack: EmbeddedStack, template: None) -> Iterator[Target]:
    """Shared by all cases: what one of them leaves behind is what the next one meets."""
    with (
        fresh_database(stack) as url,
        fresh_bucket(stack) as bucket,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running_plane(stack, settings_for(stack, url, bucket))) as running,
    ):
        Bearer.token = running.token("fuzz", scopes=["record", "admin"])
        yield Target(running.endpoint, portal.call(_record, running))


async def _record(running: Running) -> str:
    async with running.recorder("fuzz") as recorder:
        await recorder.start()
        chunk = recorder.chunk(0, size=1_000)
        (grant,) = await recorder.grant([chunk])
        put = await recorder.put(grant, chunk)
        await recorder.ack([(0, put.etag)])
        return str(recorder.recording_id)


@SCHEMA.auth()
class Bearer:
    """Gives each case a token, but those that are about having none."""

    token = ""

    def get(self, _case: Case[Any], _context: object) -> str:
        return self.token

    def set(self, case: Case[Any], token: str, _context: object) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@SCHEMA.parametrize()
@settings(
    max_examples=CASES,
    deadline=None,  # a machine under load is no fault
    derandomize="FUZZ_CASES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_asked_is_a_fault(case: Case[Any], target: Target) -> None:
    given = case.path_parameters.get("id")
    if _is_id(given) and zlib.crc32(given.encode()) % KNOWN_OF:
        case.path_parameters["id"] = target.recording_id
    # What no schema can say: each seq once in a batch, totals that fit, the cursor of a page that there was.
    case.call_and_validate(base_url=target.url, excluded_checks=[positive_data_acceptance])


def _is_id(text: object) -> TypeGuard[str]:
    try:
        return str(UUID(str(text))) == text
    except ValueError:
        return False
