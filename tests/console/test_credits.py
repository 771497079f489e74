from __future__ import annotations

import csv
from datetime import timedelta

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.test_orders import console
from tests.orders.walk import ordered
from tests.pages.guest import Guest
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workbench.operations.set_price import set_price

MARK = "SELECT low_below FROM wallets WHERE workspace_id = $1"


async def granted(conn: Connection, world: World, amount: int, *, days: int, why: str) -> None:
    """Grant a lot that ends."""
    now = real_now()
    async with unit_of_work(conn, world.acme, now=now) as tx:
        await ledger.grant(
            tx,
            amount=amount,
            source="grant",
            expires_at=now + timedelta(days=days),
            description=why,
            business_key=why,
            actor=SYSTEM,
        )


async def test_shows_balance_lots_with_their_ends_and_what_became_of_them(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    await granted(conn, world, 30, days=3, why="Trial")
    await ordered(alice, videos=0)
    seen = await customer.get(console(world, "credits"))
    assert "1005 credits" in seen.text
    assert "5 of them end within 7 days" in seen.text
    assert "5 of 30" in seen.text
    assert "1000 of 1000" in seen.text
    assert "-25" in seen.text
    today = real_now().date()
    kept = await customer.get(console(world, f"credits?date_from={today}"))
    assert "Trial" in kept.text
    gone = await customer.get(console(world, f"credits?date_from={today + timedelta(days=1)}"))
    assert "Nothing in these days." in gone.text
    assert (await customer.get(console(world, "credits?date_from=soon&page=x"))).status == 200


@pytest.mark.hazard(39)
async def test_the_history_is_a_csv_that_opens_without_a_formula(
    customer: Guest, conn: Connection, world: World
) -> None:
    await granted(conn, world, 5, days=30, why='=HYPERLINK("x"), "quoted"\nand broken')
    seen = await customer.get(console(world, "credits", "history.csv"))
    assert seen.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in seen.headers["content-disposition"]
    rows = list(csv.reader(seen.html.removeprefix("\ufeff").splitlines(keepends=True)))
    assert rows[0][:4] == ["created_at", "type", "amount", "balance_after"]
    assert [row[2] for row in rows[1:]] == ["5", "1000"]
    assert rows[1][4].startswith("'=HYPERLINK")
    assert rows[1][4].endswith("and broken")
    nothing = await customer.get(console(world, "credits", "history.csv?date_to=2001-01-01"))
    assert len(nothing.html.splitlines()) == 1


async def test_a_long_history_is_sent_whole(
    customer: Guest, conn: Connection, world: World
) -> None:
    now = real_now()
    async with unit_of_work(conn, world.acme, now=now) as tx:
        for number in range(501):
            await ledger.grant(
                tx,
                amount=1,
                source="grant",
                expires_at=None,
                description=f"No. {number}",
                business_key=f"many:{number}",
                actor=SYSTEM,
            )
    seen = await customer.get(console(world, "credits", "history.csv"))
    assert len(seen.html.splitlines()) == 1 + 501 + 1


async def test_the_mark_is_set_and_refused_beside_its_field(
    customer: Guest, conn: Connection, world: World
) -> None:
    there = console(world, "credits", "mark")
    assert "done=mark_set" in (await customer.post(there, {"credits_below": "50"})).to
    assert await conn.fetchval(MARK, world.acme) == 50
    for wrong in ("-1", "many", ""):
        refused = await customer.post(there, {"credits_below": wrong})
        assert refused.status == 400
        assert 'id="mark-credits_below-wrong"' in refused.html
    assert await conn.fetchval(MARK, world.acme) == 50


async def test_reckons_what_an_order_would_cost_without_ordering(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    there = console(world, "prices")
    query = (
        "?bundle_type=account_and_videos&platform=tiktok&country=USA&videos_quantity=4"
        "&edits_quantity=1&wants_niche_warming=true"
    )
    seen = await customer.get(there + query)
    # An account, four slots, an edit, and warming.
    assert "43 credits" in seen.text
    assert "You have 1000." in seen.text
    wrong = await customer.get(
        f"{there}?bundle_type=account_only&platform=tiktok&country=USA&videos_quantity=4"
    )
    assert wrong.status == 400
    assert "account_only has no videos" in wrong.text
    await conn.execute("UPDATE credit_lots SET remaining = 10, amount = 10")
    poor = await customer.get(there + query)
    assert "33 are missing" in poor.text
    assert (await alice.get("/bundles")).data == []


async def test_prices_are_told_with_the_day_from_which_they_hold(
    customer: Guest, conn: Connection, world: World
) -> None:
    await set_price(conn=conn, actor=world.as_olga, name="comment_task", amount=2)
    seen = await customer.get(console(world, "prices"))
    assert "the first day" in seen.text
    # Today, and from when on; the one before it is told too.
    assert seen.text.count("Comment 2") == 2
    assert seen.text.count("Comment 1") == 1
    assert "everybody" in seen.text


async def test_a_viewer_has_no_form_and_a_stranger_no_page(
    viewer: Guest, stranger: Guest, world: World
) -> None:
    seen = await viewer.get(console(world, "credits"))
    assert 'method="post" action="/console' not in seen.html
    assert (await viewer.post(console(world, "credits", "mark"))).code == "PAGE_FORBIDDEN"
    for where in ("credits", "credits/history.csv", "prices"):
        assert (await stranger.get(console(world, where))).status == 404
