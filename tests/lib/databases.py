"""Databases of the run's PostgreSQL, and connections that are prepared like the server's."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from tokportal_server.lib.db import prepare_connection

# Where the address of the run's PostgreSQL is; its database is ``postgres``.
ADDRESS = "TEST_POSTGRES_DSN"


@asynccontextmanager
async def own_database(options: str = "") -> AsyncIterator[str]:
    """Make a database and give its address; ``options`` are those of CREATE DATABASE."""
    address = os.environ[ADDRESS]
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(f"CREATE DATABASE {name} {options}")
        yield address.replace("/postgres?", f"/{name}?")
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@asynccontextmanager
async def connected(dsn: str, **settings: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Give a connection of the test's own; ``settings`` are PostgreSQL's."""
    conn = await asyncpg.connect(dsn, server_settings=settings)
    try:
        await prepare_connection(conn)
        yield conn
    finally:
        await conn.close()
