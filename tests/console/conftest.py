"""People at work on Alice's orders."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cast import World
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection


@pytest.fixture
async def mona(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Mona, signed in."""
    await give_passwords(conn, world.mona)
    async with visiting(server) as guest:
        await guest.sign_in("mona")
        yield guest


@pytest.fixture
async def customer(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Alice at the pages, signed in."""
    await give_passwords(conn, world.alice)
    async with visiting(server) as guest:
        await guest.sign_in("alice")
        yield guest
