"""One operation as a tool: arguments in, a request through the API, its answer out.

FastMCP's own tools for OpenAPI documents drop arguments that they do not know and every ``null``,
which would turn a misspelt ``dry_run`` into a live call and keep ``null`` from clearing a field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec
from fastmcp.tools.base import Tool, ToolResult
from mcp_types import TextContent, ToolAnnotations
from pydantic import PrivateAttr

from tokportal_server.lib.db import ServiceUnavailableError
from tokportal_server.lib.errors import ApiError
from tokportal_server.mcp.files import FileSource, NamedFile
from tokportal_server.mcp.request import Parts, parts_of
from tokportal_server.mcp.signature import Signature

# What undoes or gives away something, beside the methods that replace and delete.
DESTRUCTIVE_POSTS = frozenset(
    {
        "unpublishBundle",
        "resetBundleVideo",
        "unscheduleBundleVideo",
        "revealAccountCredentials",
    }
)
_TOLD = {
    "X-TokPortal-Request-ID": "request_id",
    "Idempotent-Replayed": "idempotent_replayed",
    "X-TokPortal-Dry-Run": "dry_run",
    "X-RateLimit-Remaining": "rate_limit_remaining",
    "Retry-After": "retry_after",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls a tool: the API key, and the id that the call's requests share."""

    key: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Backend:
    """Where tools send their requests: an HTTP client whose base URL is that of the API."""

    client: httpx2.AsyncClient
    files: FileSource
    identity: Callable[[], Identity]


class OperationTool(Tool):
    """A tool that is one operation."""

    _signature: Signature = PrivateAttr()
    _backend: Backend = PrivateAttr()

    @classmethod
    def of(cls, signature: Signature, backend: Backend) -> OperationTool:
        """Make the tool of an operation."""
        tool = cls(
            name=signature.tool_name,
            title=signature.title,
            description=signature.description,
            parameters=signature.input_schema(backend.files.schema),
            annotations=annotations_of(signature),
            tags={signature.tag},
        )
        tool._signature = signature
        tool._backend = backend
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Call the operation. A refusal is a result too, marked as an error, with its code."""
        identity = self._backend.identity()
        try:
            return _result(await self._send(arguments, identity))
        except httpx2.RequestError as error:
            away = ServiceUnavailableError(
                f"{self._backend.client.base_url} does not answer ({type(error).__name__}). Is the"
                " server running, and is this its address?"
            )
            return _refusal(away, identity)
        except ApiError as error:
            return _refusal(error, identity)

    async def _send(self, arguments: Mapping[str, Any], identity: Identity) -> httpx2.Response:
        signature, files = self._signature, self._backend.files
        if not signature.takes_file:
            parts = parts_of(signature, arguments)
            body = parts.json_body(always=signature.takes_body)
            kind = {"Content-Type": "application/json"} if body is not None else {}
            return await self._request(parts, identity, content=body, headers=kind)
        about_file = {name: value for name, value in arguments.items() if name in files.schema}
        parts = parts_of(
            signature, {name: value for name, value in arguments.items() if name not in about_file}
        )
        async with files.open(
            signature.operation_id, about_file, key=identity.key, dry_run=parts.dry_run
        ) as file:
            return await self._request(parts, identity, files=_form(parts, file))

    async def _request(
        self,
        parts: Parts,
        identity: Identity,
        *,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx2.Response:
        own = {"X-API-Key": identity.key, "X-Request-ID": identity.request_id}
        return await self._backend.client.request(
            parts.method,
            parts.path,
            params=tuple(parts.query) or None,
            headers={**parts.headers, **(headers or {}), **own},
            **body,
        )


def annotations_of(signature: Signature) -> ToolAnnotations:
    """Give the hints by which a client decides whether to ask its person first.

    ``idempotent_hint`` is about the bare call; with ``idempotency_key`` every call is.
    """
    reads = signature.method == "GET"
    return ToolAnnotations(
        title=signature.title,
        read_only_hint=reads,
        destructive_hint=signature.method in ("PUT", "PATCH", "DELETE")
        or signature.operation_id in DESTRUCTIVE_POSTS,
        idempotent_hint=signature.method != "POST",
        open_world_hint=not reads,
    )


def _form(parts: Parts, file: NamedFile) -> list[tuple[str, Any]]:
    fields = [
        (name, (None, value if isinstance(value, str) else json.dumps(value)))
        for name, value in parts.fields.items()
        if value is not None
    ]
    return [*fields, ("file", (file.name, file.content))]


def _result(response: httpx2.Response) -> ToolResult:
    """Give the answer as text and, where it is JSON, as structure; its headers as ``_meta``."""
    failed = not response.is_success
    told = {
        name: response.headers[header]
        for header, name in _TOLD.items()
        if header in response.headers
    }
    meta = {"status": response.status_code, **told}
    text = response.text or f"Done: {response.status_code}, without a body."
    return ToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=_structure(response),
        meta=meta,
        is_error=failed,
    )


def _structure(response: httpx2.Response) -> dict[str, Any] | None:
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return None
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal(error: ApiError, identity: Identity) -> ToolResult:
    """Give a refusal made here the shape of one that the API makes."""
    body = error.body(identity.request_id)
    return ToolResult(
        content=[TextContent(type="text", text=msgspec.json.encode(body).decode())],
        structured_content=body,
        meta={"status": error.status, "request_id": identity.request_id},
        is_error=True,
    )
