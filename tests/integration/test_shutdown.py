"""SIGTERM under load: what was answered is in the ledger, what was refused was not half done, and the process ends in time."""

import asyncio
import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import psycopg
import pytest

from control_plane.config import Settings
from control_plane.wiring import token_issuer, utc_now
from tests.support.live import Program, environment_of, free_port
from tests.support.proxy import Exchange, FaultProxy, Hold
from tests.support.recorder import Chunk, Recorder, Refused

pytestmark = pytest.mark.anyio

SHUTDOWN_MS = 4_000
BUSY_S = 2  # until a process that ends is seen to have ended, where the tests run
IN_TIME_S = SHUTDOWN_MS / 1000 + BUSY_S
AT_ONCE = 12
ENOUGH = 60  # answered acks before the signal: the load is on
STILL_WAITS_S = 1.5  # a stop that cut calls off would have done so by then
Place = tuple[str, int]


class Served:
    """`safereel serve` or `safereel up` as a process of its own, and its environment."""

    def __init__(self, program: Program, url: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self.url = url
        self._environment = environment

    def recorder(self, owner: str) -> Recorder:
        secret = self._environment["SAFEREEL_TOKEN_SECRET"]
        return Recorder(self.url, token_issuer(secret).issue(owner, ["record"], utc_now())[0])

    def acked(self) -> set[tuple[str, int]]:
        with psycopg.connect(self._environment["DATABASE_URL"]) as connection:
            rows = connection.execute("select recording_id, seq from chunks where state in ('acked', 'confirmed')")
            return {(str(recording_id), seq) for recording_id, seq in rows}

    async def ends(self) -> tuple[int, float]:
        """Exit status, and the seconds it took after SIGTERM."""
        began = time.monotonic()
        os.kill(self.program.pid, signal.SIGTERM)
        status = await asyncio.to_thread(self.program.wait)
        return status, time.monotonic() - began

    def errors(self) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.program.said().splitlines() if line.startswith("{")]
        return [line for line in lines if line["level"] == "error"]


def _environment(settings: Settings, port: int, changed: dict[str, str]) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_ACCESS_KEY_ID": settings.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": settings.s3_secret_access_key.get_secret_value(),
        "S3_BUCKET_NAME": settings.s3_bucket_name,
        "SAFEREEL_TOKEN_SECRET": settings.safereel_token_secret.get_secret_value(),
        "SAFEREEL_PORT": str(port),
        "SAFEREEL_RATE_LIMIT": "0",
        "SAFEREEL_SHUTDOWN_MS": str(SHUTDOWN_MS),
        "SAFEREEL_CONFIRM_INTERVAL_MS": "100",
        "SAFEREEL_WORKER_INSIDE": "true",
        # Rare: what an audit takes up by itself would look like an ack that was refused and done.
        "SAFEREEL_AUDIT_INTERVAL_MS": "60000",
        **changed,
    }


async def _serve(settings: Settings, log: Path, **changed: str) -> Served:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = _environment(settings, port, changed)
    program = Program(["serve"], env=environment, log=log)
    await _until_healthy(program, url)
    return Served(program, url, environment)


async def _up(folder: Path) -> Served:
    """The whole stack; started again with the same folder, it goes on where it stopped."""
    port, data_dir = free_port(), folder / "data"
    url = f"http://127.0.0.1:{port}"
    environment = {"SAFEREEL_SHUTDOWN_MS": str(SHUTDOWN_MS), "SAFEREEL_AUDIT_INTERVAL_MS": "60000"}
    arguments = ["up", "--port", str(port), "--data-dir", str(data_dir)]
    program = Program(arguments, env=environment, log=folder / "up.log")
    await _until_healthy(program, url)
    return Served(program, url, await asyncio.to_thread(environment_of, data_dir))


async def _until_healthy(program: Program, url: str) -> None:
    try:
        await asyncio.to_thread(program.until_healthy, url)
    except BaseException:
        program.kill()
        raise


@pytest.fixture
async def served(settings: Settings, tmp_path: Path) -> AsyncIterator[Served]:
    """A control plane with sweeps every moment."""
    found = await _serve(settings, tmp_path / "serve.log")
    yield found
    if found.program.runs:
        found.program.kill()


