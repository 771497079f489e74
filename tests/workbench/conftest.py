"""Two managers at their desks."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.workbench.desk import Desk, hire
from tests.workbench.office import Office
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


@pytest.fixture
def mona(conn: Connection, world: World, ports: Ports) -> Desk:
    """Mona, who works in the USA and France."""
    return Desk(conn, world, ports, world.as_mona)


@pytest.fixture
async def nora(conn: Connection, world: World, ports: Ports) -> Desk:
    """Nora, another manager of the USA."""
    return Desk(conn, world, ports, await hire(conn))


@pytest.fixture
def olga(conn: Connection, world: World, ports: Ports) -> Office:
    """Olga, who runs the installation."""
    return Office(conn, world, ports)
