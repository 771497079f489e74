"""Workspaces and their credits, as operators decide them."""

from __future__ import annotations

from uuid import UUID, uuid4

from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import ordered
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine

ACTIONS = "SELECT action FROM audit WHERE workspace_id = $1 ORDER BY ordinal"


async def actions(conn: Connection, workspace: UUID) -> list[str]:
    """Give what the audit log has of a workspace."""
    return [row["action"] for row in await conn.fetch(ACTIONS, workspace)]


def credits_page(world: World) -> str:
    """Give the address of the credits of Alice's workspace."""
    return f"/admin/workspaces/{world.acme}/credits"


async def test_finds_workspaces_by_name_owner_and_id(world: World, olga: Guest) -> None:
    for sought in ("acm", "ALICE@", str(world.acme)):
        page = (await olga.get(f"/admin/workspaces?q={sought}")).text
        assert "Acme alice@example.com Starter 1000 0" in page
        assert "Charlie" not in page
    assert "No workspace fits." in (await olga.get("/admin/workspaces?q=nothing")).text


async def test_makes_a_workspace_for_somebody_who_is_there(conn: Connection, olga: Guest) -> None:
    wanted = {"name": "Stage", "owner": "alice@example.com", "plan": "full", "rehearsal": "true"}
    nobody = await olga.post("/admin/workspaces", {**wanted, "owner": "nobody@example.com"})
    assert nobody.status == 404
    assert "Nobody has the address nobody@example.com" in nobody.text
    assert 'value="Stage"' in nobody.html
    blank = await olga.post("/admin/workspaces", {**wanted, "name": " "})
    assert 'id="create-name-wrong"' in blank.html
    made = await olga.post("/admin/workspaces", wanted)
    workspace = UUID(made.to.split("/")[3].split("?")[0])
    row = await conn.fetchrow("SELECT plan, rehearsal FROM workspaces WHERE id = $1", workspace)
    assert row is not None
    assert (row["plan"], row["rehearsal"]) == ("full", True)
    assert await actions(conn, workspace) == ["workspace.create"]
    assert "Stage" not in (await olga.get("/admin/workspaces")).text
    assert "Stage" in (await olga.get("/admin/workspaces?rehearsals=yes")).text


async def test_the_page_of_a_workspace_has_people_keys_orders_and_credits(
    alice: Client, world: World, olga: Guest
) -> None:
    await ordered(alice, videos=0)
    page = (await olga.get(f"/admin/workspaces/{world.acme}")).text
    for told in ("Acme", "Alice", "Owner", "Alice's key live", "Bob's key", "1 being set up"):
        assert told in page
    assert str(CREDITS - 25) in page
    assert (await olga.get(f"/admin/workspaces/{uuid4()}")).code == "PAGE_NOT_FOUND"


async def test_changes_the_plan_and_a_keys_limit(
    conn: Connection, world: World, olga: Guest
) -> None:
    there = f"/admin/workspaces/{world.acme}"
    odd = await olga.post(f"{there}/plan", {"plan": "gold", "reason": "X"})
    assert 'id="plan-plan-wrong"' in odd.html
    assert (await olga.post(f"{there}/plan", {"plan": "full", "reason": "2027"})).status == 303
    assert await conn.fetchval("SELECT plan FROM workspaces WHERE id = $1", world.acme) == "full"
    key = f"{there}/keys/{world.alice_key_id}"
    for capacity, refill in (("0", "1"), ("2", "x"), ("9999999", "1")):
        bad = await olga.post(key, {"bucket_capacity": capacity, "bucket_refill": refill})
        assert bad.status == 400
    set_ = await olga.post(key, {"bucket_capacity": "20", "bucket_refill": "0.5"})
    assert set_.status == 303
    assert "20 at once, then 0.5 a second" in (await olga.get(there)).text
    cleared = await olga.post(key, {"bucket_capacity": "", "bucket_refill": ""})
    assert cleared.status == 303
    foreign = await olga.post(f"/admin/workspaces/{world.other}/keys/{world.alice_key_id}", {})
    assert foreign.status == 400
    assert await actions(conn, world.acme) == ["workspace.plan", "api_key.edit", "api_key.edit"]


