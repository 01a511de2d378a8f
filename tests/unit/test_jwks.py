"""One bad key among a provider's does not spoil the rest, and none is used for what it is not."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm
from jwt.utils import to_base64url_uint

from control_plane.domain.addresses import is_confidential, is_loopback
from control_plane.oidc.keys import MAX_KEYS, JwksMalformed, read_jwks
from tests.support.oidc_issuer import jwk_of, known_key, new_key

ALLOWED = frozenset({"RS256", "ES256", "ES384", "EdDSA"})
GOOD = jwk_of(known_key("good", "ES256"), kid="good")
PRIVATE = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
JUNK: list[object] = [
    None,
    "key",
    [],
    {},
    {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
    {"kty": "RSA", "kid": "empty"},
    {"kty": "RSA", "n": 5, "e": "AQAB"},
    {"kty": "RSA", "n": "!!!", "e": "AQAB"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {**GOOD, "x": GOOD["y"]},  # not a point of the curve
    {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
    {"kty": "OKP", "crv": "X25519", "x": "AA"},
    {**GOOD, "use": "enc"},
    {**GOOD, "key_ops": ["sign"]},
    {**GOOD, "key_ops": "verify"},
    {**GOOD, "alg": "HS256"},
    {**GOOD, "alg": "none"},
    {**GOOD, "alg": ["ES256"]},
    {**GOOD, "kid": 7},
    jwk_of(new_key("RS256", bits=1024), kid="weak"),
    jwk_of(ec.generate_private_key(ec.SECP256K1()), kid="other curve"),
    jwk_of(ec.generate_private_key(ec.SECP521R1()), kid="ES512 is not in the list"),
    PRIVATE,
]


@pytest.mark.parametrize("at", range(len(JUNK)))
def test_junk_is_passed_over_and_named(at: int) -> None:
    keys, passed_over = read_jwks({"keys": [JUNK[at], GOOD]}, ALLOWED)
    assert [key.kid for key in keys] == ["good"]
    assert len(passed_over) == 1
    assert passed_over[0].startswith("key 0: ")


@pytest.mark.parametrize("document", [None, [], {}, {"keys": None}, {"keys": {}}, {"keys": JUNK}])
def test_what_is_no_jwks(document: object) -> None:
    with pytest.raises(JwksMalformed):
        read_jwks(document, ALLOWED)


def test_an_empty_set_is_taken_at_its_word() -> None:
    assert read_jwks({"keys": []}, ALLOWED) == ([], [])


def test_a_key_has_the_algorithms_of_its_kind_and_no_others() -> None:
    bare = {
        "RS256": jwk_of(known_key("r", "RS256")),
        "ES256": jwk_of(known_key("e", "ES256")),
        "ES384": jwk_of(known_key("e", "ES384")),
        "EdDSA": jwk_of(known_key("d", "EdDSA")),
    }
    keys, _ = read_jwks({"keys": list(bare.values())}, ALLOWED)
    assert [key.algorithms for key in keys] == [frozenset({name}) for name in bare]


def test_a_key_that_is_another_under_the_same_name_is_not_equal() -> None:
    first, second = (
        read_jwks({"keys": [jwk_of(known_key(name, "ES256"), kid="same")]}, ALLOWED)[0][0] for name in ("one", "two")
    )
    again = read_jwks({"keys": [jwk_of(known_key("one", "ES256"), kid="same", x5t="…")]}, ALLOWED)[0][0]
    assert first != second
    assert first == again


def test_no_more_keys_are_looked_at_than_a_provider_has() -> None:
    keys, _ = read_jwks({"keys": [{**GOOD, "kid": str(at)} for at in range(MAX_KEYS + 10)]}, ALLOWED)
    assert len(keys) == MAX_KEYS


def test_rsa_keys_too_long_to_check_quickly() -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 16384) - 1)
    huge = jwk_of_public(numbers)
    assert [key.kid for key in read_jwks({"keys": [huge, GOOD]}, ALLOWED)[0]] == ["good"]


def jwk_of_public(numbers: rsa.RSAPublicNumbers) -> dict[str, object]:
    return {"kty": "RSA", "n": to_base64url_uint(numbers.n).decode(), "e": to_base64url_uint(numbers.e).decode()}


@pytest.mark.parametrize(
    ("url", "confidential"),
    [
        ("https://id.example/realm", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://id.example", False),
        ("http://localhost.id.example", False),
        ("http://localhost@id.example", False),
        ("https://user:password@id.example", False),
        ("https://id.example/#keys", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://[", False),
        ("id.example", False),
        ("", False),
    ],
)
def test_addresses_that_keys_may_come_from(url: str, confidential: bool) -> None:
    assert is_confidential(url) is confidential


def test_loopback_by_name_alone() -> None:
    assert is_loopback("postgresql://user:secret@127.0.0.1:5432/db")
    assert not is_loopback("postgresql://127.0.0.1@db.example/db")
    assert not is_loopback("http://0.0.0.0")
    assert not is_loopback("http://[")
