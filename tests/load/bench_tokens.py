"""How long a token takes to check: the first time, and each time after that. `python -m tests.load.bench_tokens`

Beside what the signature alone costs with the same library: the rest is parsing, claims and remembering.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import jwt

from control_plane.services.identity import KNOWN_TOKENS, TokenVerifier
from control_plane.wiring import open_trusts, token_issuer
from tests.support.oidc_issuer import OidcIssuer, known_key
from tests.support.token_checker import oidc_settings

SECRET = "a secret of at least thirty-two bytes"
# All are remembered, so that the second round finds them, beside the one that fetches the keys.
TOKENS = KNOWN_TOKENS - 1
# The best of these counts: machines are noisy.
ROUNDS = 5


async def main() -> None:
    print(f"{'':6} {'signature':>12} {'first time':>12} {'after that':>12}   µs a token")
    with OidcIssuer() as issuer:
        for algorithm in ("RS256", "ES256", "EdDSA"):
            issuer.add_key(algorithm, algorithm)
        for algorithm in ("RS256", "ES256", "EdDSA", "HS256"):
            await measure(issuer, algorithm)


async def measure(issuer: OidcIssuer, algorithm: str) -> None:
    now = datetime.now(UTC)
    key: object = SECRET if algorithm == "HS256" else known_key(algorithm, algorithm).public_key()
    tokens = [token_of(issuer, algorithm, f"owner-{at}", now) for at in range(TOKENS)]
    bare, first, again = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        bare.append(signatures_us(tokens, key, algorithm))
        async with AsyncExitStack() as opened:
            verifier = TokenVerifier(await open_trusts(oidc_settings(issuer, safereel_token_secret=SECRET), opened))
            if algorithm != "HS256":
                await verifier.verify(token_of(issuer, algorithm, "fetches the keys", now), now)
            first.append(await each_us(tokens, verifier, now))
            again.append(await each_us(tokens, verifier, now))
    print(f"{algorithm:6} {min(bare):12.1f} {min(first):12.1f} {min(again):12.1f}")


def token_of(issuer: OidcIssuer, algorithm: str, owner: str, now: datetime) -> str:
    if algorithm == "HS256":
        return token_issuer(SECRET).issue(owner, ["record"], now)[0]
    return issuer.token(owner, kid=algorithm, now=now)


def signatures_us(tokens: Sequence[str], key: object, algorithm: str) -> float:
    checker = jwt.PyJWS()
    begun = time.perf_counter()
    for token in tokens:
        checker.decode_complete(token, key, algorithms=[algorithm])  # type: ignore[arg-type]  # one of the kinds it takes
    return (time.perf_counter() - begun) / len(tokens) * 1e6


async def each_us(tokens: Sequence[str], verifier: TokenVerifier, now: datetime) -> float:
    begun = time.perf_counter()
    for token in tokens:
        await verifier.verify(token, now)
    return (time.perf_counter() - begun) / len(tokens) * 1e6


if __name__ == "__main__":
    asyncio.run(main())
