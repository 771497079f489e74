"""People at work on Alice's orders."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cast import World
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection

JOIN = "INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, $3)"


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


@pytest.fixture
async def viewer(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Bob at the pages, signed in, who may look at Alice's workspace and change nothing."""
    await conn.execute(JOIN, world.acme, world.bob, "viewer")
    await give_passwords(conn, world.bob)
    async with visiting(server) as guest:
        await guest.sign_in("bob")
        yield guest


@pytest.fixture
async def stranger(server: str, world: World, conn: Connection) -> AsyncIterator[Guest]:
    """Charlie at the pages, signed in, who has a workspace of his own."""
    await give_passwords(conn, world.charlie)
    async with visiting(server) as guest:
        await guest.sign_in("charlie")
        yield guest
