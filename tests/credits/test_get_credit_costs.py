"""``GET /credit-costs``."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection

# Contract section 5.
LISTED = {
    "account_creation": 25,
    "video_slot": 2,
    "edit_slot": 3,
    "niche_warming": 7,
    "deep_warming": 40,
    "moderation": 25,
    "sound_volume": 1,
    "story_repost": 1,
    "instant_repost": 1,
    "comment_task": 1,
    "account_edit": 8,
    "owning_fee": 0,
}


async def _own_price(conn: Connection, workspace: UUID, name: str, amount: int, days: int) -> None:
    await conn.execute(
        "INSERT INTO workspace_prices VALUES ($1, $2, $3, $4)",
        workspace,
        name,
        real_now() + timedelta(days=days),
        amount,
    )


async def test_anybody_sees_every_price_twice(nobody: Client) -> None:
    costs = (await nobody.get("/credit-costs")).data
    assert costs.pop("costs") == LISTED
    assert costs == LISTED


async def test_a_key_shows_its_own_workspaces_prices(
    alice: Client, charlie: Client, nobody: Client, world: World, conn: Connection
) -> None:
    await _own_price(conn, world.acme, "account_creation", 20, -2)
    # A general price that is newer does not undo what was agreed with the workspace.
    await conn.execute("INSERT INTO prices (name, amount) VALUES ('account_creation', 30)")
    seen = [
        (await client.get("/credit-costs")).data["costs"]["account_creation"]
        for client in (alice, charlie, nobody)
    ]
    assert seen == [20, 30, 30]


async def test_a_price_counts_from_its_day_on(
    alice: Client, world: World, conn: Connection
) -> None:
    for amount, days in ((9, -3), (8, -1), (7, 1)):
        await _own_price(conn, world.acme, "video_slot", amount, days)
    costs = (await alice.get("/credit-costs")).data
    assert costs["video_slot"] == costs["costs"]["video_slot"] == 8
    assert costs["account_creation"] == 25


@pytest.mark.parametrize("key", ["not a key", "sk_" + "0" * 64])
async def test_a_bad_key_is_as_good_as_none(server: str, key: str) -> None:
    async with Client(server, key) as client:
        reply = await client.get("/credit-costs")
    assert reply.data["costs"] == LISTED
    assert "X-RateLimit-Remaining" not in reply.headers


async def test_takes_no_token(alice: Client) -> None:
    before = await alice.get("/me")
    for _ in range(5):
        await alice.get("/credit-costs")
    after = await alice.get("/me")
    spent = int(before.headers["X-RateLimit-Remaining"]) - int(
        after.headers["X-RateLimit-Remaining"]
    )
    assert spent <= 1
