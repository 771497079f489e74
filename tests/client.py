"""The tests' HTTP client: every answer that it gets is held against the OpenAPI document."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.contract import check_answer
from tokportal_server.http.registry import BASE_PATH


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The ``data`` of a success."""
        assert self.status < 300, (self.status, self.body)
        return self.json["data"]

    @property
    def code(self) -> str:
        """The code of an error."""
        assert self.status >= 400, (self.status, self.body)
        return str(self.json["error"]["code"])

    @property
    def details(self) -> Any:
        """The details of an error."""
        return self.json["error"].get("details")

    @property
    def problems(self) -> dict[str, str]:
        """The fields that an error names, with what it says of each."""
        return {p["field"]: p["message"] for p in self.details["errors"]}


class Client:
    """Talks to one server with one key."""

    def __init__(self, address: str, key: str | None) -> None:
        self.address = address
        self.key = key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | aiohttp.FormData | None = None,
        params: Any = None,
        headers: Mapping[str, str] | None = None,
        base: str = BASE_PATH,
    ) -> Reply:
        """Call ``base`` + path, and check the answer against the contract."""
        assert self._session is not None
        sent = {"X-API-Key": self.key} if self.key else {}
        async with self._session.request(
            method,
            f"{self.address}{base}{path}",
            json=json,
            data=io.BytesIO(body) if isinstance(body, bytes) and body else body,
            params=params,
            headers=sent | dict(headers or {}),
        ) as answer:
            reply = Reply(answer.status, answer.headers, await answer.read())
        check_answer(method, path, reply.status, reply.headers, reply.body, base=base)
        return reply

    async def get(self, path: str, **more: Any) -> Reply:
        """GET a path."""
        return await self.call("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> Reply:
        """POST to a path."""
        return await self.call("POST", path, json=json, **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> Reply:
        """PUT to a path."""
        return await self.call("PUT", path, json=json, **more)
