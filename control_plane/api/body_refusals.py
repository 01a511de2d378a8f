"""Which code and which words a wrong body is refused with, and where in it the fault is."""

import re
from collections.abc import Mapping, Sequence
from typing import LiteralString

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from control_plane.domain.errors import BodyInvalid, JsonMalformed
from control_plane.domain.wrong_values import wrong_value

# Errors named in one answer: enough to mend a client, not enough to be used as an amplifier.
MAX_ERRORS = 20
# Of a pointer, in a sentence: deeper and longer than any of ours. A body of one endless name is not repeated thrice.
MAX_NAMED = 100

_RANGE_CODES = {
    "seq": "seq_out_of_range",
    "segment": "segment_out_of_range",
    "size": "size_out_of_range",
    "sha256": "digest_malformed",
    "etag": "etag_malformed",
    "mime_type": "mime_type_not_allowed",
    "title": "title_malformed",
    "chunks": "batch_size_out_of_range",
    "acks": "batch_size_out_of_range",
    "holding": "batch_size_out_of_range",
    "gone": "batch_size_out_of_range",
    "ranges": "range_malformed",
    "webhook_url": "webhook_url_malformed",
    "expires_at": "time_malformed",
}
_WRONG_TYPE = ("_type", "_parsing")
_OWN_CODES = frozenset(
    {
        "mime_type_not_allowed",
        "duplicate_seq",
        "duplicate_recording",
        "range_malformed",
        "batch_size_out_of_range",
        "time_malformed",
    }
)

CODES = frozenset(
    {
        *_RANGE_CODES.values(),
        *_OWN_CODES,
        "unknown_member",
        "member_missing",
        "wrong_type",
        "id_malformed",
        "owner_malformed",
        "value_out_of_range",
    }
)
"""Every code with which a body can be refused."""

TIME_WORDS: LiteralString = "must be a time as RFC 3339 writes it, with its zone, such as 2026-11-30T18:00:00Z"
_FORMS: Mapping[str, str] = {
    "sha256": "must be a SHA-256 as 64 lower-case hex digits",
    "etag": "must be the ETag as the bucket answered it, or be left out",
    "mime_type": "must be a type such as video/webm, with codecs as in video/webm;codecs=vp8,opus, and nothing else",
    "title": "must be without control characters, such as line breaks",
    "expires_at": TIME_WORDS,
    "sdk": "must be without control characters, such as line breaks",
}
"""What the text of a member must look like, where that is a pattern."""

_POSITION = re.compile(r" at line (\d+) column (\d+)$")


def own_fault(code: LiteralString, words: LiteralString, *at: int | str) -> ValidationError:
    """What a validator of ours raises. `code` is one of `CODES`, `words` the rest of a sentence that begins with the name of
    the member at the place `at`, as seen from the value that is validated.
    """
    return ValidationError.from_exception_data(
        "body", [{"type": PydanticCustomError(code, words), "loc": at, "input": None}]
    )


def range_code(member: str) -> str:
    """The code of a value that is of the right type, and not one that this member may have."""
    return _RANGE_CODES.get(member, "value_out_of_range")


def refusal_of(errors: Sequence[ErrorDetails]) -> BodyInvalid | JsonMalformed:
    """The refusal for what pydantic found wrong with a body."""
    if errors[0]["type"] == "json_invalid":
        return JsonMalformed(_unreadable(errors[0]["ctx"]["error"]))
    named = [
        {"pointer": _pointer(error["loc"]), "code": _code(error), "detail": _sentence(error)}
        for error in errors[:MAX_ERRORS]
    ]
    return BodyInvalid(named[0]["code"], named[0]["detail"], named)


def _unreadable(parser: str) -> str:
    """From what the parser said, which counts lines and columns from 1."""
    found = _POSITION.search(parser)
    line, column = found.groups() if found else ("1", "1")
    if parser.startswith("EOF"):
        return "The body ends before its JSON does: send one JSON object, whole."
    if parser.startswith("recursion"):
        return "The body is nested too deeply: no call takes more than a few levels."
    return f"The body is not JSON at line {line}, column {column}: send one JSON object in UTF-8."


def _code(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in _OWN_CODES:
        return kind
    if kind == "extra_forbidden":
        return "unknown_member"
    if kind == "missing":
        return "member_missing"
    if kind.endswith(_WRONG_TYPE) and kind != "uuid_parsing":
        return "wrong_type"
    if kind == "uuid_parsing":
        return "id_malformed"
    return range_code(_member(error))


def _sentence(error: ErrorDetails) -> str:
    pointer = _pointer(error["loc"])
    if len(pointer) > MAX_NAMED:
        pointer = pointer[:MAX_NAMED] + "…"
    return f"{f'“{pointer}”' if pointer else 'The body'} {_words(error)}."


def _words(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in _OWN_CODES:
        return error["msg"]
    if kind == "extra_forbidden":
        return "is no member that this call knows: leave it out"
    if kind == "missing":
        return "is missing: send it"
    form = _FORMS.get(_member(error)) if kind == "string_pattern_mismatch" else None
    return form or wrong_value(kind, error.get("ctx", {})) or "cannot be taken: /openapi.json tells what can"


def _member(error: ErrorDetails) -> str:
    return next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")


def _pointer(loc: Sequence[int | str]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)
