"""The fault proxy that the acceptance tests rest on, before a small real server."""

import asyncio
import http.client
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest
from aiohttp import web

from tests.support.proxy import CutBody, Delay, Drop, FaultProxy, ForwardThenDrop, Hold, Respond, Slow

BODY = random.Random(7).randbytes(300_000)


class Echo:
    """A server in a thread that answers with what it got; `/stream` answers without a length."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, str, int]] = []
        self.cut_short = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(self._app(), access_log=None)
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> int:
        """Listens; the port."""
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        """Ends the server and its thread."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port: int = self._runner.addresses[0][1]
        return port

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except (OSError, web.RequestPayloadError):
            self.cut_short.set()
            raise
        self.received.append((request.method, request.path_qs, request.headers["Host"], len(body)))
        if request.path != "/stream":
            return web.Response(body=body, headers={"etag": '"x"'})
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in (b"one;", b"two;"):
            await answer.write(piece)
        return answer


@pytest.fixture
def echo() -> Iterator[Echo]:
    """The server behind."""
    echo = Echo()
    yield echo
    echo.stop()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """The proxy before it."""
    with FaultProxy(seed=1) as proxy:
        proxy.target = ("127.0.0.1", echo.start())
        yield proxy


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Message
    body: bytes


def call(
    proxy: FaultProxy, method: str = "PUT", path: str = "/bucket/key?sig=1", body: Any = BODY, **headers: str
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def lost(proxy: FaultProxy) -> bool:
    """True if the call ended without an answer."""
    try:
        call(proxy)
    except (ConnectionError, http.client.HTTPException):
        return True
    return False


def test_forwards_as_it_came(proxy: FaultProxy, echo: Echo) -> None:
    answer = call(proxy)
    assert (answer.status, answer.headers["etag"], answer.headers["connection"]) == (200, '"x"', "close")
    assert answer.body == BODY
    assert echo.received == [("PUT", "/bucket/key?sig=1", f"127.0.0.1:{proxy.port}", len(BODY))]


def test_forwards_bodies_without_a_length_both_ways(proxy: FaultProxy, echo: Echo) -> None:
    assert call(proxy, body=iter([BODY[:1000], BODY[1000:]])).body == BODY
    assert call(proxy, "GET", "/stream", None).body == b"one;two;"


def test_answers_without_a_body_and_interim_answers(proxy: FaultProxy, echo: Echo) -> None:
    assert call(proxy, "HEAD", "/x", None).status == 200
    assert call(proxy, expect="100-continue").status == 200


def test_drop_loses_the_request(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT", "^/bucket/", Drop(), times=2)
    assert [lost(proxy), lost(proxy), lost(proxy)] == [True, True, False]
    assert len(echo.received) == 1
    assert [x.fault for x in proxy.log()] == ["drop", "drop", None]


def test_forward_then_drop_loses_the_answer(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT", "/bucket/", ForwardThenDrop())
    assert lost(proxy)
    assert len(echo.received) == 1
    (exchange,) = proxy.log()
    assert (exchange.status, exchange.fault, exchange.finished) == (200, "forward_then_drop", True)


def test_respond_answers_in_place_of_the_party_behind(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT|POST", "/bucket/", Respond(503, {"retry-after": "1"}, b"slow down"))
    answer = call(proxy)
    assert (answer.status, answer.body) == (503, b"slow down")
    assert {name.lower() for name in answer.headers} == {"retry-after", "content-length", "connection"}
    assert echo.received == []


def test_cut_body_ends_both_sides_half_way(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT", "/bucket/", CutBody(after=1000))
    assert lost(proxy)
    assert echo.cut_short.wait(10)
    assert echo.received == []


def test_a_sender_that_goes_away_is_seen_behind(proxy: FaultProxy, echo: Echo) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.putrequest("PUT", "/bucket/key")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"half")
    proxy.wait_for(lambda log: [x.body for x in log] == [b"half"])
    connection.close()
    assert echo.cut_short.wait(10)


def test_delay_and_slow_take_their_time(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT", "/bucket/", Delay(0.2))
    proxy.add("PUT", "/bucket/", Slow(bytes_per_second=len(BODY) / 0.2))
    for _ in range(2):
        started = time.monotonic()
        assert call(proxy).status == 200
        assert time.monotonic() - started >= 0.2


def test_held_requests_wait_for_the_test(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT", "/bucket/", Hold())
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, proxy)
        proxy.wait_for(lambda log: [x.fault for x in log] == ["hold"])
        assert echo.received == []
        proxy.release_held()
        assert answer.result(10).status == 200


def test_rules_are_followed_in_order_and_skip(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("GET", ".", Drop(), times=None)
    proxy.add("PUT", "sig=1$", Respond(500), skip=1)
    proxy.add("PUT", ".", Respond(502))
    assert [call(proxy).status for _ in range(4)] == [200, 500, 502, 200]


def test_chance_is_seeded(echo: Echo) -> None:
    port = echo.start()

    def faults() -> list[str | None]:
        with FaultProxy(("127.0.0.1", port), seed=3) as proxy:
            proxy.add("PUT", ".", Respond(503), times=None, chance=0.5)
            for _ in range(12):
                call(proxy, body=b"")
            return [x.fault for x in proxy.log()]

    first = faults()
    assert set(first) == {None, "respond"}
    assert faults() == first


def test_cut_resets_and_refuses_until_restored(proxy: FaultProxy, echo: Echo) -> None:
    proxy.add("PUT", "/bucket/", Hold())
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(lost, proxy)
        proxy.wait_for(lambda log: len(log) == 1)
        proxy.cut()
        assert held.result(10)
    with pytest.raises(ConnectionRefusedError):
        call(proxy)
    proxy.cut()
    proxy.restore()
    assert call(proxy).status == 200
    assert len(echo.received) == 1


def test_a_target_that_is_gone_is_a_reset(proxy: FaultProxy, echo: Echo) -> None:
    proxy.target = None
    assert lost(proxy)


def test_waiting_in_vain_shows_the_log(proxy: FaultProxy, echo: Echo) -> None:
    call(proxy)
    with pytest.raises(TimeoutError, match="PUT /bucket/key"):
        proxy.wait_for(lambda log: len(log) > 1, timeout=0.05)


def test_the_log_keeps_bodies_up_to_a_limit(proxy: FaultProxy, echo: Echo) -> None:
    call(proxy, body=b'{"acks": []}')
    call(proxy)
    small, large = proxy.log()
    assert (small.body, small.answer) == (b'{"acks": []}', b'{"acks": []}')
    assert large.body == BODY[: 64 * 1024] == large.answer
