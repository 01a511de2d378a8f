"""What somebody else may have written beside the chunks: it stops no audit and no rebuild of everybody else's recordings."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import manifest_key, recording_key
from control_plane.domain.models import SweepOutcome
from control_plane.embedded import EmbeddedStack
from tests.integration.test_rebuilding import QUOTAS, beside_an_empty_ledger, rebuild, recorded, stored
from tests.support.plane import Running

pytestmark = pytest.mark.anyio

HUGE = 2**63
DEEP = b"[" * 60_000

DESCRIPTIONS: Mapping[str, Mapping[str, Any] | bytes] = {
    "longer than any": b" " * 100_000,
    "nested deeply": DEEP,
    "a lone surrogate as owner": {"owner": "\ud800"},
    "an owner longer than an index takes": {"owner": "".join(chr(0x4E00 + at % 20_000) for at in range(9_000))},
    "a NUL in the title": {"title": "a\0b"},
    "a lone surrogate in the title": {"title": "\udfff"},
    "more bytes than a number of the database holds": {"expected_bytes": HUGE},
    "a share id longer than an index takes": {"share_id": "".join(chr(0x4E00 + at % 20_000) for at in range(9_000))},
    "a type that is no header": {"mime_type": "video/webm\r\nx-amz-acl: public-read"},
    "a time before all time": {"created_at": "0001-01-01T00:00:00+14:00"},
    "a time after all time": {"created_at": "9999-12-31T23:59:59-14:00"},
    "numbers for names": {"owner": 1},
    "a list for a source": {"source": []},
}


async def test_one_bad_description_stops_neither_audit_nor_rebuild(
    running: Running, stack: EmbeddedStack, settings: Settings
) -> None:
    async with running.recorder("good") as good:
        await recorded(good, 1)
        for harm in DESCRIPTIONS.values():
            async with running.recorder() as recorder:
                await recorded(recorder, 1)
                key = recording_key(UUID(recorder.recording_id))
                body = (
                    harm
                    if isinstance(harm, bytes)
                    else json.dumps(json.loads(await stored(running, key)) | harm).encode()
                )
                await running.put_object(key, body)

        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.taken.recordings, rebuilt.taken.chunks) == (1, 1)
            assert rebuilt.taken.undescribed == len(DESCRIPTIONS)
            assert await anew.sql("select owner from recordings") == [{"owner": "good"}]
            assert (await anew.plane.audit.run()).outcome is SweepOutcome.DECIDED
            good.move_to(anew.endpoint)
            assert (await good.call("GET", "/v1/recordings"))["recordings"][0]["id"] == good.recording_id


MANIFESTS: Mapping[str, Mapping[str, Any] | bytes] = {
    "nested deeply": DEEP,
    "more chunks than there are numbers": {"chunk_count": HUGE},
    "more bytes than a number of the database holds": {"total_bytes": HUGE},
    "a chunk larger than any": {"chunks": [[0, 0, HUGE, "0" * 64]]},
    "a chunk before the beginning": {"chunks": [[0, 0, 10, "0" * 64, -1, 5]]},
    "a chunk that lasts longer than any recording": {"chunks": [[0, 0, 10, "0" * 64, 0, HUGE]]},
    "a chunk with half of its times": {"chunks": [[0, 0, 10, "0" * 64, 0]]},
    "sizes whose sum is too large": {"chunks": [[seq, 0, HUGE // 2, "0" * 64] for seq in (0, 1, 2)], "chunk_count": 3},
    "a time after all time": {"completed_at": "9999-12-31T23:59:59-14:00"},
    "ranges that are none": {"lost": [[5, 1]]},
    "ranges that overlap": {"lost": [[0, 5], [3, 9]]},
}


async def test_one_bad_manifest_stops_no_rebuild(running: Running, stack: EmbeddedStack, settings: Settings) -> None:
    async with running.recorder("good") as good:
        await recorded(good, 2, complete=True)
        bad: list[str] = []
        for _ in MANIFESTS:
            async with running.recorder() as recorder:
                await recorded(recorder, 1, complete=True)
                bad.append(recorder.recording_id)
        while (await running.plane.services.manifests.run()).written:
            pass
        for recording_id, harm in zip(bad, MANIFESTS.values(), strict=True):
            key = manifest_key(UUID(recording_id))
            body = (
                harm if isinstance(harm, bytes) else json.dumps(json.loads(await stored(running, key)) | harm).encode()
            )
            await running.put_object(key, body)

        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            assert (rebuilt.completed, rebuilt.bad_manifests) == (1, len(MANIFESTS))
            assert (rebuilt.taken.chunks, rebuilt.missing) == (2 + len(MANIFESTS), 0)
            assert await anew.sql(QUOTAS) == await running.sql(QUOTAS)
