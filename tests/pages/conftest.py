"""People at the door."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cast import World
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection


@pytest.fixture
async def guest(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Somebody with an empty browser; the cast can sign in."""
    await give_passwords(conn, world.alice, world.mona, world.olga)
    async with visiting(server) as somebody:
        yield somebody
