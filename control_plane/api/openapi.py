"""The OpenAPI 3.1 document, made from the declared calls and the models that validate; `/openapi.json` serves it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane import __version__
from control_plane.api.answers import Problem
from control_plane.api.contract import Answer, Call
from control_plane.api.problems import problem_body
from control_plane.api.state import State
from control_plane.domain import errors
from control_plane.domain.errors import Refusal

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"

DESCRIPTION = """\
Recordings made in a browser that cannot get lost. A recorder asks for a *grant*, PUTs the chunk straight to the bucket,
and claims it with an *ack*, which is believed only after a HEAD of the object. Sweeps keep comparing bucket and ledger; the
*heartbeat* tells a recorder what to send again and what it may delete.

Times are RFC 3339 in UTC, durations milliseconds with the suffix `_ms`, ranges inclusive pairs, digests lower-case hex.
Repeating any call changes nothing more than the first one did. Answers may get further members: ignore what you do not
know. Errors are problem documents (RFC 9457) with a stable `code`.

**The PUT to the bucket** is no call of this API. Send it to `put.url` of a grant, with exactly the headers of
`put.headers` and a body of exactly the granted size. 200: keep the `ETag` for the ack. 412: the key is taken, go on to the ack
without an ETag. 403: the grant has ended or does not fit, ask for another. 409: two writers raced, try again.
"""

TAGS = (
    ("Recorders", "What a recorder calls, in this order: start, grants (then the PUTs), acks, heartbeat, complete."),
    ("Recordings", "What was recorded."),
    ("Sharing", "Links, with which anybody sees a recording: owners decide on them, viewers need no token."),
    ("Identity", "Whom a token speaks for."),
    ("Administration", "With the scope `admin`; for people and tools, never needed by a recorder."),
    ("Health", "For load balancers and whoever looks after the system; without a token."),
)

_HEADERS: Mapping[str, Json] = {
    "X-Request-ID": {
        "description": "Names this request in the log: the one that the request brought, if well-formed, or a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "RateLimit-Policy": {
        "description": "Calls (`q`) that an owner, or a viewer's address, may make in `w` seconds; absent without a limit.",
        "schema": {"type": "string"},
        "example": '"owner";q=3000;w=10',
    },
    "RateLimit": {
        "description": "How many of them are left (`r`), and in how many seconds there are more (`t`).",
        "schema": {"type": "string"},
        "example": '"owner";r=2999;t=7',
    },
    "Retry-After": {
        "description": "Seconds after which the call may be repeated.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "`Bearer` (RFC 9110).", "required": True, "schema": {"type": "string"}},
}
_OF_EVERY_ANSWER = ("X-Request-ID",)
_OF_LIMITED_CALLS = ("RateLimit-Policy", "RateLimit")
_OF_PROBLEMS: Mapping[int, Sequence[str]] = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}

# Examples of problems name some request, as every problem does.
_REQUEST_ID = "5f1d0c3b9a7e4426-0000002a"

_REFUSED: Sequence[Refusal] = (
    errors.TokenMissing("Send “Authorization: Bearer …”."),
    errors.NotFound("See docs/protocol.md for the calls there are."),
    errors.RecordingUnknown("There is no such recording among yours."),
    errors.RecordingConflict("Choose another recording id: this one is taken."),
    errors.RecordingDeleted("Its owner deleted it. Drop what is held of it."),
    errors.ChunksMissing("Send the missing chunks, then complete again.", missing=[(2, 3)]),
    errors.ContentTypeUnsupported("Send the body as “Content-Type: application/json”."),
    errors.ContentEncodingUnsupported("Send the body as it is: nothing is unpacked here."),
    errors.RateLimited(
        "This owner may make 3000 calls in 10 s. Repeat the call after the time named: chunks on the device are kept.",
        retry_after_ms=4000,
    ),
    errors.RequestTimeout("The body did not arrive. Repeat the call: nothing is done twice."),
    errors.AnswerTimeout("Repeat the call: nothing is done twice. Chunks on the device are kept."),
    errors.ShuttingDown("Repeat the call: nothing is done twice. Chunks on the device are kept."),
    errors.StorageUnavailable("Repeat the call: nothing is done twice. Chunks on the device are kept."),
    errors.IdentityUnavailable("Repeat the call: nothing is done twice. Chunks on the device are kept."),
    errors.DatabaseUnavailable("Repeat the call: nothing is done twice. Chunks on the device are kept."),
    errors.Internal("Repeat the call: nothing is done twice. Chunks on the device are kept."),
)
_EXAMPLES = {refusal.code: refusal for refusal in _REFUSED}
"""Refusals whose detail says more than the title, or that have further members."""


class _Schema(GenerateJsonSchema):
    """Members are not given titles: those would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # the name is pydantic's
        return False


def document(calls: Sequence[Call]) -> Json:
    """The document that describes these calls."""
    schemas, names = _schemas(calls)
    paths: Json = {}
    for call in calls:
        paths.setdefault(call.template(), {})[call.method.lower()] = _operation(call, names)
    used = {call.tag for call in calls}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Safereel",
            "version": __version__,
            "summary": "The control plane of recordings that cannot get lost.",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This control plane."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS if name in used],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": dict(_HEADERS),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token whose `sub` is the owner and whose `scope` names what it may do.",
                }
            },
        },
    }


