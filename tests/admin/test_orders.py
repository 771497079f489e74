"""Orders that do not move, and what operators decide about one."""

from __future__ import annotations

from uuid import uuid4

from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import claimed, ordered, published, workable
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.doctor import examine

STATUS = "SELECT status FROM bundles WHERE id = $1"
AUDIT = "SELECT action, actor_id, reason, address FROM audit ORDER BY ordinal"
HOURS_AGO = "UPDATE bundles SET published_at = now() - interval '5 hours 10 minutes' WHERE id = $1"


async def test_the_first_page_says_what_needs_an_operator(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Guest
) -> None:
    calm = (await olga.get("/admin")).text
    assert "What needs an operator" in calm
    assert "Unclaimed orders offered, and no manager has taken them 0" in calm
    offered = await published(alice, videos=0, title="Spring")
    await conn.execute(HOURS_AGO, offered)
    held = await workable(alice, conn, world, ports, videos=1, title="Summer")
    issue = {"reported_at": "2026-01-01T00:00:00.000Z", "reason": "404"}
    await conn.execute("UPDATE slots SET download_issue = $1 WHERE bundle_id = $2", issue, held)
    page = await olga.get("/admin")
    assert "no manager has taken them 1" in page.text
    assert "Spring Acme USA · TikTok no manager has taken it 5 h ago" in page.text
    assert "Summer Video 1 Acme USA · TikTok the download does not work" in page.text
    assert f"/admin/orders/{held}" in page.html


async def test_orders_are_filtered_by_place_and_say_why_nobody_takes_them(
    alice: Client, conn: Connection, olga: Guest
) -> None:
    await published(alice, videos=0, title="Spring")
    await conn.execute("UPDATE managers SET active = false")
    page = (await olga.get("/admin/orders")).text
    assert "Spring Acme USA · TikTok no active manager works there" in page
    assert "USA · TikTok 1 0 nobody" in page
    assert "Spring" not in (await olga.get("/admin/orders?country=FR")).text
    assert "Spring" in (await olga.get("/admin/orders?country=USA&platform=tiktok")).text


async def test_what_is_late_stands_under_overdue(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Guest
) -> None:
    await workable(alice, conn, world, ports, videos=2, title="Summer")
    await conn.execute("UPDATE slots SET overdue_at = now() WHERE position = 2")
    await conn.execute("UPDATE claims SET due_at = now() - interval '1 minute'")
    page = (await olga.get("/admin/orders")).text
    assert "Summer Video 2 Acme USA · TikTok not posted in its window" in page
    assert "Summer Acme USA · TikTok the claim's time has passed" in page


async def test_what_waits_without_an_end_is_stuck(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Guest
) -> None:
    await workable(alice, conn, world, ports, videos=1, title="Summer")
    assert "Nothing is stuck." in (await olga.get("/admin/orders")).text
    await conn.execute("UPDATE managers SET active = false")
    assert "its manager is not active" in (await olga.get("/admin/orders")).text
    await conn.execute("UPDATE slots SET status = 'cancelled'")
    assert "nothing is left in it; cancel it" in (await olga.get("/admin/orders")).text


async def test_an_order_is_found_by_its_title_and_by_its_id(alice: Client, olga: Guest) -> None:
    bundle_id = await ordered(alice, videos=0, title="Autumn")
    for sought in ("autu", bundle_id):
        assert f"/admin/orders/{bundle_id}" in (await olga.get(f"/admin/orders?q={sought}")).html
    for sought in ("winter", str(uuid4()), "%00"):
        assert "Nothing begins like that" in (await olga.get(f"/admin/orders?q={sought}")).text or (
            sought == "%00"
        )


async def test_cancelling_shows_what_goes_back_before_it_does_it(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    bundle_id = await published(alice, videos=0, title="Winter")
    there = f"/admin/orders/{bundle_id}"
    before = (await alice.get("/credits/balance")).data["credits"]
    asked = {"reason": "Duplicate <b>", "step": "look"}
    seen = await olga.post(f"{there}/cancel", asked)
    assert seen.status == 200
    assert "This would happen 25 credits go back, of 25" in seen.text
    assert f"The workspace has {CREDITS} credits then." in seen.text
    # What was written is still there, for the button that does it.
    assert 'value="Duplicate &lt;b&gt;"' in seen.html
    assert await conn.fetchval(STATUS, bundle_id) == "published"
    assert await conn.fetch(AUDIT) == []
    assert (await alice.get("/credits/balance")).data["credits"] == before

    done = await olga.post(f"{there}/cancel", {**asked, "step": "do"})
    assert done.to == f"{there}?done=order_cancel"
    assert await conn.fetchval(STATUS, bundle_id) == "cancelled"
    row = await conn.fetchrow(AUDIT)
    assert row is not None
    assert (row["action"], row["actor_id"], row["address"]) == (
        "bundle.cancel",
        world.olga,
        "127.0.0.1",
    )
    page = await olga.get(there)
    assert "Duplicate &lt;b&gt;" in page.html
    assert "<b>" not in page.html
    assert (await olga.post(f"{there}/archive", {"reason": "Over."})).status == 303
    assert await conn.fetchval(STATUS, bundle_id) == "archived"
    assert [one for one in await examine(conn) if one.contradictions] == []


async def test_a_refused_decision_stands_beside_its_field(
    alice: Client, conn: Connection, olga: Guest
) -> None:
    bundle_id = await ordered(alice, videos=2)
    there = f"/admin/orders/{bundle_id}"
    blank = await olga.post(f"{there}/cancel", {"reason": " ", "step": "do"})
    assert blank.status == 400
    assert 'aria-describedby="cancel-reason-wrong"' in blank.html
    much = await olga.post(f"{there}/cancel", {"reason": "X", "amount": "30", "step": "do"})
    assert "must be 0 to 29" in much.text
    for amount in ("ten", "1.5", "²"):
        odd = await olga.post(f"{there}/cancel", {"reason": "X", "amount": amount, "step": "do"})
        assert 'id="cancel-amount-wrong"' in odd.html
    none = await olga.post(f"{there}/slot", {"reason": "X", "position": "3", "step": "do"})
    assert none.status == 404
    early = await olga.post(f"{there}/archive", {"reason": "X"})
    assert early.status == 409
    assert await conn.fetchval(STATUS, bundle_id) == "pending_setup"
    slot = await olga.post(f"{there}/slot", {"reason": "X", "position": "2", "step": "do"})
    assert slot.to.endswith("done=order_slot")
    turned = await olga.post(f"{there}/reverse", {"reason": "X", "step": "do"})
    assert turned.to.endswith("done=order_reverse")
    again = await olga.post(f"{there}/reverse", {"reason": "X", "step": "do"})
    assert again.status == 409


async def test_what_is_not_there_has_no_page(olga: Guest) -> None:
    for where in (f"/admin/orders/{uuid4()}", "/admin/orders/x"):
        assert (await olga.get(where)).code == "PAGE_NOT_FOUND"
        assert (await olga.post(f"{where}/cancel", {"step": "do"})).code == "PAGE_NOT_FOUND"


async def test_the_page_of_an_order_says_who_holds_it_and_what_happened(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Guest
) -> None:
    bundle_id = await published(alice, videos=1)
    await claimed(conn, world, ports, bundle_id)
    page = await olga.get(f"/admin/orders/{bundle_id}")
    assert f'<a href="/admin/people/{world.mona}">Mona</a>' in page.html
    assert "· Mona" in page.text
    assert "· Alice's key" in page.text
    assert "27 charged, 0 given back" in page.text
