from __future__ import annotations

from tests.bundles.traces import events
from tests.cast import World
from tests.client import Client, Reply
from tests.comments.steps import commented, history, submitted, task
from tests.http.test_dry_run import DRY
from tokportal_server.lib.db import Connection


async def delete(client: Client, task_id: str, headers: dict[str, str] | None = None) -> Reply:
    """Delete a task."""
    return await client.call("DELETE", f"/comments/{task_id}", headers=headers)


async def test_cancels_a_pending_task_and_gives_its_price_back(
    alice: Client, conn: Connection, world: World, account: str
) -> None:
    balance = (await alice.get("/credits/balance")).data["credits"]
    task_id = await commented(alice, account)
    reply = await delete(alice, task_id)
    assert reply.status == 200
    assert reply.data == {"id": task_id, "status": "cancelled"}
    assert (reply.json["credits_refunded"], reply.json["credits_charged"]) == (1, 0)
    assert reply.json["credits_remaining"] == balance
    assert (await alice.get("/credits/balance")).data["credits"] == balance
    assert await history(conn, task_id) == ["pending", "cancelled"]
    [_, (name, told)] = await events(conn, world.acme)
    assert name == "comment.cancelled"
    assert (told["comment_task_id"], told["previous_status"]) == (task_id, "pending")


async def test_gives_back_one_of_many_that_were_paid_together(alice: Client, account: str) -> None:
    rows = [task(account, 1), task(account, 2), task(account, 3)]
    made = (await alice.post("/comments", {"tasks": rows})).data["created"]
    balance = (await alice.get("/credits/balance")).data["credits"]
    for number, row in enumerate(made, start=1):
        reply = await delete(alice, row["id"])
        assert reply.json["credits_remaining"] == balance + number


async def test_refuses_what_a_manager_has_written_and_what_is_gone(
    alice: Client, conn: Connection, world: World, account: str
) -> None:
    written, gone = [await commented(alice, account, n) for n in (1, 2)]
    await submitted(conn, world, written)
    assert (await delete(alice, gone)).status == 200
    for task_id, status in ((written, "submitted"), (gone, "cancelled")):
        reply = await delete(alice, task_id)
        assert (reply.status, reply.code) == (409, "COMMENT_INVALID_STATUS")
        assert reply.details == {"current_status": status, "allowed_from": ["pending"]}


async def test_a_replay_refunds_nothing_more(alice: Client, account: str) -> None:
    task_id = await commented(alice, account)
    key = {"Idempotency-Key": "gone"}
    first = await delete(alice, task_id, headers=key)
    again = await delete(alice, task_id, headers=key)
    assert (again.status, again.json) == (200, first.json)
    history = (await alice.get("/credits/history")).data
    assert [entry["type"] for entry in history].count("refund") == 1


async def test_a_dry_run_leaves_the_task(alice: Client, account: str) -> None:
    task_id = await commented(alice, account)
    reply = await delete(alice, task_id, headers=DRY)
    assert (reply.status, reply.json["credits_refunded"]) == (200, 1)
    assert (await alice.get(f"/comments/{task_id}")).data["status"] == "pending"


async def test_a_task_of_another_workspace_is_not_there(
    alice: Client, charlie: Client, account: str
) -> None:
    reply = await delete(charlie, await commented(alice, account))
    assert (reply.status, reply.code) == (404, "COMMENT_TASK_NOT_FOUND")
