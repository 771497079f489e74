"""What managers are owed, as operators decide it."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from tests.cast import World
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations.adjust_earnings import adjust_earnings

ACTIONS = "SELECT action FROM audit ORDER BY ordinal"
LONG_AGO = date(2020, 1, 1)


async def owe(conn: Connection, world: World, amount: int = 1250) -> str:
    """Owe Mona something of a month that is over; give the statement's address."""
    await adjust_earnings(
        conn=conn,
        actor=world.as_olga,
        manager_id=world.mona,
        amount=amount,
        currency="USD",
        reason="Phone <b>",
        month=LONG_AGO,
    )
    return f"/admin/earnings/{world.mona}/2020-01"


async def test_a_rate_is_set_with_its_place_and_ended_again(conn: Connection, olga: Guest) -> None:
    for fields, wrong in (
        ({"kind": "video", "amount": "x"}, "rate-amount"),
        ({"kind": "gold", "amount": "1"}, "rate-kind"),
        ({"kind": "video", "amount": ""}, "rate-amount"),
        ({"kind": "video", "amount": "1", "country": "XX"}, "rate-country"),
        ({"kind": "video", "amount": "1", "valid_from": "x"}, "rate-valid_from"),
        ({"kind": "video", "amount": "1", "valid_from": "2020-01-01T00:00"}, "rate-valid_from"),
    ):
        seen = await olga.post("/admin/earnings/rates", {"reason": "X", **fields})
        assert seen.status == 400
        assert f'id="{wrong}-wrong"' in seen.html, fields
    video = {"kind": "video", "amount": "2,50", "reason": "2027"}
    assert (await olga.post("/admin/earnings/rates", video)).status == 303
    french = {**video, "amount": "3", "country": "FR"}
    assert (await olga.post("/admin/earnings/rates", french)).status == 303
    page = (await olga.get("/admin/earnings")).text
    assert "Video posted everywhere 2.50 USD" in page
    assert "Video posted FR 3.00 USD" in page
    assert (await olga.post("/admin/earnings/rates", {**french, "amount": ""})).status == 303
    assert "Video posted FR ended" in (await olga.get("/admin/earnings")).text
    actions = [row["action"] for row in await conn.fetch(ACTIONS)]
    assert actions == ["earnings.rate"] * 3


async def test_an_adjustment_is_booked_into_its_month(
    conn: Connection, world: World, olga: Guest
) -> None:
    good = {"manager": str(world.mona), "amount": "-12.50", "reason": "Advance"}
    for fields, wrong in (
        ({"manager": "x"}, "adjust-manager"),
        ({"amount": "0"}, "adjust-amount"),
        ({"amount": "a lot"}, "adjust-amount"),
        ({"month": "2999-01"}, "adjust-month"),
        ({"month": "x"}, "adjust-month"),
        ({"reason": ""}, "adjust-reason"),
    ):
        seen = await olga.post("/admin/earnings/adjust", {**good, **fields})
        assert seen.status == 400
        assert f'id="{wrong}-wrong"' in seen.html, fields
    nobody = await olga.post("/admin/earnings/adjust", {**good, "manager": str(uuid4())})
    assert nobody.status == 404
    done = await olga.post("/admin/earnings/adjust", {**good, "month": "2020-01"})
    assert done.to == f"/admin/earnings/{world.mona}/2020-01?done=adjusted"
    page = (await olga.get(done.to)).text
    assert "-12.50 USD" in page
    assert "Advance · olga@example.com" in page
    assert [row["action"] for row in await conn.fetch(ACTIONS)] == ["earnings.adjust"]


async def test_a_month_that_was_paid_is_settled_as_it_was_shown(
    conn: Connection, world: World, olga: Guest
) -> None:
    there = await owe(conn, world)
    page = await olga.get(there)
    assert "Phone &lt;b&gt;" in page.html
    assert "12.50 USD" in page.text
    stale = await olga.post(f"{there}/settle", {"entries": "2", "reason": "Paid"})
    assert stale.status == 409
    assert (await olga.post(f"{there}/settle", {"entries": "1", "reason": ""})).status == 400
    done = await olga.post(f"{there}/settle", {"entries": "1", "reason": "Bank, 3 Feb"})
    assert done.to == f"{there}?done=statement_settled"
    closed = await olga.get(there)
    assert "Settled by the operator: Bank, 3 Feb" in closed.text
    assert f"{there}/settle" not in closed.html
    assert "Mona 12.50 USD settled" in (await olga.get("/admin/earnings?status=settled")).text
    assert "Nothing has been earned yet." in (await olga.get("/admin/earnings?status=open")).text


async def test_a_statement_is_downloaded_and_what_is_not_there_has_no_page(
    conn: Connection, world: World, olga: Guest
) -> None:
    there = await owe(conn, world)
    sent = await olga.get(f"{there}/csv")
    assert sent.headers["content-type"].startswith("text/csv")
    assert "12.50,USD,Phone <b>" in sent.html
    for where in (
        f"/admin/earnings/{uuid4()}/2020-01",
        f"/admin/earnings/{world.mona}/2020-02",
        f"/admin/earnings/{world.mona}/x",
    ):
        assert (await olga.get(where)).code == "PAGE_NOT_FOUND"
    gone = await olga.post(f"{there}/entries/{uuid4()}/reverse", {"reason": "X"})
    assert gone.code == "PAGE_NOT_FOUND"
