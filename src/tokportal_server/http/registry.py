"""Operations as data: each slice's ``routes.py`` fills a :class:`Router`, ``entry`` joins them.

A handler is ``async def name(call: Call, ...) -> Answer``. A parameter called ``body`` or ``query``
is decoded to its annotation; that annotation is also what the OpenAPI document shows. A body of
``X | None`` need not be sent. Path
parameters are read from the call (``call.id("id", BundleNotFoundError)``).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import NoneType
from typing import Any, Literal, get_args, get_type_hints

from tokportal_server.http.answers import JSON, CreditsMoved
from tokportal_server.http.errors import DryRunIdError
from tokportal_server.lib.errors import ApiError

BASE_PATH = "/api/ext"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[..., Awaitable[Any]]
Price = Callable[..., Awaitable[CreditsMoved]]
Replayed = Callable[..., Awaitable[None]]
Errors = tuple[type[ApiError], ...]
IdempotencyPolicy = Literal["none", "standard", "sealed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A multipart body: text fields (a struct) beside one file."""

    fields: type[Any]
    file_description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: where it is, what it takes, what it gives, how it can refuse.

    ``effects`` marks one that works outside the database first and returns an ``Effect``;
    ``keep`` is how long an answer replays, where its content lives for less than others do.
    ``more_headers`` names headers of ``openapi_parts.MORE_HEADERS`` that it reads.
    ``addition`` marks one of ours among the reference's own paths. ``price`` takes what the handler
    takes, and says what the request alone tells of its cost: for a dry run about a thing that
    another dry run imagined. ``replayed`` takes the call whose stored answer is given again, in the
    transaction that reads it. ``media`` is the type of its successes (text, or JSON), and
    ``answer_headers`` stand on each of them.
    """

    operation_id: str
    method: Method
    path: str
    tag: str
    summary: str
    description: str
    handler: Handler
    status: int
    returns: Any
    errors: Errors
    path_errors: Errors
    body: type[Any] | None
    query: type[Any] | None
    form: Form | None = None
    public: bool = False
    paged: bool = False
    moves_credits: bool = False
    siblings: Any = None
    idempotency: IdempotencyPolicy = "standard"
    keep: timedelta | None = None
    effects: bool = False
    more_headers: tuple[str, ...] = ()
    media: str = JSON
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    price: Price | None = None
    replayed: Replayed | None = None
    body_required: bool = True
    base_path: str = BASE_PATH
    addition: bool = False

    @property
    def beyond_reference(self) -> bool:
        """Whether this is an addition of ours."""
        return self.addition or self.has_own_base

    @property
    def has_own_base(self) -> bool:
        """Whether its path stands under another base than the reference's."""
        return self.base_path != BASE_PATH

    @property
    def takes_imagined_ids(self) -> bool:
        """Whether a dry run of it may name what another dry run imagined, and is given a shape."""
        # An upload reads its file whatever bundle it is for, so it has facts to answer.
        in_body = DryRunIdError in self.errors and not self.effects
        return self.mutating and ("{" in self.path or in_body)

    @property
    def mutating(self) -> bool:
        """Whether the operation writes: then it takes idempotency keys and dry runs."""
        return self.method != "GET"


class Router:
    """Collects the operations of one group of the reference."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def operation(
        self,
        method: Method,
        path: str,
        operation_id: str,
        *,
        returns: Any,
        summary: str,
        status: int = 200,
        errors: Errors = (),
        path_errors: Errors = (),
        **more: Any,
    ) -> Callable[[Handler], Handler]:
        """Register the decorated handler. ``more``: the remaining fields of Operation.

        ``path_errors`` are the 404s of the path's parameters, in their order; a parameter that is
        malformed names nothing, so it gives the same refusal as one that is unknown.
        """

        def register(handler: Handler) -> Handler:
            hints = get_type_hints(handler)
            form: Form | None = more.get("form")
            body, body_required = (None, True) if form else _body_of(hints.get("body"))
            self.operations.append(
                Operation(
                    operation_id=operation_id,
                    method=method,
                    path=path,
                    tag=self.tag,
                    summary=summary,
                    description=inspect.getdoc(handler) or "",
                    handler=handler,
                    status=status,
                    returns=returns,
                    errors=errors + path_errors,
                    path_errors=path_errors,
                    body=body,
                    body_required=body_required,
                    query=hints.get("query"),
                    **more,
                )
            )
            return handler

        return register


def _body_of(annotation: Any) -> tuple[type[Any] | None, bool]:
    """Give the type of a body, and whether one must be sent: ``X | None`` may be left out."""
    options = [option for option in get_args(annotation) if option is not NoneType]
    if len(options) == 1 and NoneType in get_args(annotation):
        return options[0], False
    return annotation, True
