"""What is wrong with a value that was given from outside, in words for whoever gave it."""

from collections.abc import Mapping

_WORDS = {
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number, and a finite one",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "uuid_type": "must be a UUID, written as text with its hyphens",
    "uuid_parsing": "must be a UUID, written as text with its hyphens",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "too_short": "must have {min_length} or more items",
    "too_long": "must have {max_length} or fewer items",
}


def wrong_value(kind: str, context: Mapping[str, object]) -> str | None:
    """The rest of a sentence that begins with the value's name: what the value must be. None where `kind` is not known.

    `kind` and `context` are those of a pydantic error. Its own message speaks to whoever wrote the model ("Input should be a
    valid integer"), not to whoever sent the value.
    """
    words = _WORDS.get(kind)
    return None if words is None else words.format_map(context)