async def test_grants_adjusts_and_refunds_after_a_look_at_the_balance(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    there = credits_page(world)
    looked = await olga.post(f"{there}/grant", {"amount": "50", "reason": "Invoice 17"})
    assert looked.status == 200
    assert f"The workspace has {CREDITS + 50} credits then." in looked.text
    assert await actions(conn, world.acme) == []
    grant = {"amount": "50", "reason": "Invoice 17", "expires_in_days": "30", "step": "do"}
    assert (await olga.post(f"{there}/grant", grant)).to == f"{there}?done=credits"
    down = {"amount": "-5", "reason": "Counted wrong", "step": "do"}
    assert (await olga.post(f"{there}/adjust", down)).status == 303
    await ordered(alice, videos=0)
    debit = await conn.fetchval("SELECT id FROM credit_entries WHERE type = 'debit'")
    page = await olga.get(there)
    assert "Grant: Invoice 17" in page.text
    assert f"debit={debit}" in page.html
    back = {"entry_id": str(debit), "amount": "3", "reason": "Late", "step": "do"}
    assert (await olga.post(f"{there}/refund", back)).status == 303
    left = await olga.get(f"{there}?debit={debit}")
    assert "refund up to 22" in left.text
    assert f'value="{debit}"' in left.html
    spent = (await alice.get("/credits/balance")).data["credits"]
    assert spent == CREDITS + 50 - 5 - 25 + 3
    assert await actions(conn, world.acme) == ["credits.grant", "credits.adjust", "credits.refund"]
    assert [one for one in await examine(conn) if one.contradictions] == []


async def test_refuses_what_cannot_be_booked_beside_the_field(
    conn: Connection, world: World, olga: Guest
) -> None:
    there = credits_page(world)
    for form, fields, wrong in (
        ("grant", {"amount": "0", "reason": "X"}, "grant-amount"),
        ("grant", {"amount": "", "reason": "X"}, "grant-amount"),
        ("grant", {"amount": "5", "reason": ""}, "grant-reason"),
        ("grant", {"amount": "5", "reason": "X", "expires_in_days": "0"}, "grant-expires_in_days"),
        ("adjust", {"amount": "99999999", "reason": "X"}, "adjust-amount"),
        ("refund", {"entry_id": "x", "amount": "5", "reason": "X"}, "refund-entry_id"),
    ):
        seen = await olga.post(f"{there}/{form}", {**fields, "step": "do"})
        assert seen.status == 400
        assert f'id="{wrong}-wrong"' in seen.html
    poor = await olga.post(f"{there}/adjust", {"amount": "-1001", "reason": "X", "step": "do"})
    assert poor.status == 402
    unknown = {"entry_id": str(uuid4()), "amount": "5", "reason": "X", "step": "do"}
    assert "has no debit" in (await olga.post(f"{there}/refund", unknown)).text
    assert await actions(conn, world.acme) == []


async def test_the_ledger_is_filtered_and_leads_on_to_what_is_older(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    for _ in range(51):
        assert (
            await alice.post(
                "/bundles", {"bundle_type": "account_only", "country": "USA", "platform": "tiktok"}
            )
        ).status == 201
        await conn.execute("UPDATE credit_lots SET remaining = 1000")
    first = await olga.get(f"{credits_page(world)}?type=debit")
    assert first.html.count('scope="row"') == 50
    assert "Opening balance" not in first.text
    older = first.html.split(f"{credits_page(world)}?type=debit&amp;before=")[1].split('"')[0]
    rest = await olga.get(f"{credits_page(world)}?type=debit&before={older}")
    assert rest.html.count('scope="row"') == 1
    none = await olga.get(f"{credits_page(world)}?to=2000-01-01")
    assert "No entry fits." in none.text
    for odd in ("?from=x", "?which=x", "?type=x", "?before=x", "?before=-1"):
        assert (await olga.get(credits_page(world) + odd)).status == 200


async def test_sets_the_mark_below_which_a_workspace_is_told(
    conn: Connection, world: World, olga: Guest
) -> None:
    there = f"{credits_page(world)}/low-mark"
    assert (await olga.post(there, {"credits_below": "-1"})).status == 400
    assert (await olga.post(there, {"credits_below": "2000"})).status == 303
    assert await conn.fetchval("SELECT is_low FROM wallets WHERE workspace_id = $1", world.acme)
    assert await actions(conn, world.acme) == ["credits.low_mark"]