class Load:
    """Recorders that grant, PUT and ack as fast as they can; what each ack was answered."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.matched: set[Place] = set()
        self.refused: set[Place] = set()
        self.unanswered: set[Place] = set()
        self.codes: Counter[str] = Counter()
        self.under_load = asyncio.Event()

    async def run(self) -> None:
        """Until nobody listens any more."""
        await asyncio.gather(*(self._record(f"owner-{number}") for number in range(AT_ONCE)))

    async def _record(self, owner: str) -> None:
        async with self._served.recorder(owner) as recorder:
            await recorder.start()
            with suppress(aiohttp.ClientError, ConnectionError):
                for seq in itertools.count():
                    await self._send(recorder, recorder.chunk(seq, size=200))

    async def _send(self, recorder: Recorder, chunk: Chunk) -> None:
        try:
            (grant,) = await recorder.grant([chunk])
        except Refused as exc:
            self.codes[exc.problem.code] += 1
            return
        put = await recorder.put(grant, chunk)
        place = (recorder.recording_id, chunk.seq)
        try:
            (ack,) = await recorder.ack([(chunk.seq, put.etag)])
        except Refused as exc:
            self.codes[exc.problem.code] += 1
            self.refused.add(place)
        except (aiohttp.ClientError, ConnectionError):
            self.unanswered.add(place)
            raise
        else:
            assert ack.verdict == "match"
            self.matched.add(place)
            if len(self.matched) >= ENOUGH:
                self.under_load.set()


async def test_acks_under_load_are_whole_or_refused(served: Served) -> None:
    load = Load(served)
    running = asyncio.create_task(load.run())
    await asyncio.wait_for(load.under_load.wait(), 60)
    status, seconds = await served.ends()
    await asyncio.wait_for(running, 60)
    assert status == 0
    assert seconds < IN_TIME_S
    assert served.errors() == []

    acked = served.acked()
    assert load.matched <= acked, "answered with match, and not in the ledger"
    assert not load.refused & acked, "refused, and done"
    assert acked <= load.matched | load.unanswered
    assert len(load.matched) > ENOUGH
    assert set(load.codes) == {"shutting_down"}, "whoever still had a connection was told"


@pytest.mark.thorough
async def test_the_whole_stack_stops_under_load_and_has_everything_when_it_is_back(tmp_path: Path) -> None:
    stack = await _up(tmp_path)
    load = Load(stack)
    running = asyncio.create_task(load.run())
    await asyncio.wait_for(load.under_load.wait(), 60)
    status, _ = await stack.ends()  # its parts take their own time, bounded too
    await asyncio.wait_for(running, 60)
    assert status == 0
    assert stack.errors() == []
    assert set(load.codes) <= {"shutting_down"}

    again = await _up(tmp_path)
    acked = again.acked()
    assert load.matched <= acked, "answered with match, and not in the ledger"
    assert not load.refused & acked, "refused, and done"
    async with again.recorder("owner-0") as recorder:
        await recorder.start()
        (ack,) = await recorder.send([recorder.chunk(0)])
        assert ack.verdict == "match"
    assert (await again.ends())[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_where_it_stands(
    settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    with _proxied(settings) as (proxy, changed):
        served = await _serve(settings, tmp_path / "serve.log", **{**changed, "SAFEREEL_SHUTDOWN_MS": "60000"})
        async with served.recorder("alice") as recorder, aiohttp.ClientSession() as client:
            await recorder.start()
            (sent,) = await recorder.send([recorder.chunk(0)])
            assert sent.verdict == "match"
            chunk = recorder.chunk(1)
            (grant,) = await recorder.grant([chunk])
            put = await recorder.put(grant, chunk)
            seen = len(proxy.log())
            proxy.add("HEAD", "/v1/", Hold(), times=None)
            hanging = asyncio.create_task(recorder.ack([(1, put.etag)]))
            await asyncio.to_thread(proxy.wait_for, lambda log: _asked_for_a_chunk(log[seen:]))
            os.kill(served.program.pid, number)
            os.kill(served.program.pid, number)  # as make and a terminal do: one stop
            await _until_not_ready(client, served)
            assert served.program.runs
            await _signalled_until_it_ends(served, number)
            with pytest.raises(aiohttp.ClientError):
                await hanging
            recording_id = recorder.recording_id
        assert served.program.wait() == 128 + number
        assert served.acked() == {(recording_id, 0)}


async def test_it_is_not_ready_before_it_refuses(settings: Settings, tmp_path: Path) -> None:
    served = await _serve(settings, tmp_path / "serve.log", SAFEREEL_DRAIN_MS="1500")
    async with served.recorder("alice") as recorder, aiohttp.ClientSession() as client:
        await recorder.start()
        ending = asyncio.create_task(served.ends())
        await _until_not_ready(client, served)
        (ack,) = await recorder.send([recorder.chunk(0)])
        assert ack.verdict == "match", "not ready, but still at work"
        status, headers = await _status(client, served.url + "/health/ready")
        assert (status, headers["connection"]) == (503, "close")
        assert (await _status(client, served.url + "/health/live"))[0] == 200
        status, seconds = await ending
    assert status == 0
    assert 1.5 <= seconds < IN_TIME_S


async def test_an_ack_under_way_is_answered_while_new_calls_are_sent_away(settings: Settings, tmp_path: Path) -> None:
    with _proxied(settings) as (proxy, changed):
        served = await _serve(settings, tmp_path / "serve.log", **{**changed, "SAFEREEL_SHUTDOWN_MS": "30000"})
        async with served.recorder("alice") as recorder, aiohttp.ClientSession() as client:
            await recorder.start()
            chunk = recorder.chunk(0)
            (grant,) = await recorder.grant([chunk])
            put = await recorder.put(grant, chunk)
            proxy.add("HEAD", "/v1/", Hold(), times=1)
            acking = asyncio.create_task(recorder.ack([(0, put.etag)]))
            await asyncio.to_thread(proxy.wait_for, _asked_for_a_chunk)
            ending = asyncio.create_task(served.ends())
            await _until_not_ready(client, served)
            assert (await _status(client, served.url + "/v1/me"))[0] == 503
            cut_off, _ = await asyncio.wait({acking}, timeout=STILL_WAITS_S)
            assert not cut_off
            proxy.release_held()
            (ack,) = await acking
            assert ack.verdict == "match"
            recording_id = recorder.recording_id
            status, _ = await ending
        assert status == 0
        assert served.acked() == {(recording_id, 0)}
        assert served.errors() == []


async def test_a_call_that_hangs_holds_up_nothing(settings: Settings, tmp_path: Path) -> None:
    with _proxied(settings) as (proxy, changed):
        served = await _serve(settings, tmp_path / "serve.log", **changed)
        async with served.recorder("alice") as recorder, aiohttp.ClientSession() as client:
            await recorder.start()
            chunk = recorder.chunk(0)
            (grant,) = await recorder.grant([chunk])
            put = await recorder.put(grant, chunk)
            proxy.add("HEAD", "/v1/", Hold(), times=None)
            hanging = asyncio.create_task(recorder.ack([(0, put.etag)]))
            await asyncio.to_thread(
                proxy.wait_for, lambda log: any(x.method == "HEAD" and "/v1/" in x.path for x in log)
            )
            ending = asyncio.create_task(served.ends())
            await _until_not_ready(client, served)
            status, headers = await _status(client, served.url + "/v1/me")
            assert (status, headers["connection"]) == (503, "close")
            assert int(headers["retry-after"]) > 0
            assert (await _status(client, served.url + "/health/live"))[0] == 200
            with pytest.raises(Refused) as cut_off:
                await hanging
            assert cut_off.value.problem.code == "shutting_down"
            status, seconds = await ending
        assert status == 0
        assert seconds < IN_TIME_S
        assert served.acked() == set()
        assert served.errors() == []


async def test_what_does_not_unwind_is_cut_short(settings: Settings, tmp_path: Path) -> None:
    """Here the time is too short for what hangs to be told, and for pools to be closed."""
    with _proxied(settings) as (proxy, changed):
        served = await _serve(settings, tmp_path / "serve.log", **{**changed, "SAFEREEL_SHUTDOWN_MS": "0"})
        async with served.recorder("alice") as recorder:
            await recorder.start()
            chunk = recorder.chunk(0)
            (grant,) = await recorder.grant([chunk])
            put = await recorder.put(grant, chunk)
            proxy.add("HEAD", "/v1/", Hold(), times=None)
            hanging = asyncio.create_task(recorder.ack([(0, put.etag)]))
            await asyncio.to_thread(proxy.wait_for, _asked_for_a_chunk)
            _, seconds = await served.ends()
            with pytest.raises((aiohttp.ClientError, Refused)):
                await hanging
        assert seconds < IN_TIME_S
        assert served.acked() == set()


async def test_a_sweep_under_way_ends_cleanly(settings: Settings, tmp_path: Path) -> None:
    with _proxied(settings) as (proxy, changed):
        served = await _serve(settings, tmp_path / "serve.log", **changed, SAFEREEL_SETTLE_MS="500")
        async with served.recorder("alice") as recorder:
            await recorder.start()
            await recorder.send([recorder.chunk(0)])
        proxy.add("HEAD", "/v1/", Hold(), times=None)
        seen = len(proxy.log())
        await asyncio.to_thread(
            proxy.wait_for, lambda log: any(x.method == "HEAD" and "/v1/" in x.path for x in log[seen:])
        )
        status, seconds = await served.ends()
        assert status == 0
        assert seconds < IN_TIME_S
        assert served.errors() == []
        assert "Work was cut off" in served.program.said()


def _asked_for_a_chunk(log: Sequence[Exchange]) -> bool:
    return any(seen.method == "HEAD" and "/v1/" in seen.path for seen in log)


async def _signalled_until_it_ends(served: Served, number: signal.Signals) -> None:
    async with asyncio.timeout(10):
        while served.program.runs:
            os.kill(served.program.pid, number)
            await asyncio.sleep(0.05)


@contextmanager
def _proxied(settings: Settings) -> Iterator[tuple[FaultProxy, dict[str, str]]]:
    """The bucket as the control plane sees it, behind a proxy; recorders go straight there."""
    host, _, port = settings.s3_endpoint.removeprefix("http://").partition(":")
    with FaultProxy((host, int(port))) as proxy:
        yield proxy, {"S3_ENDPOINT": proxy.url, "S3_PUBLIC_ENDPOINT": settings.s3_endpoint}


async def _status(client: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, str]]:
    async with client.get(url) as answer:
        await answer.read()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}


async def _until_not_ready(client: aiohttp.ClientSession, served: Served) -> None:
    async with asyncio.timeout(10):
        while (await _status(client, served.url + "/health/ready"))[0] == 200:
            pass  # each look is a call
