"""An OpenID provider on loopback: discovery, JWKS and real keys. It can rotate, take keys back, hang, fail and answer junk.

with OidcIssuer() as issuer:
    issuer.add_key("a", "ES256")
    token = issuer.token("alice", kid="a")
    issuer.requests          # how often its keys were asked for
"""

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "safereel-test"
JWKS_PATH = "/keys"
DISCOVERY_PATH = "/.well-known/openid-configuration"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_CURVES: Mapping[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def new_key(algorithm: str, *, bits: int = 2048) -> PrivateKey:
    """A key for tokens of that algorithm."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, bits)


@cache
def known_key(name: str, algorithm: str) -> PrivateKey:
    """The same key for the same name all through a run: RSA keys take long to make."""
    return new_key(algorithm)


def jwk_of(key: PrivateKey, **members: object) -> dict[str, Any]:
    """The public half as a JWK, with further members."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return {**RSAAlgorithm.to_jwk(public, as_dict=True), **members}
    if isinstance(public, ec.EllipticCurvePublicKey):
        return {**ECAlgorithm.to_jwk(public, as_dict=True), **members}
    return {**OKPAlgorithm.to_jwk(public, as_dict=True), **members}


class OidcIssuer:
    """Serves in a thread of its own while entered."""

    def __init__(self, path: str = "") -> None:
        """`path` is what the issuer has after its host, as many providers' have."""
        self._prefix = path.rstrip("/")
        self._keys: dict[str, tuple[str, PrivateKey]] = {}
        self._answering = threading.Event()
        self._answering.set()
        self.extra_keys: list[object] = []
        """What stands in the JWKS beside the good keys."""
        self.replies: dict[str, tuple[int, Mapping[str, str], bytes]] = {}
        """By path, what is answered instead: status, headers, body."""
        self.requests: list[str] = []
        """The paths that were asked for."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._root = f"http://127.0.0.1:{self._server.server_port}"
        self.url = self._root + path

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answering.set()
        self._server.shutdown()
        self._server.server_close()

    def add_key(self, kid: str, algorithm: str = "ES256") -> None:
        """Publishes a key, and signs with it from now on where no other is named."""
        self._keys[kid] = (algorithm, known_key(kid, algorithm))

    def remove_key(self, kid: str) -> None:
        """Takes a key back."""
        del self._keys[kid]

    def fail(self, status: int = 503, body: bytes = b"", **headers: str) -> None:
        """Answers so to everything."""
        self.replies = dict.fromkeys((DISCOVERY_PATH, JWKS_PATH), (status, headers, body))

    def hang(self) -> None:
        """Takes requests and answers none, until `recover`."""
        self._answering.clear()

    def recover(self) -> None:
        """Answers well again."""
        self.replies = {}
        self._answering.set()

    @property
    def jwks(self) -> dict[str, object]:
        """The JWKS as it is published."""
        good = [jwk_of(key, kid=kid, use="sig", alg=algorithm) for kid, (algorithm, key) in self._keys.items()]
        return {"keys": [*self.extra_keys, *good]}

    def times_asked(self) -> int:
        """How often the keys were fetched."""
        return self.requests.count(JWKS_PATH)

    def token(
        self,
        owner: str = "alice",
        *,
        kid: str | None = None,
        key: PrivateKey | str | None = None,
        algorithm: str | None = None,
        now: datetime | None = None,
        header: Mapping[str, object] | None = None,
        **changed: object,
    ) -> str:
        """A token of this provider; claims that are None are left out. By default signed with the newest key."""
        at = now or datetime.now(UTC)
        chosen = kid if kid in self._keys else list(self._keys)[-1]
        own_algorithm, own_key = self._keys[chosen]
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": owner,
            "scope": "openid record",
            "iat": at,
            "exp": at + timedelta(hours=1),
            **changed,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        headers: dict[str, Any] = {"kid": kid or chosen, **(header or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        signing: Any = own_key if key is None else key
        return jwt.encode(claims, signing, algorithm=algorithm or own_algorithm, headers=headers)

    def reply(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """What is answered; waits while it hangs."""
        path = path.removeprefix(self._prefix)
        self.requests.append(path)
        self._answering.wait()
        if path in self.replies:
            return self.replies[path]
        jwks_uri = self._root + self._prefix + JWKS_PATH
        documents = {DISCOVERY_PATH: {"issuer": self.url, "jwks_uri": jwks_uri}, JWKS_PATH: self.jwks}
        if path not in documents:
            return 404, {}, b""
        return 200, {"content-type": "application/json"}, json.dumps(documents[path]).encode()


def _handler(issuer: OidcIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = issuer.reply(self.path)
            with suppress(ConnectionError):  # who asked may have gone by then
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is written to the test's output."""

    return Handler
