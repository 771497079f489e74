"""Routes beside the API: health, readiness, and the OpenAPI document itself."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from tokportal_server import __version__
from tokportal_server.lib.db import REVISION
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.resources import contract_file


def system_routes(ports: Ports) -> list[HTTPRouteHandler]:
    """Give the routes, bound to this process's ports."""

    @get("/healthz", media_type=MediaType.JSON)
    async def healthz() -> dict[str, Any]:
        """Say that the process answers; asks nobody else."""
        return {"status": "ok", "version": __version__}

    @get("/readyz", media_type=MediaType.JSON)
    async def readyz() -> dict[str, Any]:
        """Say that the database answers and is migrated; 503 otherwise.

        Maintenance is told of and is no failure: reading goes on.
        """
        async with ports.database.connection() as conn:
            schema = await conn.fetchval(REVISION)
            notice = await ports.maintenance.look(conn)
        return {
            "status": "ready",
            "schema": schema,
            "maintenance": None if notice is None else notice.reason,
        }

    @get("/api/ext/openapi.json")
    async def openapi() -> Response[bytes]:
        """The committed OpenAPI document, byte for byte."""
        document = contract_file("openapi.json").read_bytes()
        return Response(document, media_type=MediaType.JSON)

    return [healthz, readyz, openapi]


def encode_document(document: dict[str, Any]) -> bytes:
    """Write a generated JSON file: readable, stable, with a line break at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
