"""A control plane whose identity settings are half set does not start, and says which variable to set."""

import pytest

from control_plane.cli import main
from control_plane.config import Settings
from control_plane.wiring import IssuerForbidden, open_control_plane

PARTS = {
    "DATABASE_URL": "postgresql://localhost/none",
    "S3_ENDPOINT": "http://localhost",
    "S3_ACCESS_KEY_ID": "none",
    "S3_SECRET_ACCESS_KEY": "none",
    "S3_BUCKET_NAME": "none",
}
ISSUER = {"SAFEREEL_OIDC_ISSUER": "https://id.example/", "SAFEREEL_OIDC_AUDIENCE": "safereel"}
SECRET = "s" * 32


def settings_of(environment: dict[str, str]) -> Settings:
    return Settings(**{name.lower(): value for name, value in (PARTS | environment).items()})  # type: ignore[arg-type]  # validated there


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, ["SAFEREEL_OIDC_ISSUER and SAFEREEL_OIDC_AUDIENCE", "SAFEREEL_TOKEN_SECRET"]),
        ({"SAFEREEL_TOKEN_SECRET": "short"}, ["SAFEREEL_TOKEN_SECRET: at least 32 bytes", "openssl rand -hex 32"]),
        ({"SAFEREEL_OIDC_ISSUER": "https://id.example"}, ["SAFEREEL_OIDC_AUDIENCE: name this service"]),
        ({**ISSUER, "SAFEREEL_OIDC_AUDIENCE": " , "}, ["SAFEREEL_OIDC_AUDIENCE: name this service"]),
        ({**ISSUER, "SAFEREEL_OIDC_ISSUER": ""}, ["SAFEREEL_OIDC_AUDIENCE: names nobody without SAFEREEL_OIDC_ISSUER"]),
        (
            {"SAFEREEL_OIDC_JWKS_URL": "https://id.example/keys"},
            ["SAFEREEL_OIDC_JWKS_URL: names nobody without SAFEREEL_OIDC_ISSUER"],
        ),
        ({**ISSUER, "SAFEREEL_OIDC_ISSUER": "id.example"}, ["SAFEREEL_OIDC_ISSUER: an absolute https URL"]),
        ({**ISSUER, "SAFEREEL_OIDC_ISSUER": "http://id.example"}, ["SAFEREEL_OIDC_ALLOW_HTTP=true"]),
        ({**ISSUER, "SAFEREEL_OIDC_JWKS_URL": "http://id.example"}, ["SAFEREEL_OIDC_JWKS_URL: an absolute https"]),
        ({**ISSUER, "SAFEREEL_OIDC_ALGORITHMS": "RS256,none"}, ["SAFEREEL_OIDC_ALGORITHMS: some of RS256"]),
        ({**ISSUER, "SAFEREEL_OIDC_ALGORITHMS": "HS256"}, ["SAFEREEL_OIDC_ALGORITHMS: some of RS256"]),
        ({**ISSUER, "SAFEREEL_OIDC_ALGORITHMS": ""}, ["SAFEREEL_OIDC_ALGORITHMS: some of RS256"]),
        ({**ISSUER, "SAFEREEL_OIDC_SCOPE_CLAIMS": ","}, ["SAFEREEL_OIDC_SCOPE_CLAIMS: name a claim"]),
        ({**ISSUER, "SAFEREEL_OIDC_LEEWAY_MS": "300001"}, ["SAFEREEL_OIDC_LEEWAY_MS"]),
        (
            {**ISSUER, "SAFEREEL_OIDC_KEYS_TTL_MS": "600000", "SAFEREEL_OIDC_KEYS_MAX_AGE_MS": "60000"},
            ["SAFEREEL_OIDC_KEYS_MAX_AGE_MS: at least SAFEREEL_OIDC_KEYS_TTL_MS"],
        ),
    ],
)
def test_serve_refuses_half_set_identity_by_name(
    environment: dict[str, str], told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in Settings.model_fields if name.startswith("safereel_")]:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in (PARTS | environment).items():
        monkeypatch.setenv(name, value)
    assert main(["serve"]) == 2
    error = capsys.readouterr().err
    for part in told:
        assert part in error


def test_one_mistake_is_told_once() -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        settings_of({**ISSUER, "SAFEREEL_OIDC_ISSUER": "id.example", "SAFEREEL_OIDC_JWKS_URL": "https://id.example/k"})


@pytest.mark.parametrize("environment", [ISSUER, {"SAFEREEL_TOKEN_SECRET": SECRET}])
def test_either_kind_of_issuer_is_enough(environment: dict[str, str]) -> None:
    assert settings_of(environment).trusts_somebody


@pytest.mark.anyio
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"DATABASE_URL": "postgresql://db.example/safereel"},
        {"S3_ENDPOINT": "https://s3.example"},
        {"SAFEREEL_HOST": "0.0.0.0"},
        {"SAFEREEL_HOST": "::"},
    ],
)
async def test_the_embedded_issuer_never_starts_beside_parts_of_others(elsewhere: dict[str, str]) -> None:
    """Whoever asks it gets a token: what it opens must be this machine's alone."""
    settings = settings_of({"SAFEREEL_TOKEN_SECRET": SECRET, **elsewhere})
    with pytest.raises(IssuerForbidden):
        async with open_control_plane(settings, issues_tokens=True):
            pytest.fail("it opened")
