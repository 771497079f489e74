"""Disputes that are settled, and accounts that are banned."""

from __future__ import annotations

from uuid import uuid4

from tests.cast import World
from tests.client import Client
from tests.comments.steps import begun, delivered
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection

# As the third dispute leaves it; tests/comments walks the whole way.
DISPUTED = """
UPDATE comment_tasks SET status = 'pending_corrections', disputes = 3, with_operator = true,
       due_at = NULL, correction = 'Not <u>ours</u>' WHERE id = $1
"""
ACTIONS = "SELECT action, reason FROM audit ORDER BY ordinal"


async def test_an_operator_settles_a_dispute_either_way(
    conn: Connection, world: World, olga: Guest
) -> None:
    account = await delivered(conn, world)
    task_id = await begun(conn, world, account)
    await conn.execute(DISPUTED, task_id)
    assert (
        "Disputes to settle comments that a customer did not accept three times 1"
        in (await olga.get("/admin")).text
    )
    page = await olga.get("/admin/disputes")
    assert "acme.daily" in page.text
    assert "Not &lt;u&gt;ours&lt;/u&gt;" in page.html
    there = f"/admin/disputes/{task_id}"
    blank = await olga.post(there, {"decision": "finalize", "reason": ""})
    assert blank.status == 400
    assert f'id="settle-{task_id}-reason-wrong"' in blank.html
    assert (await olga.post(there, {"decision": "burn", "reason": "X"})).status == 400
    done = await olga.post(there, {"decision": "cancel", "reason": "It is gone."})
    assert done.to == "/admin/disputes?done=settled"
    status = await conn.fetchval("SELECT status FROM comment_tasks WHERE id = $1", task_id)
    assert status == "cancelled"
    # Settled meanwhile by somebody else: said, not done twice.
    again = await olga.post(there, {"decision": "finalize", "reason": "X"})
    assert again.status == 409
    rows = [tuple(row) for row in await conn.fetch(ACTIONS)]
    assert rows == [("comment.cancel", "It is gone.")]
    assert (await olga.post(f"/admin/disputes/{uuid4()}", {})).code == "PAGE_NOT_FOUND"


async def test_a_ban_shows_what_ends_before_it_is_noted(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    account = await delivered(conn, world)
    listed = await olga.get("/admin/accounts?q=ACME.d")
    assert f"/admin/accounts/{account}" in listed.html
    there = f"/admin/accounts/{account}"
    assert (await olga.get(there)).status == 200
    looked = await olga.post(f"{there}/ban", {"reason": "Guidelines"})
    assert "Live orders that are cancelled: 0." in looked.text
    assert await conn.fetch(ACTIONS) == []
    noted = await olga.post(f"{there}/ban", {"reason": "Guidelines", "step": "do"})
    assert noted.to == f"{there}?done=banned"
    assert "Guidelines" in (await olga.get("/admin/accounts")).text
    again = await olga.post(f"{there}/ban", {"reason": "X", "step": "do"})
    assert again.status == 400
    assert [row["action"] for row in await conn.fetch(ACTIONS)] == ["account.ban"]
    bans = (await alice.get("/account-bans")).data
    assert [ban["reason"] for ban in bans] == ["Guidelines"]


async def test_consent_is_noted_and_taken_back(conn: Connection, world: World, olga: Guest) -> None:
    there = f"/admin/accounts/{await delivered(conn, world)}"
    blank = await olga.post(f"{there}/consent", {"owner_name": "", "scope": "Posting"})
    assert 'id="consent-owner_name-wrong"' in blank.html
    given = {"owner_name": "Anna <a>", "scope": "Posting"}
    assert (await olga.post(f"{there}/consent", given)).status == 303
    assert "Anna &lt;a&gt;: Posting" in (await olga.get(there)).html
    assert (await olga.post(f"{there}/consent/revoke", {"reason": "Letter"})).status == 303
    assert "taken back" in (await olga.get(there)).text
    actions = [row["action"] for row in await conn.fetch(ACTIONS)]
    assert actions == ["account.record_consent", "account.revoke_consent"]
    for act in ("", "/ban", "/consent", "/consent/revoke"):
        where = f"/admin/accounts/{uuid4()}{act}"
        seen = await (olga.post(where, {"step": "do"}) if act else olga.get(where))
        assert seen.code == "PAGE_NOT_FOUND"
