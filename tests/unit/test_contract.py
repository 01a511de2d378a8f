"""The contract: each call declared in full, and the OpenAPI document whole by its own standard."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta
from pydantic_core import from_json, to_json
from starlette.routing import Route

from control_plane.api.calls import CALLS
from control_plane.api.contract import Answer
from control_plane.api.openapi import document
from control_plane.app import api_routes

DOCUMENT = document(CALLS)
OPERATIONS = [
    (method, path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
# They tell of the API or of the whole system, in forms of their own.
UNDECLARED = {"/openapi.json", "/docs", "/metrics"}


def resolved(schema: Any) -> Any:
    """The schema with the components that it refers to beside it."""
    return {**schema, "components": DOCUMENT["components"]}


def media(of: str) -> Iterator[tuple[str, Any]]:
    for _, _, operation in OPERATIONS:
        parts = {f"{operation['operationId']} {status}": told for status, told in operation["responses"].items()}
        if of == "requests":
            parts = {operation["operationId"]: operation.get("requestBody", {})}
        for name, part in parts.items():
            for content in part.get("content", {}).values():
                yield name, content


def test_a_recorders_calls_are_told_in_the_order_it_makes_them() -> None:
    told = [operation["operationId"] for _, _, operation in OPERATIONS if operation["tags"] == ["Recorders"]]
    assert told == ["startRecording", "grantChunks", "ackChunks", "sendHeartbeat", "completeRecording"]


def test_every_member_of_a_request_is_explained() -> None:
    """Without words of ours the page says of a number only that it is one."""
    for body in {call.body for call in CALLS if call.body}:
        schema = body.model_json_schema()
        for part in (schema, *schema.get("$defs", {}).values()):
            bare = [name for name, member in part["properties"].items() if not member.get("description")]
            assert bare == [], part["title"]


def test_every_route_was_declared() -> None:
    declared = {(call.method, call.path) for call in CALLS}
    for route in api_routes():
        assert isinstance(route, Route)
        if route.path in UNDECLARED:
            continue
        methods = (route.methods or set()) - {"HEAD"}
        assert {(method, route.path) for method in methods} <= declared


@pytest.mark.parametrize(
    "changed",
    [
        {"answers": []},
        {"answers": [Answer(dict, None)]},
        {"example": None},
        {"path_parameters": []},
        {"path": "/v1/recordings/{id}"},
        {"handler": lambda request: request},
    ],
)
def test_a_call_declared_in_part_is_refused(changed: dict[str, Any]) -> None:
    whole = next(call for call in CALLS if call.id == "grantChunks")
    with pytest.raises(ValueError, match="POST /v1/recordings"):
        replace(whole, **changed)


def test_operations_have_names_of_their_own() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids) == len(CALLS)
    assert all(name.isidentifier() and name[0].islower() for name in ids)


def test_every_reference_is_there() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    components = {f"#/components/{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named}
    assert set(references(DOCUMENT)) <= components


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        meta.validate(schema)
    for _, content in [*media("requests"), *media("responses")]:
        meta.validate(content["schema"])


def test_every_example_fits_its_schema() -> None:
    count = 0
    for name, content in [*media("requests"), *media("responses")]:
        examples = content.get("examples", {"": {"value": content.get("example")}})
        assert examples, name
        for example in examples.values():
            found = list(
                Draft202012Validator(resolved(content["schema"])).iter_errors(from_json(to_json(example["value"])))
            )
            assert not found, f"{name}: {found[0]}"
            count += 1
    assert count > len(CALLS)


def test_every_example_of_a_body_is_taken() -> None:
    for call in CALLS:
        if call.body:
            call.body.model_validate_json(to_json(call.example))


def test_a_call_with_a_token_says_so() -> None:
    for call in CALLS:
        operation = DOCUMENT["paths"][call.template()][call.method.lower()]
        assert bool(operation["security"]) == bool(call.scope) == ("401" in operation["responses"])


def test_every_answer_names_its_request_and_limits_tell_when_to_come_again() -> None:
    for _, _, operation in OPERATIONS:
        limited = bool(operation["security"]) or "Sharing" in operation["tags"]
        for status, told in operation["responses"].items():
            assert "X-Request-ID" in told["headers"], operation["operationId"]
            assert ("RateLimit" in told["headers"]) == limited
            assert status != "429" or "Retry-After" in told["headers"]
        assert ("429" in operation["responses"]) == limited


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert DOCUMENT["info"]["version"] == project["version"]
