"""Observations: what a probe saw, before anybody judges it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Trouble(StrEnum):
    """Why a call got no answer."""

    ADDRESS = "this is not an address"
    DNS = "the name is unknown"
    REFUSED = "the connection was refused"
    TLS = "the TLS handshake failed"
    TIMEOUT = "no answer in time"
    CUT = "the connection was cut"
    NOT_HTTP = "the answer was not HTTP"
    OTHER = "the call failed"


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer came."""

    trouble: Trouble
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.trouble.value} ({self.detail})" if self.detail else self.trouble.value


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: names of headers in lower case, the first part of the body, and S3's error code if it has one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    code: str = ""

    def __str__(self) -> str:
        return f"{self.status} {self.code}".rstrip()

    @property
    def done(self) -> bool:
        """Whether the store did what it was asked to."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the store said no to this request: an error of its own (5xx) is not that."""
        return 400 <= self.status < 500

    @property
    def etag(self) -> str:
        return self.headers.get("etag", "").strip('"')


Outcome = Answer | Silence


def done(outcome: Outcome) -> bool:
    """Whether an answer came, and the store did what it was asked to."""
    return isinstance(outcome, Answer) and outcome.done


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bucket is, by the settings; what advice speaks of."""

    endpoint: str
    public_endpoint: str
    bucket: str
    region: str
    addressing: str
    origins: tuple[str, ...]
