"""Every call of the API is declared once: here is what a declaration says. Its route and its part of the OpenAPI document
are both made from it, so that no call exists undescribed.

To add a call, write the handler with a docstring (it becomes the description), a `TypedDict` for each answer, a strict
`Body` for the request, and a `Call` in the module's `calls`; `api/calls.py` puts them in order. An answer is still built as
a plain dict, but mypy holds it against its `TypedDict`, from which the document is generated. Parameters come from
`api/parameters.py`. What every call may answer is added here and not repeated: problems of heads, limits, tokens, bodies,
parameters, the database, the end of the process, and faults.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.bodies import Body, codes_of
from control_plane.api.parameters import HeaderParameter, PathParameter, QueryParameter
from control_plane.api.state import State
from control_plane.domain import errors
from control_plane.domain.errors import Refusal

Handler = Callable[[Request[State]], Awaitable[Response]]

_PLACEHOLDER = re.compile(r"\{(\w+):(uuid|path|str)\}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a call succeeds: the `TypedDict` of its body (None: no body), and an example of it."""

    shape: type | None
    example: Mapping[str, object] | None
    status: int = 200
    description: str = "Done."
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method of one path. Raises `ValueError` where a declaration is incomplete, so such a program does not start.

    `scope` is what the token must have, None a call without a token; `problems` are refusals of this call's own,
    `item_problems` those of one item of its batch, inside an answer that succeeds.
    """

    id: str
    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    scope: str | None
    answers: Sequence[Answer]
    body: type[Body] | None = None
    example: Mapping[str, object] | None = None
    path_parameters: Sequence[PathParameter] = ()
    query: Sequence[QueryParameter] = ()
    headers: Sequence[HeaderParameter] = ()
    problems: Sequence[type[Refusal]] = ()
    item_problems: Sequence[type[Refusal]] = ()

    def __post_init__(self) -> None:
        wrong = next(self._faults(), None)
        if wrong:
            raise ValueError(f"{self.method} {self.path}: {wrong}")

    def _faults(self) -> Iterator[str]:
        if not inspect.getdoc(self.handler):
            yield "the handler has no docstring"
        if not self.answers:
            yield "no answer is declared"
        if any((answer.shape is None) != (answer.example is None) for answer in self.answers):
            yield "an answer has no example"
        if (self.body is None) != (self.example is None):
            yield "a body and its example go together"
        declared = [(given.name, given.convertor) for given in self.path_parameters]
        if declared != _PLACEHOLDER.findall(self.path) or "{" in self.template(""):
            yield "each part of the path in braces has its parameter"

    @property
    def description(self) -> str:
        """What the handler's docstring says, its lines joined, and why one item may be refused."""
        paragraphs = (inspect.getdoc(self.handler) or "").split("\n\n")
        if self.item_problems:
            told = "; ".join(f"`{kind.code}` ({kind.title.lower()})" for kind in self.item_problems)
            paragraphs.append(f"One item may be refused, and no other with it: {told}.")
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

    def template(self, replacement: str = r"{\1}") -> str:
        """The path as OpenAPI and docs/protocol.md write it: `/v1/recordings/{id}`."""
        return _PLACEHOLDER.sub(replacement, self.path)

    def refusals(self) -> Mapping[int, Mapping[str, type[Refusal]]]:
        """Every problem it may answer: status, then code, then class."""
        found: dict[int, dict[str, type[Refusal]]] = {}
        for kind in (*self._shared(), *self.problems):
            found.setdefault(kind.status, {})[kind.code] = kind
        codes = (given.code for given in (*self.path_parameters, *self.query, *self.headers) if given.code)
        invalid = [*codes, *(codes_of(self.body) if self.body else ())]
        for code in invalid:
            found.setdefault(errors.BodyInvalid.status, {})[code] = errors.BodyInvalid
        return dict(sorted(found.items()))

    def _shared(self) -> Iterator[type[Refusal]]:
        yield from (errors.HttpMalformed, errors.AddressTooLong, errors.HeadersTooLarge, errors.RequestTimeout)
        yield from (errors.AnswerTimeout, errors.ShuttingDown)
        if self.scope:
            yield from (errors.TokenMissing, errors.TokenInvalid, errors.TokenExpired, errors.ScopeMissing)
            yield errors.RateLimited
            yield from (errors.IdentityUnavailable, errors.DatabaseUnavailable, errors.StorageUnavailable)
        if self.path_parameters:
            yield errors.NotFound
        if self.body:
            yield from (errors.ContentTypeUnsupported, errors.ContentEncodingUnsupported)
            yield from (errors.BodyTooLarge, errors.JsonMalformed)
        yield errors.Internal


def routes_of(calls: Sequence[Call]) -> list[Route]:
    """The routes of these calls: one for each address, so that a 405 tells every method it takes (RFC 9110, 15.5.6)."""
    addresses: dict[str, dict[str, Handler]] = {}
    for call in calls:
        addresses.setdefault(call.path, {})[call.method] = call.handler
    return [Route(path, _by_method(handlers), methods=list(handlers)) for path, handlers in addresses.items()]


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    async def answer(request: Request[State]) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return answer
