from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cast import World
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.rig import Rig
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that answers 200 until told otherwise."""
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def rig(ports: Ports, world: World) -> AsyncIterator[Rig]:
    """The two loops on Alice's workspace, whose clock may be moved."""
    built = Rig(ports, world, Dispatcher(ports), Deliverer(ports))
    # Only a rehearsal's clock may differ from real time.
    await built.execute("UPDATE workspaces SET rehearsal = true WHERE id = $1", world.acme)
    yield built
    await built.deliverer.drain()
