"""Prices, countries, platforms and the kill switch."""

from __future__ import annotations

from uuid import uuid4

from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import order, published
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection

ACTIONS = "SELECT action FROM audit ORDER BY ordinal"
GONE_ON = "The operator has paused publishing"


async def actions(conn: Connection) -> list[str]:
    """Give what the audit log has."""
    return [row["action"] for row in await conn.fetch(ACTIONS)]


async def test_a_price_holds_from_now_on_and_its_history_is_kept(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    for fields, wrong in (
        ({"name": "video_slot", "amount": "-1"}, "price-amount"),
        ({"name": "video_slot", "amount": "x"}, "price-amount"),
        ({"name": "gold", "amount": "1"}, "price-name"),
        ({"name": "video_slot", "amount": "1", "workspace_id": "x"}, "price-workspace_id"),
        ({"name": "edit_slot", "amount": "1", "workspace_id": str(world.acme)}, "price-name"),
    ):
        seen = await olga.post("/admin/prices", {"reason": "X", **fields})
        assert seen.status == 400
        assert f'id="{wrong}-wrong"' in seen.html
    dear = {"name": "video_slot", "amount": "9", "reason": "2027"}
    assert (await olga.post("/admin/prices", dear)).to == "/admin/prices?done=price"
    own = {**dear, "amount": "7", "workspace_id": str(world.acme)}
    assert (await olga.post("/admin/prices", own)).status == 303
    page = (await olga.get("/admin/prices")).text
    assert "Video slot 9" in page
    assert "Acme Video slot 7" in page
    assert "Video slot 2 the first day" in page
    assert "olga@example.com" in page
    reply = await alice.post("/bundles", order(1))
    assert reply.status == 201
    assert (await alice.get("/credits/balance")).data["credits"] == CREDITS - 25 - 7
    assert await actions(conn) == ["price.set", "price.set"]


async def test_a_closed_country_and_a_closed_platform_take_no_orders(
    alice: Client, conn: Connection, olga: Guest
) -> None:
    assert (await olga.post("/admin/places/countries/USA", {"reason": ""})).status == 400
    closed = await olga.post("/admin/places/countries/USA", {"reason": "Law"})
    assert closed.status == 303
    assert (await alice.post("/bundles", order(0))).status == 400
    assert "United States (USA) closed" in (await olga.get("/admin/places")).text
    half = {"enabled_for.account": "true", "reason": "Half"}
    assert (await olga.post("/admin/places/countries/USA", half)).status == 303
    assert (await alice.post("/bundles", order(0))).status == 201
    odd = await olga.post(
        "/admin/places/countries/USA", {"enabled_for.gold": "true", "reason": "X"}
    )
    assert odd.status == 400
    shut = await olga.post("/admin/places/platforms/tiktok", {"enabled": "", "reason": "Down"})
    assert shut.status == 303
    assert (await alice.post("/bundles", order(0))).status == 400
    assert (await olga.post("/admin/places/countries/XX", {"reason": "X"})).status == 404
    assert (await olga.post("/admin/places/platforms/orkut", {"reason": "X"})).status == 404
    assert await actions(conn) == ["country.set", "country.set", "platform.set"]


async def test_what_is_stopped_stands_on_every_page_until_it_goes_on(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    bundle_id = await published(alice, videos=0)
    stop = {"scope": "workspace", "subject_id": str(world.acme), "reason": "Unpaid <script>"}
    assert (await olga.post("/admin/switches/pause", stop)).status == 303
    for where in ("/admin", "/admin/orders", "/admin/prices", f"/admin/workspaces/{world.acme}"):
        page = await olga.get(where)
        assert "Publishing and claims are partly stopped" in page.text
        assert "Unpaid &lt;script&gt;" in page.html
        assert "<script>" not in page.html.replace('<script src="', "")
    assert "publishing is stopped" in (await olga.get("/admin/orders")).text
    other = await alice.post("/bundles", order(0))
    blockers = (await alice.get(f"/bundles/{other.data['id']}/publish-readiness")).json
    assert GONE_ON in str(blockers)
    on = {"scope": "workspace", "subject_id": str(world.acme)}
    blank = await olga.post("/admin/switches/resume", on)
    assert blank.status == 400
    assert f'id="resume-{world.acme}-reason-wrong"' in blank.html
    assert (await olga.post("/admin/switches/resume", {**on, "reason": "Paid"})).status == 303
    assert "partly stopped" not in (await olga.get("/admin")).text
    assert bundle_id in (await olga.get("/admin/orders")).html
    assert await actions(conn) == ["publishing.pause", "publishing.resume"]


async def test_refuses_to_stop_what_is_not_there(conn: Connection, olga: Guest) -> None:
    for fields in (
        {"scope": "workspace", "reason": "X"},
        {"scope": "workspace", "subject_id": "x", "reason": "X"},
        {"scope": "account", "subject_id": str(uuid4()), "reason": "X"},
        {"scope": "world", "reason": "X"},
        {"scope": "all", "reason": ""},
    ):
        assert (await olga.post("/admin/switches/pause", fields)).status == 400
    assert await actions(conn) == []
    assert (
        await olga.post("/admin/switches/pause", {"scope": "all", "reason": "Down"})
    ).status == 303
    page = (await olga.get("/admin/audit")).text
    assert "Publishing and claims are stopped everywhere" in page
