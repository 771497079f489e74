from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console, made_from
from tests.orders.walk import PROFILE, ordered, published
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection

NOW = "SELECT username, biography, link_in_bio FROM profiles WHERE bundle_id = $1"


async def test_fills_the_profile_in_and_clears_what_is_emptied(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=0)
    there = console(world, "bundles", bundle_id, "profile")
    page = await customer.get(there)
    first = await customer.post(there, {**PROFILE, "seen": made_from(page, there)})
    assert first.to == f"{console(world, 'bundles', bundle_id)}?done=saved"
    page = await customer.get(there)
    assert 'value="acme.daily"' in page.html
    emptied = {**PROFILE, "biography": "", "seen": made_from(page, there)}
    assert (await customer.post(there, emptied)).status == 303
    row = await conn.fetchrow(NOW, bundle_id)
    assert row is not None
    assert (row["username"], row["biography"]) == ("acme.daily", None)
    # What publishing needs leads here.
    bundle = await customer.get(console(world, "bundles", bundle_id))
    assert "The profile lacks biography." in bundle.text
    assert f'href="{there}"' in bundle.html


async def test_the_rules_are_those_of_the_api_with_their_messages(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=0, platform="instagram")
    there = console(world, "bundles", bundle_id, "profile")
    page = await customer.get(there)
    wrong = {
        "username": "not a name",
        "visible_name": "",
        "link_in_bio": "no link",
        "biography": "",
        "seen": made_from(page, there),
    }
    refused = await customer.post(there, wrong)
    assert refused.status == 400
    for field in ("username", "visible_name"):
        assert f'id="profile-{field}-wrong"' in refused.html
    assert 'value="not a name"' in refused.html
    row = await conn.fetchrow(NOW, bundle_id)
    assert row is not None
    assert row["username"] is None


async def test_of_two_who_edit_the_second_is_shown_both_and_can_decide(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=0)
    there = console(world, "bundles", bundle_id, "profile")
    page = await customer.get(there)
    await alice.put(f"/bundles/{bundle_id}/account", {**PROFILE, "username": "by.api"})
    mine = {**PROFILE, "username": "by.page", "seen": made_from(page, there)}
    stale = await customer.post(there, mine)
    assert stale.status == 409
    assert "Somebody else changed this" in stale.text
    assert "by.api" in stale.text
    assert 'value="by.page"' in stale.html
    row = await conn.fetchrow(NOW, bundle_id)
    assert row is not None
    assert row["username"] == "by.api"
    # Sent again from the page that showed both, it stands.
    again = await customer.post(there, {**mine, "seen": made_from(stale, there)})
    assert again.status == 303
    row = await conn.fetchrow(NOW, bundle_id)
    assert row is not None
    assert row["username"] == "by.page"


async def test_a_published_profile_is_shown_but_not_changed(
    alice: Client, world: World, customer: Guest
) -> None:
    bundle_id = await published(alice, videos=0)
    there = console(world, "bundles", bundle_id, "profile")
    page = await customer.get(there)
    assert "It can be changed while the bundle is being set up." in page.text
    assert 'name="username"' not in page.html
    assert (await customer.post(there, PROFILE)).status == 409


async def test_another_workspaces_profile_and_one_of_videos_only_are_not_there(
    charlie: Client, world: World, customer: Guest
) -> None:
    foreign = await ordered(charlie, videos=0)
    there = console(world, "bundles", foreign, "profile")
    assert (await customer.get(there)).code == "PAGE_NOT_FOUND"
    assert (await customer.post(there, PROFILE)).code == "PAGE_NOT_FOUND"
