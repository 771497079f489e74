"""A request as the pipeline reads it: no more than the ASGI scope and the body as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from litestar.types import Receive, Scope

from tokportal_server.http.errors import BodyTimeoutError


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; the router has put the path's parameters into its scope."""

    asgi_scope: Scope
    receive: Receive

    @property
    def scope(self) -> Any:
        """The ASGI scope, with what our own layers add to it."""
        return self.asgi_scope

    @property
    def path_params(self) -> dict[str, Any]:
        """The path's parameters as text, by name."""
        params: dict[str, Any] = self.scope["path_params"]
        return params

    async def stream(self) -> AsyncIterator[bytes]:
        """Pass on the body's chunks.

        Raises:
            BodyTimeoutError: the client went away within the body.
        """
        more = True
        while more:
            message: Any = await self.receive()
            if message["type"] == "http.disconnect":
                raise BodyTimeoutError(
                    "The connection ended within the body. Nothing was changed: send the request"
                    " again."
                )
            if chunk := message.get("body"):
                yield chunk
            more = message.get("more_body", False)
