"""What nobody has written ends with the account that it was for."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.bundles.stages import SET_ACCOUNT, wrong_books
from tests.cast import World
from tests.client import Client
from tests.comments.steps import begun, delivered
from tests.orders.walk import working
from tokportal_server.comments.account_ended import (
    ACCOUNT_ENDED_JOB,
    ENDING_EVENTS,
    AccountEndedListener,
)
from tokportal_server.entry.worker import LISTENERS
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.notices import NOTICE_JOB, NOTICED
from tokportal_server.workbench.operations.ban_account import ban_account


def told(world: World, account: str) -> dict[str, object]:
    """Give what the dispatcher tells the listener of an event."""
    return {
        "workspace_id": str(world.acme),
        "event_id": f"evt_{uuid4().hex}",
        "type": "account.banned",
        "data": {"saved_account_id": account},
    }


async def test_a_ban_cancels_unwritten_tasks_and_gives_their_price_back(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account = await delivered(conn, world)
    before = (await alice.get("/credits/balance")).data["credits"]
    task_id = await begun(conn, world, account)
    async with working(conn, world) as tx:
        await ban_account(tx=tx, actor=world.as_olga, account_id=UUID(account), reason="Spam.")

    for _ in range(2):
        await AccountEndedListener(ports.database).run(told(world, account))

    assert (await alice.get(f"/comments/{task_id}")).data["status"] == "cancelled"
    assert (await alice.get("/credits/balance")).data["credits"] == before
    assert await wrong_books(conn) == {}


@pytest.mark.parametrize(("status", "left"), [("active", "pending"), ("detached", "cancelled")])
async def test_a_reveal_ends_them_only_if_it_ended_the_management(
    alice: Client, conn: Connection, world: World, ports: Ports, status: str, left: str
) -> None:
    account = await delivered(conn, world)
    task_id = await begun(conn, world, account)
    await conn.execute(SET_ACCOUNT, UUID(account), status)

    await AccountEndedListener(ports.database).run(told(world, account))

    assert (await alice.get(f"/comments/{task_id}")).data["status"] == left


def test_the_worker_listens_to_every_event_that_may_end_an_account() -> None:
    assert all(len(LISTENERS[name]) >= 1 for name in ENDING_EVENTS | NOTICED)
    assert all(NOTICE_JOB in LISTENERS[name] for name in NOTICED)
    assert {NOTICE_JOB, ACCOUNT_ENDED_JOB} <= set(LISTENERS["account.banned"])
