"""The sender of webhooks against real receivers: whom it reaches, whom it never does, and what it makes of bad ones."""

import asyncio
import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from control_plane.domain.webhook_urls import Address, is_public
from control_plane.domain.webhooks import Answer, Message
from control_plane.webhooks.sending import READ_BUFFER_BYTES, Sender
from control_plane.webhooks.signing import Signer
from tests.support.receiver import Receiver, hang_up, never, raw, status

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + "bmV3" * 8
FORBIDDEN = "Its name leads to an address of this service's own network, or of no network."


def anywhere(_: Address) -> bool:
    return True


def message_to(url: str) -> Message:
    return Message(uuid4(), url, '{"type":"download.ready"}')


async def send(sender: Sender, url: str) -> Answer:
    message = message_to(url)
    return await sender.send(message, Signer([SECRET]).headers(message, dt.datetime.now(UTC)))


async def test_a_message_arrives_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And straight: whatever the environment says of proxies."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Receiver() as receiver, Sender(anywhere) as sender:
        assert await send(sender, receiver.url) == Answer(200)
        (taken,) = receiver.taken
        assert taken.verified(SECRET) == {"type": "download.ready"}
        assert (taken.path, taken.headers["content-type"]) == ("/hooks?owner=a%2Fb", "application/json")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "2130706433"])
async def test_nothing_of_this_network_is_ever_connected_to(host: str) -> None:
    """Also where the URL was taken while that was allowed, or passed by another judge."""
    async with Receiver() as receiver, Sender(is_public) as sender:
        answer = await send(sender, f"http://{host}:{receiver.port}/")
        # Some are already not found, or no address to aiohttp.
        assert answer.status is None
        assert answer.error == FORBIDDEN or host not in {"127.0.0.1", "localhost"}
        assert receiver.connections == 0


@pytest.mark.parametrize("url", ["http://[::1]:{}/", "http://[::ffff:127.0.0.1]:{}/", "http://[::ffff:7f00:1]:{}/"])
async def test_nor_by_an_address_of_ipv6(url: str) -> None:
    async with Receiver() as receiver, Sender(is_public) as sender:
        assert (await send(sender, url.format(receiver.port))).error == FORBIDDEN
        assert receiver.connections == 0


class Names:
    """A resolver that answers differently each time, and counts how often it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[Address]:
        self.asked += 1
        return [ipaddress.ip_address(address) for address in self.answers.pop(0)]


def only_second(address: Address) -> bool:
    """As if 127.0.0.2 were on the internet and 127.0.0.1 inside."""
    return str(address) == "127.0.0.2"


async def test_a_name_that_is_bound_anew_leads_nowhere_else() -> None:
    """What was checked is what is connected to: there is no second lookup in between, and each try checks anew."""
    names = Names(["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"])
    async with Receiver("127.0.0.2") as outside, Receiver(port=outside.port) as inside:
        async with Sender(only_second, lookup=names) as sender:
            url = f"http://hooks.example.com:{outside.port}/"
            assert await send(sender, url) == Answer(200)
            assert names.asked == 1
            assert (await send(sender, url)).error == FORBIDDEN
            assert await send(sender, url) == Answer(200)
            assert names.asked == 3
        assert (len(outside.taken), inside.connections) == (2, 0)
        assert outside.taken[0].headers["host"] == f"hooks.example.com:{outside.port}"


@pytest.mark.parametrize("order", [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"]])
async def test_one_inner_address_among_outer_ones_is_enough(order: list[str]) -> None:
    async with Receiver("127.0.0.2") as outside, Sender(only_second, lookup=Names(order)) as sender:
        assert (await send(sender, f"http://hooks.example.com:{outside.port}/")).error == FORBIDDEN
        assert outside.connections == 0


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(code: int) -> None:
    async with Receiver() as inside, Receiver() as receiver, Sender(anywhere) as sender:
        receiver.answers = [status(code, location=inside.url)]
        assert await send(sender, receiver.url) == Answer(code)
        assert inside.connections == 0


async def test_who_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver, Sender(anywhere, whole_s=0.3) as sender:
        receiver.always = never
        assert (await send(sender, receiver.url)).error == "It did not answer within 0.3 s."


async def test_a_dead_port_and_a_name_that_is_not_there() -> None:
    async def nobody(_host: str, _port: int) -> Sequence[Address]:
        raise OSError(-2, "Name or service not known")

    async with Receiver() as receiver:
        port = receiver.port
    async with Sender(anywhere) as sender:
        assert (await send(sender, f"http://127.0.0.1:{port}/")).error == "It could not be connected to."
    async with Sender(anywhere, lookup=nobody) as sender:
        assert (await send(sender, "http://hooks.example.com/")).error == "Its name was not found."


async def test_a_flood_is_not_read() -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(bytes(1024))
            await writer.drain()
            sent += 1024

    async with Receiver() as receiver, Sender(anywhere) as sender:
        receiver.always = flood
        assert await send(sender, receiver.url) == Answer(500)
        # What it got rid of lies in the buffers of the two sockets at most.
        assert sent < 64 * 1024**2
    assert READ_BUFFER_BYTES * 2 == 64 * 1024


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n", "It did not answer with HTTP."),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000 + b"\r\n", "It did not answer with HTTP."),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "It did not answer with HTTP."),
        (b"", "It closed the connection without an answer."),
        (b"HTTP/1.1 2", "It closed the connection without an answer."),
    ],
)
async def test_junk(answer: bytes, told: str) -> None:
    async with Receiver() as receiver, Sender(anywhere) as sender:
        receiver.always = raw(answer) if answer else hang_up
        assert await send(sender, receiver.url) == Answer(None, told)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("120", 120, 120), ("0", 0, 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0), ("9" * 4000, 10**8, 10**10)],
)
async def test_how_long_a_receiver_wants_to_be_left_alone(value: str, low: int, high: int) -> None:
    async with Receiver() as receiver, Sender(anywhere) as sender:
        receiver.always = status(429, retry_after=value)
        answer = await send(sender, receiver.url)
        assert answer.retry_after is not None
        assert timedelta(seconds=low) <= answer.retry_after <= timedelta(seconds=high)
        receiver.always = status(429, retry_after="soon")
        assert await send(sender, receiver.url) == Answer(429)


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for that name, and the file that makes it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


async def test_https_is_for_the_name_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is an address that is connected to."""
    tls, public = certified(tmp_path, "hooks.example.com")
    broken = "Its certificate is not valid for its name, or TLS failed."
    async with Receiver(tls=tls) as receiver:
        names = Names(*[["127.0.0.1"]] * 3)
        async with Sender(anywhere, lookup=names) as sender:
            assert (await send(sender, f"https://hooks.example.com:{receiver.port}/")).error == broken
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(public))
        async with Sender(anywhere, lookup=names) as sender:
            assert (await send(sender, f"https://other.example.com:{receiver.port}/")).error == broken
            assert await send(sender, f"https://hooks.example.com:{receiver.port}/") == Answer(200)
        assert len(receiver.taken) == 1
