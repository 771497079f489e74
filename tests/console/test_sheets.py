from __future__ import annotations

import csv
import io

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console
from tests.orders.walk import in_days, ordered, published
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection

CONFIGURED = "SELECT count(*) FROM slots WHERE status = 'configured'"
BALANCE = "SELECT sum(remaining) FROM credit_lots WHERE workspace_id = $1"
HEADER = "position,video_type,description,target_publish_date,video_url,volume_added_sound\n"


def row(position: int, day: int = 5, *, caption: str = "Look.", volume: str = "") -> str:
    """Give a row of a sheet."""
    address = "https://media.example.com/a.mp4"
    return f"{position},video,{caption},{in_days(day)},{address},{volume}\n"


async def test_a_check_shows_what_is_wrong_row_by_row_and_changes_nothing(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=3)
    there = console(world, "bundles", bundle_id, "csv")
    await customer.get(there)
    before = await conn.fetchval(BALANCE, world.acme)
    sheet = HEADER + row(1, volume="30") + row(2, day=0) + row(9) + "x,video,,,,\n"
    checked = await customer.send_file(f"{there}/check", sheet.encode())
    assert checked.status == 200
    assert "Checked; nothing was changed" in checked.text
    assert "1 row would be imported" in checked.text
    assert "1 credit would be charged" in checked.text
    for told in ("too soon", "has no slot 9", "must be a whole number"):
        assert told in checked.text
    # As a spreadsheet counts: the header is row 1.
    assert '<td data-label="Row">3</td>' in checked.html
    assert await conn.fetchval(CONFIGURED) == 0
    assert await conn.fetchval(BALANCE, world.acme) == before


async def test_an_import_does_what_the_check_said(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=3)
    there = console(world, "bundles", bundle_id, "csv")
    await customer.get(there)
    clean = (HEADER + row(1) + row(2, 6)).encode()
    assert "Every row can be imported." in (await customer.send_file(f"{there}/check", clean)).text
    done = await customer.send_file(there, clean)
    assert "2 rows were imported" in done.text
    assert await conn.fetchval(CONFIGURED) == 2


async def test_a_file_that_is_no_table_is_refused_as_a_whole(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = console(world, "bundles", bundle_id, "csv")
    await customer.get(there)
    for content, told in (
        (b"", "is empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"position,colour\n1,red\n", "unknown column"),
        ((HEADER + row(1) + row(1, 6)).encode(), "is in row 2 already"),
    ):
        refused = await customer.send_file(there, content)
        assert refused.status == 400
        assert told in refused.text
    large = await customer.send_file(there, b"x" * 5_000_001)
    assert large.code == "FILE_TOO_LARGE"
    assert await conn.fetchval(CONFIGURED) == 0


async def test_the_export_is_taken_back_and_the_template_has_our_columns(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=2)
    there = console(world, "bundles", bundle_id, "csv")
    await customer.get(there)
    await customer.send_file(there, (HEADER + row(1, caption="=1+1")).encode())
    exported = await customer.get(f"{there}/slots.csv")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in exported.headers["content-disposition"]
    assert "'=1+1" in exported.html
    again = await customer.send_file(there, exported.html.encode())
    assert "1 row was imported" in again.text
    content = await conn.fetchval("SELECT content FROM slots WHERE position = 1")
    assert content["description"] == "=1+1"
    template = await customer.get(console(world, "csv", "template.csv"))
    lines = list(csv.reader(io.StringIO(template.html.removeprefix("\ufeff"))))
    assert lines[0][:2] == ["position", "video_type"]
    page = await customer.get(there)
    assert all(f"<code>{name}</code>" in page.html for name in lines[0])


async def test_leads_to_the_bundles_that_take_videos(
    alice: Client, charlie: Client, world: World, customer: Guest
) -> None:
    assert "No open bundle has video slots." in (await customer.get(console(world, "csv"))).text
    await published(alice, videos=2, title="With videos")
    account = await ordered(alice, videos=0, title="An account")
    page = await customer.get(console(world, "csv"))
    assert "With videos" in page.text
    assert "0 of 2 filled in" in page.text
    assert "An account" not in page.text
    none = await customer.get(console(world, "bundles", account, "csv"))
    assert "takes no videos" in none.text
    foreign = await ordered(charlie, videos=1)
    for act in ("", "/slots.csv"):
        seen = await customer.get(f"{console(world, 'bundles', foreign, 'csv')}{act}")
        assert seen.code == "PAGE_NOT_FOUND"
    sent = await customer.send_file(
        console(world, "bundles", foreign, "csv"), (HEADER + row(1)).encode()
    )
    assert sent.code == "PAGE_NOT_FOUND"
