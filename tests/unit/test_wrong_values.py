"""Whoever sends or sets something wrong is told in our words what is wrong and where, never in those of the validator."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import to_json

from control_plane.api.body_refusals import refusal_of
from control_plane.api.calls import CALLS
from control_plane.cli import main
from control_plane.config import Settings
from control_plane.domain.wrong_values import wrong_value

PYDANTIC = re.compile(
    r"should|Value error|Field required|Extra inputs|Unable to|validation|a valid|regex|pattern|Invalid JSON|EOF|expected|"
    r"multiple of$|less than|greater than|[{}^]",
    re.IGNORECASE,
)
"""What its messages consist of."""
UNWORDED = "cannot be taken"
BAD: tuple[Any, ...] = (
    None, True, "", "x", "a\nb", "x" * 300, -1, 1.5, 10**30, [], [[]], ["x", "x"], list(range(1_001)), {}, {"x": 1},
)  # fmt: skip
BODIES = [(call.body, call.example) for call in CALLS if call.body]


def places(node: Any, *at: int | str) -> Iterator[tuple[int | str, ...]]:
    """Every place in a JSON value, itself first."""
    yield at
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inside:
        yield from places(value, *at, name)


def changed(whole: Any, at: tuple[int | str, ...], value: Any) -> Any:
    """The JSON value, with another one in that place."""
    if not at:
        return value
    copy = deepcopy(whole)
    node = copy
    for name in at[:-1]:
        node = node[name]
    node[at[-1]] = value
    return copy


def refused(model: Any, body: Any) -> dict[str, Any] | None:
    try:
        model.model_validate_json(to_json(body))
    except ValidationError as exc:
        refusal = refusal_of(exc.errors(include_url=False, include_input=False))
        return {"detail": refusal.detail, **refusal.extra}
    return None


@pytest.mark.parametrize(("model", "example"), BODIES, ids=[model.__name__ for model, _ in BODIES if model])
def test_a_wrong_body_is_refused_in_our_words_and_at_its_place(model: Any, example: Any) -> None:
    """The example of every call, each of its values replaced by everything that might be sent instead."""
    whole = deepcopy(dict(example))
    refusals = 0
    for at in places(whole):
        pointer = "".join(f"/{part}" for part in at)
        for value in BAD:
            told = refused(model, changed(whole, at, value))
            if told is None:
                continue
            refusals += 1
            assert told["detail"] == told["errors"][0]["detail"]
            for error in told["errors"]:
                assert error["pointer"].startswith(pointer), error
                assert error["detail"].startswith((f"“{error['pointer']}” ", "The body ")), error
                assert error["detail"].endswith("."), error
                assert not PYDANTIC.search(error["detail"].removeprefix(f"“{error['pointer']}”")), error
                assert UNWORDED not in error["detail"], error
    assert refusals > len(BAD)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "The body ends before its JSON does: send one JSON object, whole."),
        (b'{"chunk_count": 1,', "The body ends before its JSON does: send one JSON object, whole."),
        (b'{"chunk_count": 1}}', "The body is not JSON at line 1, column 19: send one JSON object in UTF-8."),
        (b"\xff", "The body is not JSON at line 1, column 1: send one JSON object in UTF-8."),
        (b"[" * 500, "The body is nested too deeply: no call takes more than a few levels."),
    ],
)
def test_what_is_no_json_is_told_where_it_stops_being_it(raw: bytes, told: str) -> None:
    model: Any = BODIES[0][0]
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(raw)
    assert refusal_of(caught.value.errors(include_url=False, include_input=False)).detail == told


def test_a_fault_without_words_of_its_own_still_makes_a_sentence() -> None:
    assert wrong_value("a_kind_of_next_year", {}) is None
    refusal = refusal_of(
        [{"type": "a_kind_of_next_year", "loc": ("seq",), "msg": "Input should be odd", "input": None}]
    )
    assert refusal.detail == "“/seq” cannot be taken: /openapi.json tells what can."


def test_a_name_without_end_is_not_repeated_in_the_sentence() -> None:
    told = refused(BODIES[0][0], {"x" * 100_000: 1})
    assert told is not None
    assert all(len(error["detail"]) < 200 for error in told["errors"])


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "1" * 30, "1" * 5_000, "yes, please"])
def test_a_wrong_setting_is_told_in_our_words(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), value)
    assert main(["serve"]) == 2
    told = capsys.readouterr().err
    assert told.count("SAFEREEL_PORT: must be") == 1
    assert not PYDANTIC.search(told)
    assert UNWORDED not in told


def test_a_missing_setting_is_told_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert main(["serve"]) == 2
    told = capsys.readouterr().err
    assert "DATABASE_URL: is missing; " in told
    assert not PYDANTIC.search(told)