def openapi_route(calls: Sequence[Call]) -> Route:
    """`/openapi.json`; the document is made when it is first asked for."""

    @cache
    def body() -> bytes:
        return to_json(document(calls))

    async def openapi(_: Request[State]) -> Response:
        return Response(body(), headers={"cache-control": "no-cache"}, media_type="application/json")

    return Route("/openapi.json", openapi, methods=["GET"])


def _schemas(calls: Sequence[Call]) -> tuple[Json, Mapping[type, str]]:
    """The components' schemas, and the component of each declared type: its title, which is its class's name where it has
    no other.
    """
    bodies = {call.body for call in calls if call.body}
    shapes = {answer.shape for call in calls for answer in call.answers if answer.shape} | {Problem}
    declared = sorted(bodies | shapes, key=lambda kind: kind.__name__)
    found, definitions = TypeAdapter.json_schemas(
        [(kind, "validation" if kind in bodies else "serialization", TypeAdapter(kind)) for kind in declared],
        ref_template=_REFERENCE + "{model}",
        schema_generator=_Schema,
    )
    generated: Json = definitions["$defs"]
    titles = {name: schema.get("title", name) for name, schema in generated.items()}
    if len(set(titles.values())) < len(titles):
        raise ValueError(f"two models have the same name in the document: {sorted(titles.values())}")
    schemas = {titles[name]: _renamed(schema, titles) for name, schema in sorted(generated.items())}
    for schema in schemas.values():
        schema.pop("title", None)
        if "description" in schema:
            schema["description"] = " ".join(schema["description"].split())
    names = {kind: titles[schema["$ref"].removeprefix(_REFERENCE)] for (kind, _), schema in found.items()}
    return schemas, names


def _renamed(schema: Any, titles: Mapping[str, str]) -> Any:
    """The schema with each reference to a component pointing at its title."""
    if isinstance(schema, dict):
        return {
            name: _REFERENCE + titles[value.removeprefix(_REFERENCE)] if name == "$ref" else _renamed(value, titles)
            for name, value in schema.items()
        }
    if isinstance(schema, list):
        return [_renamed(item, titles) for item in schema]
    return schema


def _operation(call: Call, names: Mapping[type, str]) -> Json:
    operation: Json = {
        "operationId": call.id,
        "tags": [call.tag],
        "summary": call.summary,
        "description": call.description,
        "security": [{"bearer": [call.scope]}] if call.scope else [],
    }
    parameters = [
        *({"in": "path", "required": True, **_parameter(given)} for given in call.path_parameters),
        *({"in": "query", "required": False, **_parameter(given)} for given in call.query),
        *({"in": "header", "required": False, **_parameter(given)} for given in call.headers),
    ]
    if parameters:
        operation["parameters"] = parameters
    if call.body:
        content = {"schema": {"$ref": _REFERENCE + names[call.body]}, "example": call.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    operation["responses"] = _responses(call, names)
    return operation


def _parameter(given: Any) -> Json:
    return {
        "name": given.name,
        "description": given.description,
        "schema": given.schema(),
        "example": given.example,
    }


def _responses(call: Call, names: Mapping[type, str]) -> Json:
    responses: dict[int, Json] = {given.status: _answered(given, names) for given in call.answers}
    for status, refusals in call.refusals().items():
        told = _refused(status, refusals, names)
        if status in responses:  # a status may be both: 503 of /health
            responses[status]["content"] |= told["content"]
        else:
            responses[status] = told | {"headers": _headers(*_OF_PROBLEMS.get(status, ()))}
    limited = errors.RateLimited.code in call.refusals().get(errors.RateLimited.status, {})
    always = _headers(*_OF_EVERY_ANSWER, *(_OF_LIMITED_CALLS if limited else ()))
    for told in responses.values():
        told["headers"] = {**always, **told.get("headers", {})}
    return {str(status): responses[status] for status in sorted(responses)}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _answered(given: Answer, names: Mapping[type, str]) -> Json:
    if given.shape is None:
        return {"description": given.description}
    content = {"schema": {"$ref": _REFERENCE + names[given.shape]}, "example": given.example}
    return {"description": given.description, "content": {given.media_type: content}}


def _refused(status: int, refusals: Mapping[str, type[Refusal]], names: Mapping[type, str]) -> Json:
    """The problems of one status: which codes it has, and a document for each."""
    codes = sorted(refusals)
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes}}, "required": ["status", "code"]}
    content = {
        "schema": {"allOf": [{"$ref": _REFERENCE + names[Problem]}, narrowed]},
        "examples": {code: {"value": _example(code, refusals[code])} for code in codes},
    }
    return {
        "description": " ".join(f"`{code}`: {refusals[code].title}." for code in codes),
        "content": {"application/problem+json": content},
    }


def _example(code: str, kind: type[Refusal]) -> Json:
    if issubclass(kind, errors.BodyInvalid):
        # Of a code that is about one member; which one, and in which words, differs.
        detail = f"{code.replace('_', ' ').capitalize()}."
        refusal: Refusal = errors.BodyInvalid(code, detail, [{"code": code, "detail": detail}])
    else:
        refusal = _EXAMPLES.get(code) or kind(f"{kind.title}.")
    return problem_body(refusal) | {"request_id": _REQUEST_ID}
