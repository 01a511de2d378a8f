"""Parameters of addresses: each is declared once, read by its handler and described in the OpenAPI document."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from starlette.requests import Request

from control_plane.api.state import State
from control_plane.domain.errors import BodyInvalid
from control_plane.domain.events import EventPlace
from control_plane.domain.identity import MAX_OWNER_LENGTH, is_owner

# A UUID has 36; what other services take.
MAX_KEY_LENGTH = 255
_VISIBLE = re.compile(r"^[\x21-\x7e]+$")

Word = TypeVar("Word", bound=StrEnum)


class Parameter(Protocol):
    """What the OpenAPI document tells of a parameter."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def example(self) -> object: ...

    @property
    def code(self) -> str | None:
        """With what a wrong value is refused; None where an address with a wrong value is none."""

    def schema(self) -> Mapping[str, object]:
        """Its JSON Schema."""


class PathParameter(Parameter, Protocol):
    """A part of the path."""

    @property
    def convertor(self) -> str:
        """Starlette's name for what reads it."""


class QueryParameter(Parameter, Protocol):
    """One `name=value` behind the question mark, which may be left out."""


class HeaderParameter(Parameter, Protocol):
    """A header of the request, which may be left out."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What the caller names a request, so that sending it again begins nothing anew (the Idempotency-Key HTTP header field of the
    IETF's draft, whose value here may have its quotes or not).
    """

    name: str = "Idempotency-Key"
    description: str = "A name for this request, new for each: the same again is answered with the same download."
    example: str = "8e03978e-40d5-43e8-bc93-6894a57f9324"
    code: str = "idempotency_key_malformed"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": _VISIBLE.pattern}

    def read(self, request: Request[State]) -> str | None:
        """Its value without quotes, None where it is left out. Raises `BodyInvalid` with `code`."""
        text = request.headers.get(self.name)
        if text is None:
            return None
        key = text[1:-1] if len(text) > 2 and text[0] == text[-1] == '"' else text
        if not _VISIBLE.fullmatch(key) or len(key) > MAX_KEY_LENGTH:
            raise _refusal(self, f"must be 1 to {MAX_KEY_LENGTH} visible ASCII characters")
        return key


@dataclass(frozen=True, slots=True)
class EntityTag:
    """The version that the caller has (RFC 9110, 13.1.2)."""

    name: str = "If-None-Match"
    description: str = "The `ETag` of the answer before: 304 where nothing has changed since."
    example: str = '"4711"'
    code: None = None

    def schema(self) -> Mapping[str, object]:
        return {"type": "string"}

    def matches(self, request: Request[State], tag: str) -> bool:
        """Whether the caller has that version."""
        given = ",".join(request.headers.getlist(self.name))
        return given.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in given.split(",")}


