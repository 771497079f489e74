"""The API in a process of its own, as it runs for customers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.analytics.providers.platforms import FakeTikTok
from tests.cast import World
from tests.client import Client
from tests.hostile.wire import Api, api_process
from tests.http.conftest import bell, picture, seed
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

__all__ = ["bell", "picture", "seed"]


@pytest.fixture
def settings(settings: Settings, tiktok: FakeTikTok) -> Settings:
    """The settings of a server that finds TikTok there."""
    return msgspec.structs.replace(settings, tiktok_api_url=tiktok.url)


@pytest.fixture
def api(home: Path, dsn: str) -> Iterator[Api]:
    """The API as the supervisor starts it."""
    with api_process(home, dsn) as running:
        yield running


@pytest.fixture
async def alice_outside(api: Api, world: World) -> AsyncIterator[Client]:
    """Alice, as a customer of that process."""
    async with Client(api.address, world.alice_key) as client:
        yield client


@pytest.fixture
async def guest(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Somebody with an empty browser; the cast can sign in."""
    await give_passwords(conn, world.alice, world.charlie, world.mona, world.olga)
    async with visiting(server) as somebody:
        yield somebody
