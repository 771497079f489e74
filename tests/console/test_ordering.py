from __future__ import annotations

import asyncio
import re
from uuid import UUID

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console
from tests.orders.walk import claimed, published, set_up
from tests.pages.guest import Guest, Seen
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

BUNDLES = "SELECT count(*) FROM bundles"
BALANCE = "SELECT sum(remaining) FROM credit_lots WHERE workspace_id = $1"
ONE = {
    "bundle_type": "account_and_videos",
    "platform": "tiktok",
    "country": "USA",
    "videos_quantity": "3",
    "edits_quantity": "1",
    "auto_finalize_videos": "false",
    "title": "Spring",
}
MANY = {
    "platforms.tiktok": "true",
    "platforms.instagram": "true",
    "country": "USA",
    "accounts_count": "2",
    "upload_accounts_count": "1",
    "videos_per_account": "3",
    "auto_finalize_videos": "true",
    "external_ref": "wave",
}


async def test_a_price_is_that_of_the_order_and_asking_for_it_orders_nothing(
    conn: Connection, world: World, customer: Guest
) -> None:
    there = console(world, "new")
    await customer.get(there)
    asked = await customer.post(f"{there}/price", ONE)
    assert asked.status == 200
    # 25 for the account, 3 videos at 2, an edit at 3.
    assert "In all 34 credits" in asked.text
    assert "Credits left afterwards 966" in asked.text
    assert 'value="Spring"' in asked.html
    assert await conn.fetchval(BUNDLES) == 0
    assert await conn.fetchval(BALANCE, world.acme) == 1000


async def test_orders_a_bundle_and_leads_to_it(
    conn: Connection, world: World, customer: Guest
) -> None:
    there = console(world, "new")
    await customer.get(there)
    done = await customer.post(there, ONE)
    row = await conn.fetchrow("SELECT id, title, auto_finalize_videos, edits_quantity FROM bundles")
    assert row is not None
    assert done.to == f"{console(world, 'bundles', row['id'])}?done=ordered"
    assert (row["title"], row["auto_finalize_videos"], row["edits_quantity"]) == (
        "Spring",
        False,
        1,
    )
    assert await conn.fetchval(BALANCE, world.acme) == 966
    assert "What it still needs" in (await customer.get(done.to)).text


async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_ordered(
    conn: Connection, world: World, customer: Guest
) -> None:
    there = console(world, "new")
    await customer.get(there)
    wrong = {**ONE, "videos_quantity": "many", "edits_quantity": "", "country": "Atlantis"}
    refused = await customer.post(there, wrong)
    assert refused.status == 400
    assert 'aria-describedby="order-videos_quantity-wrong"' in refused.html
    assert 'value="many"' in refused.html
    elsewhere = await customer.post(there, {**ONE, "country": "Atlantis"})
    assert 'id="order-country-wrong"' in elsewhere.html
    warm = {"wants_niche_warming": "true", "niche_warming_instructions": ""}
    niche = await customer.post(f"{there}/price", {**ONE, **warm})
    assert 'aria-describedby="order-niche_warming_instructions-wrong"' in niche.html
    assert await conn.fetchval(BUNDLES) == 0


async def test_what_the_credits_do_not_reach_is_said_with_the_price(
    conn: Connection, world: World, customer: Guest
) -> None:
    there = console(world, "new")
    await customer.get(there)
    dear = await customer.post(f"{there}/price", {**ONE, "videos_quantity": "500"})
    assert dear.status == 402
    assert re.search(r'id="price".*?note bad', dear.html, re.DOTALL)
    assert (await customer.post(there, {**ONE, "videos_quantity": "500"})).status == 402
    assert await conn.fetchval(BUNDLES) == 0


async def test_a_reference_that_is_taken_is_said_beside_it(world: World, customer: Guest) -> None:
    there = console(world, "new")
    await customer.get(there)
    named = {**ONE, "external_ref": "summer-1"}
    assert (await customer.post(there, named)).status == 303
    again = await customer.post(there, named)
    assert again.status == 409
    assert 'aria-describedby="order-external_ref-wrong"' in again.html


