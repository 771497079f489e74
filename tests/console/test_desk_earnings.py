"""What a manager has earned, on their pages."""

from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import published
from tests.pages.guest import Guest
from tests.workbench.books import LAST_MONTH, THIS_MONTH, earned, rated
from tests.workbench.desk import hire
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations.answer_statement import settle_statement
from tokportal_server.workbench.operations.set_rate import NewRate, set_rate

ONE = f"/desk/earnings/{LAST_MONTH:%Y-%m}"
STATUS = "SELECT status, note FROM earning_statements"


async def test_months_and_rates_are_a_managers_own(
    conn: Connection, world: World, mona: Guest
) -> None:
    empty = await mona.get("/desk/earnings")
    assert "Nothing earned yet" in empty.text
    assert "has not set what jobs pay" in empty.text
    await rated(conn, world, video=250)
    for country, amount in (("FR", 300), ("DE", 999)):
        rate = NewRate(kind="video", amount=amount, currency="EUR", country=country)
        await set_rate(conn=conn, actor=world.as_olga, rate=rate)
    await earned(conn, world, 500)
    await earned(conn, world, 90, currency="EUR")
    nora = await hire(conn)
    await earned(conn, world, 4321, manager_id=nora.id)
    page = await mona.get("/desk/earnings")
    for told in ("0.90 EUR, 5.00 USD", "2.50 USD", "3.00 EUR", "to be agreed"):
        assert told in page.text
    for others in ("43.21", "9.99"):
        assert others not in page.text


async def test_a_statement_lists_every_entry_and_comes_as_a_sheet(
    conn: Connection, world: World, mona: Guest
) -> None:
    await earned(conn, world, 500, subject="acme.daily #1")
    await earned(conn, world, 250, kind="comment")
    page = await mona.get(ONE)
    for told in ("7.50 USD", "Video posted: 5.00 USD", "acme.daily #1", "Comment written"):
        assert told in page.text
    sheet, headers = await mona.download(f"{ONE}/csv")
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert f"earnings-{LAST_MONTH:%Y-%m}.csv" in headers["content-disposition"]
    assert b"job,video,acme.daily #1,USA,tiktok,5.00,USD" in sheet
    for nothing in ("/desk/earnings/2020-01", "/desk/earnings/2020-01/csv", "/desk/earnings/x"):
        assert (await mona.get(nothing)).status == 404


async def test_a_manager_agrees_on_the_page(conn: Connection, world: World, mona: Guest) -> None:
    await earned(conn, world, 500)
    await mona.get(ONE)
    done = await mona.post(f"{ONE}/agree", {"entries": "1"})
    assert done.to == f"{ONE}?done=agreed"
    page = await mona.get(done.to)
    assert "You have agreed to the statement." in page.text
    assert "I agree" not in page.text


async def test_what_changed_since_the_page_is_looked_at_again_before_it_is_agreed_to(
    conn: Connection, world: World, mona: Guest
) -> None:
    await earned(conn, world, 500)
    await mona.get(ONE)
    await earned(conn, world, 20)
    for entries in ("1", "", "x", "9" * 400):
        late = await mona.post(f"{ONE}/agree", {"entries": entries})
        assert late.status == 409
        assert 'role="alert"' in late.html
        # The page that is shown again is the statement as it is now.
        assert 'name="entries" value="2"' in late.html
    assert await conn.fetch(STATUS) == []


async def test_a_dispute_needs_words_and_the_operator_answers_it(
    conn: Connection, world: World, mona: Guest
) -> None:
    await earned(conn, world, 500)
    await mona.get(ONE)
    silent = await mona.post(f"{ONE}/dispute", {"entries": "1", "note": " "})
    assert silent.status == 400
    assert 'aria-describedby="dispute-note-wrong"' in silent.html
    bad = "<img src=x onerror=alert(1)>"
    done = await mona.post(f"{ONE}/dispute", {"entries": "1", "note": bad})
    assert done.to == f"{ONE}?done=disputed"
    page = await mona.get(done.to)
    assert f"You disputed: {bad}" in page.text
    assert "<img" not in page.html
    await settle_statement(
        conn=conn,
        actor=world.as_olga,
        manager_id=world.mona,
        month=LAST_MONTH,
        reason=f"Paid. {bad}",
    )
    page = await mona.get(ONE)
    assert "Settled by the operator: Paid." in page.text
    assert "<img" not in page.html
    assert "Something is wrong" not in page.text
    refused = await mona.post(f"{ONE}/agree", {"entries": "1"})
    assert refused.status == 409


async def test_a_month_that_runs_cannot_be_answered(
    conn: Connection, world: World, mona: Guest
) -> None:
    await earned(conn, world, 500, month=THIS_MONTH, subject="<b>x</b>")
    at = f"/desk/earnings/{THIS_MONTH:%Y-%m}"
    page = await mona.get(at)
    assert "The month still runs." in page.text
    assert "<b>x" not in page.html
    assert "I agree" not in page.text
    assert (await mona.post(f"{at}/agree", {"entries": "1"})).status == 409


async def test_who_has_left_still_reads_and_agrees_to_their_statements(
    conn: Connection, world: World, mona: Guest
) -> None:
    await earned(conn, world, 500)
    await conn.execute("UPDATE managers SET active = false")
    assert (await mona.get("/desk")).code == "PAGE_FORBIDDEN"
    assert "5.00 USD" in (await mona.get("/desk/earnings")).text
    await mona.get(ONE)
    assert (await mona.post(f"{ONE}/agree", {"entries": "1"})).status == 303


async def test_somebody_who_never_was_a_manager_has_no_statement(
    conn: Connection, world: World, customer: Guest
) -> None:
    await earned(conn, world, 500)
    assert "Nothing earned yet" in (await customer.get("/desk/earnings")).text
    assert (await customer.get(ONE)).status == 404
    refused = await customer.post(f"{ONE}/agree", {"entries": "1"})
    assert refused.status == 404
    assert await conn.fetch(STATUS) == []


async def test_the_queue_says_what_an_order_pays(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    await published(alice, videos=2)
    assert "about" not in (await mona.get("/desk")).text
    await rated(conn, world, account_setup=1500, video=250)
    assert "about 20.00 USD" in (await mona.get("/desk")).text
