"""The settings of a command: of the stack that runs here, or of the environment."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from control_plane.config import Settings
from control_plane.domain.wrong_values import wrong_value
from control_plane.embedded import EmbeddedError, read_running_stack

DATA_DIR = Path(".safereel")


class UsageError(Exception):
    """The command cannot run as it was called; the message says what to set or pass."""


def environment_of(stack: Mapping[str, object]) -> dict[str, str]:
    """A stack as the variables that `serve` reads."""
    s3 = stack["s3"]
    assert isinstance(s3, Mapping), "stack.json names the bucket's server"
    given = {
        "DATABASE_URL": str(stack["database_url"]),
        "S3_ENDPOINT": str(s3["endpoint"]),
        "S3_ACCESS_KEY_ID": str(s3["access_key"]),
        "S3_SECRET_ACCESS_KEY": str(s3["secret_key"]),
        "S3_BUCKET_NAME": str(s3["bucket"]),
        "S3_REGION": str(s3["region"]),
        "SAFEREEL_TOKEN_SECRET": str(stack["token_secret"]),
    }
    origins = stack.get("page_origins")  # there once the bucket lets them in
    return given if not isinstance(origins, Sequence) else given | {"SAFEREEL_PAGE_ORIGINS": ",".join(origins)}


def unlimited() -> Mapping[str, str]:
    """On one's own machine, everything is one owner's: no rate limit, unless one is asked for."""
    return {} if "SAFEREEL_RATE_LIMIT" in os.environ else {"SAFEREEL_RATE_LIMIT": "0"}


def settings_of_stack_or_environment(data_dir: Path | None) -> Settings:
    """Those of the stack that was named, else of the environment, else of the stack that runs here."""
    if data_dir is None and "DATABASE_URL" in os.environ:
        return settings_from_environment()
    try:
        given = environment_of(read_running_stack(data_dir or DATA_DIR))
    except EmbeddedError as exc:
        if data_dir is not None:
            raise
        raise EmbeddedError(
            f"{exc} For parts of your own, set DATABASE_URL and the other variables of docs/settings.md."
        ) from exc
    return settings_of({**given, **_with_own_pages(given)})


def _with_own_pages(stack: Mapping[str, str]) -> Mapping[str, str]:
    """Pages that the environment names may record on a stack as well, as when `up` was started with them."""
    named = [variables.get("SAFEREEL_PAGE_ORIGINS", "") for variables in (stack, os.environ)]
    pages = dict.fromkeys(page for origins in named for page in origins.split(",") if page)
    return {"SAFEREEL_PAGE_ORIGINS": ",".join(pages)} if pages else {}


def settings_from_environment() -> Settings:
    """Those of the environment. Raises `UsageError` that names each variable."""
    return settings_of({})


def settings_of(given: Mapping[str, str]) -> Settings:
    """Settings from the environment, `given` first. Raises `UsageError` that names each variable."""
    try:
        return Settings(**{name.lower(): value for name, value in given.items()})  # type: ignore[arg-type]  # validated there
    except ValidationError as exc:
        named = "; ".join(f"{str(error['loc'][0]).upper()}: {_worded(error)}" for error in exc.errors())
        raise UsageError(f"set these environment variables. {named}") from exc


def _worded(error: ErrorDetails) -> str:
    """What is wrong with a setting, as the rest of a sentence that begins with its name."""
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "value_error":  # a validator of ours, in words of its own
        return str(error["ctx"]["error"])
    return wrong_value(error["type"], error.get("ctx", {})) or "cannot be taken: docs/settings.md says what can"
