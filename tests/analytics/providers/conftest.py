"""Both platforms on loopback, and accounts of Alice's that are connected to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.analytics.providers.connecting import connected
from tests.analytics.providers.platforms import FakeInstagram, FakeTikTok, running
from tests.cast import World
from tests.conftest import free_port
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings

Connect = Callable[..., Awaitable[UUID]]


@pytest.fixture
async def instagram() -> AsyncIterator[FakeInstagram]:
    """Instagram, for one app."""
    fake = FakeInstagram()
    async with running(fake):
        yield fake


@pytest.fixture
def settings(dsn: str, home: Path, tiktok: FakeTikTok, instagram: FakeInstagram) -> Settings:
    """Settings of a server whose operator has registered both apps."""
    return Settings(
        home=home,
        database_url=dsn,
        port=free_port(),
        log_level="warning",
        webhooks_allow_loopback=True,
        key_bucket_capacity=100_000,
        create_bucket_per_minute=100_000,
        tiktok_client_key="key",
        tiktok_client_secret="secret",
        tiktok_api_url=tiktok.url,
        tiktok_calls_per_minute=100_000,
        instagram_app_id="app",
        instagram_app_secret="secret",
        instagram_api_url=instagram.url,
        instagram_login_url=instagram.url,
        instagram_calls_per_minute=100_000,
    )


@pytest.fixture
def providers(ports: Ports) -> Providers:
    """The providers of a process, which try again without a pause."""
    return Providers.of(ports, pauses=(0, 0))


@pytest.fixture
def connect(conn: Connection, world: World, ports: Ports) -> Connect:
    """Make a delivered account of Alice's that is connected."""

    async def make(platform: str = "tiktok", **more: Any) -> UUID:
        return await connected(conn, world, ports, platform, **more)

    return make