async def test_videos_on_an_account_that_was_delivered(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    assert "No account has been delivered" in (await customer.get(console(world, "new"))).text
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    account_id = await set_up(conn, world, ports, bundle_id)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    there = console(world, "new")
    page = await customer.get(f"{there}?bundle_type=videos_only&account_id={account_id}")
    assert f'value="{account_id}" selected' in page.html
    fields = {
        "bundle_type": "videos_only",
        "account_id": str(account_id),
        "videos_quantity": "2",
        "auto_finalize_videos": "true",
        "platform": "",
        "country": "",
    }
    assert (await customer.post(there, fields)).status == 303
    ordered = "SELECT saved_account_id FROM bundles WHERE bundle_type = 'videos_only'"
    assert await conn.fetchval(ordered) == UUID(str(account_id))
    listed = await customer.get(console(world, f"bundles?account={account_id}"))
    assert "Bundles of acme.daily" in listed.text
    assert listed.html.count('class="badge') == 2


async def test_a_form_that_comes_twice_orders_once_and_leads_to_the_same_bundle(
    conn: Connection, world: World, customer: Guest
) -> None:
    there = console(world, "new")
    word = once_of(await customer.get(there))
    forms = [customer.post(there, {**ONE, "once": word}) for _ in range(3)]
    led = {seen.to for seen in await asyncio.gather(*forms)}
    assert len(led) == 1
    assert await conn.fetchval(BUNDLES) == 1
    assert await conn.fetchval(BALANCE, world.acme) == 966
    # Changed, or from a page of its own, it is another order.
    assert (await customer.post(there, {**ONE, "title": "Other", "once": word})).to not in led
    fresh = once_of(await customer.get(there))
    assert (await customer.post(there, {**ONE, "once": fresh})).to not in led
    assert await conn.fetchval(BUNDLES) == 3


async def test_a_form_that_was_refused_can_be_sent_again_once_it_is_mended(
    conn: Connection, world: World, customer: Guest
) -> None:
    there = console(world, "new")
    word = once_of(await customer.get(there))
    dear = {**ONE, "videos_quantity": "500", "edits_quantity": "0", "once": word}
    assert (await customer.post(there, dear)).status == 402
    await conn.execute("UPDATE prices SET amount = 1 WHERE name = 'video_slot'")
    assert (await customer.post(there, dear)).status == 303


def once_of(page: Seen) -> str:
    """Give the word of the page's order."""
    found = re.search(r'name="once" value="([^"]+)"', page.html)
    assert found is not None
    return found.group(1)


async def test_orders_many_at_once_or_none(conn: Connection, world: World, customer: Guest) -> None:
    there = console(world, "new", "many")
    await customer.get(there)
    asked = await customer.post(f"{there}/price", MANY)
    # Four accounts at 25, two of them with 3 videos at 2.
    assert "In all 112 credits" in asked.text
    assert await conn.fetchval(BUNDLES) == 0
    done = await customer.post(there, MANY)
    assert done.to == f"{console(world, 'bundles')}?done=ordered_many"
    assert await conn.fetchval(BUNDLES) == 4
    again = await customer.post(there, MANY)
    assert again.status == 400
    assert 'aria-describedby="order-external_ref-wrong"' in again.html
    nowhere = {name: MANY[name] for name in MANY if not name.startswith("platforms")}
    none = await customer.post(there, nowhere)
    assert none.status == 400
    assert "platforms is required" in none.text
    assert await conn.fetchval(BUNDLES) == 4


async def test_a_list_without_bundles_says_what_to_do(world: World, customer: Guest) -> None:
    page = await customer.get(console(world, "bundles"))
    assert "The first one sets up an account." in page.text
    assert f'href="{console(world, "new")}"' in page.html
