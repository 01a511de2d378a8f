"""What tests of lost chunks have in common: recordings, losses that sweeps have found, and what an administrator is told."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.plane import Running
from tests.support.recorder import Chunk, Recorder


@asynccontextmanager
async def recorded(running: Running, count: int = 4, **given: str) -> AsyncIterator[tuple[Recorder, list[Chunk]]]:
    """A recording with `count` confirmed chunks."""
    async with running.recorder(**given) as recorder:
        await recorder.start()
        chunks = [recorder.chunk(seq, size=3_000) for seq in range(count)]
        await recorder.send(chunks)
        await running.plane.confirm.run()
        yield recorder, chunks


async def asked_for(running: Running, recorder: Recorder, seqs: Sequence[int]) -> None:
    """These chunks vanish, and two audits find out."""
    for seq in seqs:
        await running.delete_object(await running.key_of(recorder, seq))
    await running.plane.audit.run()
    report = await running.plane.audit.run()
    assert report.detail["tickets_opened"] == len(seqs)


@asynccontextmanager
async def administrator(running: Running) -> AsyncIterator[Recorder]:
    """Who calls what lies below `/v1/admin`."""
    async with Recorder(running.endpoint, running.token("root", scopes=["admin"])) as found:
        yield found


async def scrape(running: Running) -> dict[str, float]:
    """The samples of `/metrics` by name, with their labels as Prometheus writes them."""
    async with aiohttp.ClientSession() as session, session.get(f"{running.endpoint}/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        families = list(text_string_to_metric_families(await answer.text()))
    assert all(family.documentation for family in families)
    return {
        sample.name + "".join(f'{{{name}="{value}"}}' for name, value in sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
    }
