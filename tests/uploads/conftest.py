"""Bundles to upload for, samples of media made once, and a look at what is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.uploads import media
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.settings import Settings

INSERT_BUNDLE = """
INSERT INTO bundles (workspace_id, id, bundle_type, platform, country, status, videos_quantity,
                     edits_quantity, auto_finalize_videos, wants_niche_warming, wants_deep_warming,
                     wants_moderation, cost_breakdown, sold_prices, created_at, updated_at)
VALUES ($1, $2, 'account_and_videos', 'tiktok', 'USA', 'pending_setup', 2, 0, true, false, false,
        false, '{}', '{}', now(), now())
"""


async def make_bundle(conn: Connection, workspace_id: UUID) -> UUID:
    bundle_id = uuid4()
    await conn.execute(INSERT_BUNDLE, workspace_id, bundle_id)
    return bundle_id


@pytest.fixture
async def bundle(database: Database, world: World) -> UUID:
    """A bundle of Alice's workspace."""
    async with database.connection() as conn:
        return await make_bundle(conn, world.acme)


@pytest.fixture
async def charlies_bundle(database: Database, world: World) -> UUID:
    async with database.connection() as conn:
        return await make_bundle(conn, world.other)


@pytest.fixture(scope="session")
def clip() -> bytes:
    """A second of film."""
    return media.video(audio=True)


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A phone's photo, to be turned upright, with a place in its metadata."""
    return media.jpeg(orientation=6)


@pytest.fixture
def stored(settings: Settings) -> Callable[[], list[Path]]:
    """Give the files that storage and the folder of incoming files hold now."""

    def files() -> list[Path]:
        folders = (settings.home / "media", settings.home / "incoming")
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    return files
