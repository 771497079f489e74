"""Alice's workspace as a rehearsal: worked by a simulated manager, on a clock that she moves."""

from __future__ import annotations

import pytest

from tests.cast import World, give_credits, people_the_world
from tests.client import Client
from tokportal_server.lib.db import Connection, Database
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workspaces.operations.api_keys import create_api_key


@pytest.fixture
async def world(database: Database) -> World:
    """The cast; Mona is simulated and works for Alice's rehearsal alone."""
    async with database.connection() as connection:
        return await people_the_world(connection, rehearsal=True)


@pytest.fixture
async def second(conn: Connection, server: str, world: World) -> Client:
    """Another rehearsal of Alice's, as ``workspace create --rehearsal`` makes it; not opened."""
    workspace = await create_rehearsal(
        conn=conn, name="Second", owner_id=world.alice, plan="starter"
    )
    await give_credits(conn, workspace, 1000)
    _, key = await create_api_key(
        conn=conn, workspace_id=workspace, person_id=world.alice, name="Second"
    )
    return Client(server, key)