@dataclass(frozen=True, slots=True)
class LastEventId:
    """The last event that a watcher had before its line broke (HTML standard, 9.2.4)."""

    name: str = "Last-Event-ID"
    description: str = "The `id` of the last event that came; browsers send it when they come again."
    example: str = "4711"
    code: None = None

    def schema(self) -> Mapping[str, object]:
        return {"type": "string"}

    def read(self, request: Request[State]) -> int | None:
        """Its number; None where it is left out, or is none of ours: then everything is told."""
        text = request.headers.get(self.name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None  # a bigint


@dataclass(frozen=True, slots=True, kw_only=True)
class PathId:
    """A UUID in the path. Starlette's `{name:uuid}` reads it; an address with anything else in its place is none."""

    name: str
    description: str
    example: str
    code: None = None
    convertor: str = "uuid"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string", "format": "uuid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathText:
    """Text in the path, without a slash."""

    name: str
    description: str
    example: str
    code: None = None
    convertor: str = "str"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerName:
    """The name of an owner: in the path, where it may hold slashes as providers' subjects do, or behind the question mark."""

    name: str
    description: str
    example: str
    code: str = "owner_malformed"
    convertor: str = "path"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string", "minLength": 1, "maxLength": MAX_OWNER_LENGTH}

    def in_path(self, request: Request[State]) -> str:
        """Its value in the path. Raises `BodyInvalid` with `code`."""
        return self._checked(request.path_params[self.name])

    def in_query(self, request: Request[State]) -> str | None:
        """Its value behind the question mark, None where it is left out. Raises `BodyInvalid` with `code`."""
        text = request.query_params.get(self.name)
        return None if text is None else self._checked(text)

    def _checked(self, text: str) -> str:
        if not is_owner(text):
            raise _refusal(self, f"must be 1 to {MAX_OWNER_LENGTH} characters without control characters")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeNumber:
    """A whole number from `low` to `high`, or `default` where it is left out."""

    name: str
    description: str
    default: int
    low: int
    high: int

    @property
    def example(self) -> object:
        return self.default

    @property
    def code(self) -> str:
        return f"{self.name}_out_of_range"

    def schema(self) -> Mapping[str, object]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "default": self.default}

    def read(self, request: Request[State]) -> int:
        """Its value. Raises `BodyInvalid` with `code`."""
        text = request.query_params.get(self.name)
        if text is None:
            return self.default
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdecimal() or len(text) > 10 or not self.low <= int(text) <= self.high:
            raise _refusal(self, f"must be a whole number from {self.low} to {self.high}")
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a page of a list begins: after the row with this time and id. Opaque to callers."""

    name: str
    description: str
    example: str
    code: str = "cursor_malformed"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string"}

    def read(self, request: Request[State]) -> tuple[datetime, UUID] | None:
        """Its value; None is the first page. Raises `BodyInvalid` with `code`."""
        text = request.query_params.get(self.name)
        if text is None:
            return None
        try:
            at, _, found = base64.urlsafe_b64decode(text).decode().partition(" ")
            before = datetime.fromisoformat(at)
            if before.tzinfo is None:
                raise ValueError("a cursor's time has a zone")
            return before, UUID(found)
        except (ValueError, binascii.Error) as exc:
            raise _refusal(self, "must be the next_cursor of the page before, or be left out") from exc

    @staticmethod
    def after(at: datetime, row: UUID) -> str:
        """The cursor of the page that follows this row."""
        return base64.urlsafe_b64encode(f"{at.isoformat()} {row}".encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCursor:
    """Where a page of events begins or goes on. Opaque to callers, but for `0-0`, which is before the first event."""

    name: str
    description: str
    example: str
    code: str = "cursor_malformed"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string"}

    def read(self, request: Request[State]) -> EventPlace | None:
        """Its value, None where it is left out. Raises `BodyInvalid` with `code`."""
        text = request.query_params.get(self.name)
        if text is None:
            return None
        try:
            return EventPlace.parse(text)
        except ValueError as exc:
            raise _refusal(self, "must be a cursor that an answer gave, or be left out") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class OneId:
    """A UUID behind the question mark: only what is about it is told."""

    name: str
    description: str
    example: str
    code: str = "id_malformed"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string", "format": "uuid"}

    def read(self, request: Request[State]) -> UUID | None:
        """Its value, None where it is left out. Raises `BodyInvalid` with `code`."""
        text = request.query_params.get(self.name)
        try:
            return None if text is None else UUID(text)
        except ValueError as exc:
            raise _refusal(self, "must be a UUID, or be left out") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(Generic[Word]):
    """One of a few words behind the question mark: only what is of it is told."""

    name: str
    description: str
    words: type[Word]
    example: str

    @property
    def code(self) -> str:
        return f"{self.name}_unknown"

    def schema(self) -> Mapping[str, object]:
        return {"type": "string", "enum": [word.value for word in self.words]}

    def read(self, request: Request[State]) -> Word | None:
        """Its value, None where it is left out. Raises `BodyInvalid` with `code`."""
        text = request.query_params.get(self.name)
        try:
            return None if text is None else self.words(text)
        except ValueError as exc:
            raise _refusal(self, f"must be one of {', '.join(self.words)}, or be left out") from exc


def _refusal(parameter: Parameter, detail: str) -> BodyInvalid:
    sentence = f"The parameter “{parameter.name}” {detail}."
    code = parameter.code or ""
    return BodyInvalid(code, sentence, [{"parameter": parameter.name, "code": code, "detail": sentence}])
