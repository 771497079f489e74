from __future__ import annotations

import pytest

from tests.cast import World
from tests.comments.steps import delivered
from tokportal_server.lib.db import Connection


@pytest.fixture
async def account(conn: Connection, world: World) -> str:
    """An account of Alice's on TikTok, kept by Mona."""
    return await delivered(conn, world)
