"""The seeded world of the HTTP tests, rich enough for thousands of orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cast import World
from tests.fuzz.campaign import Campaign
from tests.http.conftest import bell, picture, seed
from tests.http.seed import Seed
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work

__all__ = ["bell", "picture", "seed"]


@pytest.fixture
async def campaign(
    server: str, world: World, seed: Seed, conn: Connection, tmp_path: Path
) -> Campaign:
    """What is sent in Alice's name."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await ledger.grant(
            tx,
            amount=10_000_000,
            source="grant",
            expires_at=None,
            description="Enough for every order",
            business_key="campaign",
            actor=SYSTEM,
        )
    return Campaign(server=server, key=world.alice_key, seed=seed, home=tmp_path)
