"""From a request's path to its operation.

The framework's router and its handlers take a request apart and build a response object, which the
pipeline does itself; they were a sixth of what a small read costs (ADR 0013). So operations are
found here, and whatever is not one (health, media, pages) goes on to the framework.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from litestar.types import ASGIApp, Receive, Send
from litestar.utils import normalize_path

from tokportal_server.http.answers import Rendered, Stream
from tokportal_server.http.asgi import encoded
from tokportal_server.http.failures import method_not_allowed, render_failure
from tokportal_server.http.pipeline import Pipeline
from tokportal_server.http.request import Request


@dataclass(slots=True)
class _Node:
    """A prefix of paths: what may follow, and what is here."""

    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    names: tuple[str, ...] = ()
    methods: dict[str, Pipeline] = field(default_factory=dict)


class Dispatch:
    """An ASGI application: the operations, and another application for everything else."""

    def __init__(self, pipelines: Iterable[Pipeline], others: ASGIApp) -> None:
        self._root = _Node()
        self._others = others
        for pipeline in pipelines:
            self._add(pipeline)

    def _add(self, pipeline: Pipeline) -> None:
        operation, node, names = pipeline.operation, self._root, []
        for part in _parts(operation.base_path + operation.path):
            if part.startswith("{"):
                names.append(part.strip("{}"))
                node.parameter = node = node.parameter or _Node()
            else:
                node = node.literals.setdefault(part, _Node())
        node.names = tuple(names)
        node.methods[operation.method] = pipeline
        if not operation.mutating:
            node.methods["HEAD"] = pipeline

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._find(scope["path"])
        if found is None:
            await self._others(scope, receive, send)
        else:
            answer = await _answer(*found, scope, receive)
            if isinstance(answer, Stream):
                await send_stream(send, answer, head_only=scope["method"] == "HEAD")
            else:
                await send_rendered(send, answer)

    def _find(self, path: str) -> tuple[_Node, list[str]] | None:
        """Give the node of a path and the values of its parameters; a literal part wins."""
        node, values = self._root, []
        for part in _parts(path):
            if (following := node.literals.get(part)) is None:
                if (following := node.parameter) is None:
                    return None
                values.append(part)
            node = following
        return (node, values) if node.methods else None


async def _answer(
    node: _Node, values: list[str], scope: Any, receive: Receive
) -> Rendered | Stream:
    pipeline = node.methods.get(scope["method"])
    if pipeline is None:
        return render_failure(scope, method_not_allowed(scope, sorted({*node.methods, "OPTIONS"})))
    scope["tokportal_operation"] = pipeline.operation.operation_id
    scope["path_params"] = dict(zip(node.names, values, strict=True))
    try:
        answer = await pipeline.run(Request(scope, receive))
    except Exception as exception:  # noqa: BLE001 - every failure has an answer
        return render_failure(scope, exception)
    scope["tokportal_headers"].update(pipeline.operation.answer_headers)
    return answer


async def send_rendered(send: Send, rendered: Rendered) -> None:
    """Send an answer as it is; a 204 has neither a body nor a type."""
    headers = encoded(rendered.headers)
    if rendered.status != 204:
        headers.append((b"content-type", rendered.content_type.encode()))
        headers.append((b"content-length", str(len(rendered.body)).encode()))
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body, "more_body": False})


async def send_stream(send: Send, stream: Stream, *, head_only: bool) -> None:
    """Send an answer piece by piece, as fast as it is taken; HEAD makes none of it."""
    headers = [*encoded(stream.headers), (b"content-type", stream.content_type.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if not head_only:
        # What breaks now cannot be told: the receiver sees that the file has no end.
        async for chunk in stream.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _parts(path: str) -> list[str]:
    if "//" in path or path.endswith("/"):
        path = normalize_path(path)
    return path.split("/")[1:]
