"""A verifier of tokens as production wires it, and a clock that the test moves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.config import Settings
from control_plane.domain.errors import Refusal
from control_plane.services.identity import TokenVerifier
from tests.support.oidc_issuer import AUDIENCE, OidcIssuer

# Of keys, as the settings have them by default.
TTL = timedelta(minutes=10)
MAX_AGE = timedelta(hours=24)


class Checker:
    """A verifier as production wires it, and a clock that the test moves."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self.verifier = verifier
        self.now = datetime.now(UTC)

    async def owner(self, token: str) -> str:
        return (await self.verifier.verify(token, self.now)).owner

    async def refusal(self, token: str) -> str:
        """The code of the refusal."""
        with pytest.raises(Refusal) as refused:
            await self.verifier.verify(token, self.now)
        return refused.value.code

    def wait(self, time: timedelta) -> None:
        self.now += time


def oidc_settings(issuer: OidcIssuer, **changed: object) -> Settings:
    """Settings that trust the provider alone; no part that they name is there."""
    given: dict[str, Any] = {
        "database_url": "postgresql://localhost/none",
        "s3_endpoint": "http://localhost",
        "s3_access_key_id": "none",
        "s3_secret_access_key": "none",
        "s3_bucket_name": "none",
        "safereel_oidc_issuer": issuer.url,
        "safereel_oidc_audience": AUDIENCE,
        **changed,
    }
    return Settings(**given)
