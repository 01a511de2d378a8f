"""A manifest that does not agree with the chunks beside it: what is there counts, nothing is taken from it, and it is told."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from control_plane.config import Settings
from control_plane.domain.keys import manifest_key
from control_plane.embedded import EmbeddedStack
from control_plane.services import taking_up
from tests.integration.test_rebuilding import beside_an_empty_ledger, rebuild, recorded, stored
from tests.support.plane import Running

pytestmark = pytest.mark.anyio

LIMIT = 4_096
OTHER = "0" * 64
Manifest = dict[str, Any]


def changed(**members: object) -> Callable[[Manifest], bytes]:
    return lambda told: json.dumps(told | members).encode()


def with_chunk(seq: int) -> Callable[[Manifest], bytes]:
    """It names content for this number that is not there."""

    def change(told: Manifest) -> bytes:
        rows = {row[0]: row for row in told["chunks"]}
        rows[seq] = [seq, 0, 77, OTHER, *rows[0][4:]]
        return json.dumps(told | {"chunks": list(rows.values()), "chunk_count": max(rows) + 1}).encode()

    return change


# What becomes of a recording of three chunks: (state, chunks acked, chunks asked for), and what the rebuild counts.
Case = tuple[Callable[[Manifest], bytes], tuple[str, int, int], str | None]
CONTRADICTIONS: Mapping[str, Case] = {
    "not JSON": (lambda _: b'{"version": 1, ', ("open", 3, 0), "bad_manifests"),
    "another recording's": (changed(id=str(uuid4())), ("open", 3, 0), "bad_manifests"),
    "longer than any": (lambda told: json.dumps(told).encode() + b" " * LIMIT, ("open", 3, 0), "bad_manifests"),
    "other content": (with_chunk(1), ("complete", 3, 0), None),
    "more than there is": (with_chunk(3), ("complete", 3, 1), None),
    "fewer than there are": (changed(chunk_count=2), ("complete", 2, 0), "refused"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
async def test_a_manifest_is_believed_for_what_it_names_and_no_more(
    running: Running, stack: EmbeddedStack, settings: Settings, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    change, becomes, told = case
    monkeypatch.setattr(taking_up, "MANIFEST_LIMIT", LIMIT)
    monkeypatch.setattr(taking_up, "SHORT_MANIFEST", LIMIT // 2)
    async with running.recorder() as recorder, running.recorder("bob") as bob:
        await recorded(recorder, 3, complete=True)
        await recorded(bob, 2, complete=True)
        assert (await running.plane.services.manifests.run()).written == 2
        key = manifest_key(UUID(recorder.recording_id))
        await running.put_object(key, change(json.loads(await stored(running, key))))
        async with beside_an_empty_ledger(stack, settings) as anew:
            rebuilt = await rebuild(anew)
            counts = {"bad_manifests": rebuilt.bad_manifests, "refused": rebuilt.taken.refused}
            assert {name for name, count in counts.items() if count} == ({told} if told else set())
            assert rebuilt.whole is (told is None)
            (found,) = await anew.sql(
                "select state, (select count(*) filter (where c.state = 'acked') from chunks c where c.recording_id = r.id)::int"
                " as acked, (select count(*) from tickets t where t.recording_id = r.id)::int as asked"
                " from recordings r where r.id = %(id)s",
                {"id": recorder.recording_id},
            )
            assert (found["state"], found["acked"], found["asked"]) == becomes
            audited = await anew.plane.audit.run()
            assert (audited.outcome, audited.detail["discrepancies"], audited.detail["taken_up"]) == ("decided", {}, 0)
            bob.move_to(anew.endpoint)
            status = await bob.status()
            assert (status.complete, status.received, status.open_tickets) == (True, [[0, 1]], 0)
            assert not await anew.plane.services.quotas.recount_all()
