"""Olga at the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cast import World
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection


@pytest.fixture
async def olga(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Olga, signed in."""
    await give_passwords(conn, world.olga)
    async with visiting(server) as guest:
        await guest.sign_in("olga")
        yield guest
