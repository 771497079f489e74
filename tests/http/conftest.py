"""The seeded world, and a bell that rings when the server calls out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from tests.analytics.providers.platforms import FakeTikTok
from tests.cast import World
from tests.client import Client
from tests.http.seed import Seed, seeded
from tests.uploads.gallery import gallery
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings


@dataclass
class Bell:
    """A listening socket of a stranger; ``rung`` counts who connected."""

    url: str
    rung: int = 0


@pytest.fixture
async def bell() -> AsyncIterator[Bell]:
    """Somebody outside, who notices every call."""

    async def ring(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening.rung += 1
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(ring, "127.0.0.1", 0)
    listening = Bell(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
    async with server:
        yield listening


@pytest.fixture
def settings(settings: Settings, tiktok: FakeTikTok) -> Settings:
    """The settings of a server that finds TikTok there."""
    return msgspec.structs.replace(settings, tiktok_api_url=tiktok.url)


@pytest.fixture
async def picture() -> AsyncIterator[str]:
    """A photo on somebody else's server."""
    async with gallery() as url:
        yield url


@pytest.fixture
async def seed(
    alice: Client, conn: Connection, world: World, ports: Ports, bell: Bell, picture: str
) -> Seed:
    """Alice's things, one in every state."""
    return await seeded(alice, conn, world, ports, hook=bell.url, picture=picture)
