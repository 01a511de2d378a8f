"""Query parameters: bounded numbers, and a stable code where one is not."""

from starlette.requests import Request

from control_plane.api.state import State
from control_plane.domain.errors import BodyInvalid


def number(request: Request[State], name: str, *, default: int, low: int, high: int) -> int:
    """The whole number of parameter `name`, `default` if absent. Raises `BodyInvalid` unless within `low … high`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 10 or not low <= int(text) <= high:
        raise query_error(name, f"{name}_out_of_range", f"must be a whole number from {low} to {high}")
    return int(text)


def query_error(name: str, code: str, detail: str) -> BodyInvalid:
    """The refusal for one parameter."""
    return BodyInvalid(
        code, f"Query parameter “{name}” {detail}.", [{"parameter": name, "code": code, "detail": detail}]
    )
