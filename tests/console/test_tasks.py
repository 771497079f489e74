from __future__ import annotations

from uuid import UUID, uuid4

from tests.cast import World
from tests.client import Client
from tests.comments.steps import TEXT, commented, confirmed, delivered, history, post, submitted
from tests.console.test_orders import console
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

COUNT = "SELECT count(*) FROM comment_tasks"
STATUS = "SELECT status FROM comment_tasks WHERE id = $1"


def row(account: str, number: int, text: str, index: int = 0) -> dict[str, str]:
    """Give the fields of one row of the form."""
    return {
        f"{index}.saved_account_id": account,
        f"{index}.target_video_url": post(number),
        f"{index}.comment_text": text,
        f"{index}.brief_id": "",
    }


async def test_orders_comments_after_showing_what_they_cost(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    there = console(world, "comments")
    assert "No comment yet" in (await customer.get(there)).text
    assert "No account that can comment" in (await customer.get(f"{there}/new")).text
    account = await delivered(conn, world)
    assert "@acme.daily" in (await customer.get(f"{there}/new")).text
    form = row(account, 1, TEXT) | {"once": "a-word"}
    added = await customer.post(f"{there}/new", {**form, "step": "add"})
    assert 'name="1.comment_text"' in added.html
    form |= row(account, 2, "Quite another thing to say, friends.", 1)
    priced = await customer.post(f"{there}/new", {**form, "step": "price"})
    assert "2 credits for 2 of 2" in priced.text
    assert await conn.fetchval(COUNT) == 0
    before = (await alice.get("/credits/balance")).data["credits"]
    ordered = await customer.post(f"{there}/new", {**form, "step": "order"})
    assert ordered.to == f"{there}?done=tasks_ordered"
    # Pressed twice: ordered once.
    again = await customer.post(f"{there}/new", {**form, "step": "order"})
    assert again.to == ordered.to
    assert (await alice.get("/credits/balance")).data["credits"] == before - 2
    listed = await customer.get(f"{there}?status=pending")
    assert listed.text.count("@acme.daily") == 2
    assert "Nothing fits" in (await customer.get(f"{there}?status=finalized")).text
    assert (await customer.get(f"{there}?status=odd")).text.count("@acme.daily") == 2


async def test_what_the_guards_refuse_stays_in_the_form_with_why(
    customer: Guest, conn: Connection, world: World
) -> None:
    account = await delivered(conn, world)
    form = row(account, 1, TEXT) | row(account, 1, "Something else altogether here.", 1)
    form |= row(account, 2, "x" * 151, 2)
    there = console(world, "comments", "new")
    priced = await customer.post(there, {**form, "step": "price"})
    assert "1 credit for 1 of 3" in priced.text
    assert "2 would be refused" in priced.text
    assert 'id="row-2-2-comment_text-wrong"' in priced.html
    done = await customer.post(there, {**form, "step": "order"})
    assert "1 ordered. 2 could not be" in done.text
    assert "Something else altogether here." in done.html
    assert TEXT not in done.text
    assert await conn.fetchval(COUNT) == 1


async def test_too_few_credits_are_told_and_nothing_is_ordered(
    customer: Guest, conn: Connection, world: World
) -> None:
    account = await delivered(conn, world)
    await conn.execute("UPDATE credit_lots SET remaining = 0")
    refused = await customer.post(
        console(world, "comments", "new"), {**row(account, 1, TEXT), "step": "order"}
    )
    assert refused.status == 402
    assert await conn.fetchval(COUNT) == 0


async def test_deletes_a_task_that_nobody_has_worked_on(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    account = await delivered(conn, world)
    task_id = await commented(alice, account)
    there = console(world, "comments", task_id)
    assert "manager's turn" in (await customer.get(there)).text
    assert (await customer.post(f"{there}/approve")).status == 409
    assert "done=task_deleted" in (await customer.post(f"{there}/delete")).to
    assert await conn.fetchval(STATUS, UUID(task_id)) == "cancelled"
    assert (await customer.post(f"{there}/delete")).status == 409


async def test_disputes_with_a_reason_and_approves_what_was_confirmed_by_hand(
    customer: Guest, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account = await delivered(conn, world)
    first = await commented(alice, account)
    second = await commented(alice, account, 2, comment_text="Quite another thing to say, friends.")
    await submitted(conn, world, first)
    await confirmed(conn, world, ports, second)
    there = console(world, "comments", first)
    assert "Look whether it stands there" in (await customer.get(there)).text
    empty = await customer.post(f"{there}/dispute", {"reason": " "})
    assert empty.status == 400
    assert 'id="dispute-reason-wrong"' in empty.html
    sent = await customer.post(f"{there}/dispute", {"reason": "Not there"})
    assert "done=task_disputed" in sent.to
    assert "Not there" in (await customer.get(there)).text
    other = console(world, "comments", second)
    assert "done=approved" in (await customer.post(f"{other}/approve")).to
    assert (await history(conn, second))[-1] == "finalized"


async def test_a_viewer_sees_tasks_without_forms_and_a_stranger_none(
    viewer: Guest, stranger: Guest, alice: Client, conn: Connection, world: World
) -> None:
    task_id = await commented(alice, await delivered(conn, world))
    there = console(world, "comments", task_id)
    seen = await viewer.get(there)
    assert TEXT in seen.text
    assert 'method="post" action="/console' not in seen.html
    assert "Order comments" not in (await viewer.get(console(world, "comments"))).text
    for act in ("approve", "dispute", "delete"):
        assert (await viewer.post(f"{there}/{act}")).code == "PAGE_FORBIDDEN"
        other = f"/console/{world.other}/comments/{task_id}/{act}"
        assert (await stranger.post(other, {"reason": "mine"})).status == 404
    assert (await stranger.get(there)).status == 404
    assert (await stranger.get(f"/console/{world.other}/comments/{task_id}")).status == 404
    assert (await stranger.get(f"/console/{world.other}/comments/{uuid4()}")).status == 404
