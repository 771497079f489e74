"""The operator changes prices; what was sold keeps the price that it was sold at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import order, ordered
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.set_price import price_history, set_price
from tokportal_server.workspaces.audit import INSTALLATION


async def test_a_new_price_is_for_orders_from_now_on(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    before = await ordered(alice, videos=2)
    await set_price(conn=conn, actor=world.as_olga, name="video_slot", amount=5)
    assert (await alice.get("/credit-costs")).data["video_slot"] == 5
    after = await alice.post("/bundles", order(2))
    assert after.json["credits_charged"] == 35
    cost = (await alice.get(f"/bundles/{before}")).data["cost"]
    assert cost["total"] == 29
    assert (await olga.cancel(before)).refund.amount == 29
    assert (await olga.cancel(after.data["id"])).refund.amount == 35
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_a_workspace_may_have_prices_of_its_own(
    alice: Client, charlie: Client, nobody: Client, conn: Connection, world: World
) -> None:
    await set_price(
        conn=conn,
        actor=world.as_olga,
        name="account_creation",
        amount=10,
        workspace_id=world.acme,
        reason="A big customer.",
    )
    # A later price for everybody leaves that one alone.
    await set_price(conn=conn, actor=world.as_olga, name="account_creation", amount=30)
    prices = [
        (await client.get("/credit-costs")).data["account_creation"]
        for client in (alice, charlie, nobody)
    ]
    assert prices == [10, 30, 30]


async def test_keeps_every_price_there_ever_was(
    conn: Connection, world: World, olga: Office
) -> None:
    actor = world.as_olga
    for amount in (4, 0):
        await set_price(conn=conn, actor=actor, name="video_slot", amount=amount, reason="Sale.")
    await set_price(conn=conn, actor=actor, name="video_slot", amount=1, workspace_id=world.acme)
    history = await price_history(conn=conn, name="video_slot", workspace_id=world.acme)
    assert [(p.amount, p.workspace_id, p.set_by) for p in history] == [
        (1, world.acme, "olga@example.com"),
        (0, None, "olga@example.com"),
        (4, None, "olga@example.com"),
        (2, None, None),
    ]
    assert [p.valid_from is None for p in history] == [False, False, False, True]
    everybody = await price_history(conn=conn)
    assert {p.workspace_id for p in everybody} == {None}
    assert len(everybody) == 14
    noted = [(row["details"], row["reason"]) for row in await olga.audit(INSTALLATION)]
    assert noted[0] == ({"name": "video_slot", "amount": 4}, "Sale.")
    assert [row["details"]["amount"] for row in await olga.audit()] == [1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "video", "amount": 1}, "there is no such price; there are account_creation"),
        ({"name": "video_slot", "amount": -1}, "must be 0 to"),
        ({"name": "video_slot", "amount": 10**9}, "must be 0 to"),
        ({"name": "moderation", "amount": 1, "own": True}, "account_creation and video_slot only"),
        ({"name": "video_slot", "amount": 1, "nowhere": True}, "there is no workspace"),
    ],
)
async def test_refuses_what_is_no_price(
    conn: Connection, world: World, given: dict[str, Any], said: str
) -> None:
    more: dict[str, Any] = {}
    if given.pop("own", False):
        more["workspace_id"] = world.acme
    if given.pop("nowhere", False):
        more["workspace_id"] = world.olga
    with pytest.raises(ValidationError) as refusal:
        await set_price(conn=conn, actor=world.as_olga, **given, **more)
    assert said in refusal.value.message
    assert len(await price_history(conn=conn)) == 12
