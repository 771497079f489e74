from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    PROFILE,
    claimed,
    ordered,
    posted,
    published,
    set_up,
    workable,
)
from tests.pages.guest import Guest
from tokportal_server.console.orders import MOST_COUNTED
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

MANY = """
INSERT INTO bundles (workspace_id, bundle_type, platform, country, status, videos_quantity,
                     edits_quantity, auto_finalize_videos, wants_niche_warming, wants_deep_warming,
                     wants_moderation, cost_breakdown, sold_prices, created_at, updated_at)
SELECT workspace_id, bundle_type, platform, country, status, 0, 0, true, false, false, false,
       cost_breakdown, sold_prices, now(), now() FROM bundles, generate_series(1, $1::integer)
"""
STATUS = "SELECT status FROM bundles WHERE id = $1"
PROFILE_STATUS = "SELECT status FROM profiles WHERE bundle_id = $1"
SLOT_STATUS = "SELECT status FROM slots WHERE bundle_id = $1 AND position = 1"


def console(world: World, *more: object) -> str:
    """Give an address of Alice's console."""
    return "/".join(["/console", str(world.acme), *map(str, more)])


async def test_the_overview_says_what_needs_the_customer(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    assert "Nothing waits for you." in (await customer.get(console(world))).text
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    draft = await ordered(alice, videos=0, title="Half done")
    await conn.execute("UPDATE wallets SET low_below = 5000")
    page = await customer.get(console(world))
    assert "Review the account" in page.text
    assert "71 h left" in page.text
    assert "Half done" in page.text
    assert draft in page.html
    assert "your mark is 5000" in page.text


async def test_a_filtered_list_counts_a_thousand_and_says_so(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    await ordered(alice, videos=0)
    await conn.execute(MANY, MOST_COUNTED - 2)
    few = (await customer.get(console(world, "bundles?platform=tiktok"))).text
    assert "Page 1 of 40" in few
    assert "Narrow the filters" not in few
    await conn.execute(MANY, 1)
    many = (await customer.get(console(world, "bundles?platform=tiktok"))).text
    assert "Page 1 of 40" in many
    assert "The newest 1000 that fit" in many
    # The API counts all of them.
    assert (await alice.get("/bundles?platform=tiktok")).json["pagination"]["total"] == 1998


async def test_failed_media_and_broken_downloads_stand_on_the_overview(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    await workable(alice, conn, world, ports, videos=2)
    issue = {"reported_at": "2026-01-01T00:00:00.000Z", "reason": "404"}
    await conn.execute("UPDATE slots SET download_issue = $1 WHERE position = 1", issue)
    await conn.execute("UPDATE slots SET media_status = 'failed' WHERE position = 2")
    page = await customer.get(console(world))
    assert "Mend the download of video 1" in page.text
    assert "Replace the media of video 2" in page.text


async def test_finds_a_bundle_by_status_and_by_how_its_title_begins(
    alice: Client, world: World, customer: Guest
) -> None:
    await ordered(alice, videos=0, title="Spring")
    await published(alice, videos=0, title="Summer")
    every = (await customer.get(console(world, "bundles"))).text
    assert "Spring" in every
    assert "Summer" in every
    drafts = (await customer.get(console(world, "bundles?status=pending_setup"))).text
    assert "Spring" in drafts
    assert "Summer" not in drafts
    found = (await customer.get(console(world, "bundles?q=sum"))).text
    assert "Summer" in found
    assert "Spring" not in found
    for odd in ("?status=odd", "?page=-1", "?page=999999", "?country=Atlantis", "?platform=x"):
        assert (await customer.get(console(world, f"bundles{odd}"))).status == 200
    assert (await customer.get(console(world, "bundles?q=%00"))).status < 500


async def test_the_page_says_what_is_in_the_way_and_publishes_when_nothing_is(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=0)
    there = console(world, "bundles", bundle_id)
    page = await customer.get(there)
    assert "Before it can be published" in page.text
    assert f"{there}/publish" not in page.html
    refused = await customer.post(f"{there}/publish")
    assert refused.status == 409
    assert await conn.fetchval(STATUS, bundle_id) == "pending_setup"
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    assert "Ready to publish" in (await customer.get(there)).text
    assert (await customer.post(f"{there}/publish")).to == f"{there}?done=published"
    assert await conn.fetchval(STATUS, bundle_id) == "published"
    # Sent twice: said once.
    assert (await customer.post(f"{there}/publish")).status == 409


async def test_corrects_the_account_by_field_then_approves_it(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await published(alice)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    there = console(world, "bundles", bundle_id)
    empty = await customer.post(f"{there}/account/correct", {"comment": " "})
    assert empty.status == 400
    assert 'aria-describedby="correct-account-comment-wrong"' in empty.html
    asked = {"comment": "Almost.", "fields.username": "acme.news", "fields.biography": " "}
    assert (await customer.post(f"{there}/account/correct", asked)).status == 303
    told = await conn.fetchval("SELECT fields FROM corrections")
    assert told == {"username": "acme.news"}
    assert await conn.fetchval(PROFILE_STATUS, bundle_id) == "pending_corrections"
    await set_up(conn, world, ports, bundle_id)
    assert (await customer.post(f"{there}/account/approve")).status == 303
    assert await conn.fetchval(PROFILE_STATUS, bundle_id) == "finalized"
    page = await customer.get(there)
    assert "Almost." in page.text
    assert "(mended)" in page.text


async def test_corrects_and_approves_a_post_and_the_timeline_tells_who_did_what(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    there = console(world, "bundles", bundle_id)
    await posted(conn, world, ports, bundle_id)
    corrected = await customer.post(f"{there}/slots/1/correct", {"comment": "Louder."})
    assert corrected.status == 303
    assert await conn.fetchval(SLOT_STATUS, bundle_id) == "pending_corrections"
    await posted(conn, world, ports, bundle_id)
    assert (await customer.post(f"{there}/slots/1/approve")).status == 303
    page = (await customer.get(there)).text
    assert await conn.fetchval(STATUS, bundle_id) == "completed"
    assert "· Alice · Louder." in page
    assert "· Alice's key" in page
    assert "· manager" in page
    late = await customer.post(f"{there}/slots/1/approve")
    assert late.status == 409


async def test_cancels_until_a_manager_has_begun(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    free, taken = await published(alice), await published(alice)
    await claimed(conn, world, ports, taken)
    refused = await customer.post(console(world, "bundles", taken, "cancel"))
    assert refused.status == 409
    assert (await customer.post(console(world, "bundles", free, "cancel"))).status == 303
    assert await conn.fetchval(STATUS, free) == "cancelled"
    assert await conn.fetchval(STATUS, taken) == "accepted"


async def test_another_workspaces_bundle_is_not_there(
    charlie: Client, world: World, customer: Guest
) -> None:
    foreign = await ordered(charlie, videos=0)
    for act in ("", "/publish", "/cancel", "/account/approve", "/slots/1/approve"):
        where = f"{console(world, 'bundles', foreign)}{act}"
        seen = await (customer.post(where) if act else customer.get(where))
        assert seen.code == "PAGE_NOT_FOUND"
